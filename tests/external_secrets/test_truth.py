"""The inventory and the truth: throttled, changed a thousand times, narrowed, or read in part."""

import random
from typing import Any

import pytest

from accesses import providers
from external_secrets import inventory
from external_secrets.models import InventoryEntry, InventoryState
from tests.external_secrets.manager import FakeManager

pytestmark = pytest.mark.django_db


def names(access: Any) -> list[str]:
    return list(InventoryEntry.objects.filter(access=access).order_by("name").values_list("name", flat=True))


class Throttling(FakeManager):
    """Refuses half of the requests, as told by a seed."""

    chance = random.Random(52)
    refused = 0

    def page(self, prefix: str = "", cursor: str = "") -> providers.Page:
        if self.chance.random() < 0.5:
            self.refused += 1
            raise providers.Throttled("AWS asks to slow down.")
        return super().page(prefix, cursor)


def test_a_manager_that_throttles_half_of_the_requests_is_read_to_the_end(access, monkeypatch):
    monkeypatch.setattr(inventory, "PATIENCE", 30)
    wanted = [f"prod/{number:04d}" for number in range(3000)]
    manager = Throttling(*wanted).use(monkeypatch)

    assert inventory.read_all(access)

    assert names(access) == wanted
    assert manager.refused > 10
    assert len(manager.calls) == 30, "each page is taken once"


def test_a_manager_that_only_throttles_is_given_up_and_the_old_names_stay(access, fill, manager):
    fill("prod/old")
    manager.error = providers.Throttled("AWS asks to slow down.")

    inventory.read_all(access)

    state = InventoryState.objects.get(access=access)
    assert state.cause == "throttled"
    assert names(access) == ["prod/old"]
    assert len(manager.calls) > 1


def test_after_a_thousand_changes_it_equals_the_truth(access, manager):
    chance = random.Random(53)
    truth: set[str] = set()
    for _ in range(10):
        for _ in range(100):
            name = f"{chance.choice(('prod', 'dev'))}/{chance.randrange(400)}"
            truth.symmetric_difference_update({name})
        manager.entries = FakeManager(*sorted(truth)).entries

        inventory.read_all(access)

        assert names(access) == sorted(truth)


def test_what_the_identity_may_no_longer_list_is_gone_after_one_reading(access, manager):
    manager.entries = FakeManager("prod/a", "prod/b", "secret-team/c").entries
    inventory.read_all(access)
    manager.entries = FakeManager("prod/a", "prod/b").entries

    inventory.read_all(access)

    assert names(access) == ["prod/a", "prod/b"]


def test_a_reading_that_breaks_off_never_shrinks_it(access, monkeypatch):
    class Breaking(FakeManager):
        def page(self, prefix: str = "", cursor: str = "") -> providers.Page:
            if cursor == "200":
                raise providers.NotReachable("AWS does not answer in eu-west-3.")
            return super().page(prefix, cursor)

    wanted = [f"prod/{number:04d}" for number in range(500)]
    FakeManager(*wanted).use(monkeypatch)
    inventory.read_all(access)
    Breaking(*wanted).use(monkeypatch)

    inventory.read_all(access)

    assert names(access) == wanted
    assert InventoryState.objects.get(access=access).cause == "unreachable"
