"""Reading names: whole, in pages, by one reader at a time, and never forgetting what was known."""

import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from kombu.exceptions import OperationalError

from accesses import providers, signals
from external_secrets import inventory, services, tasks
from external_secrets.models import InventoryEntry, InventoryState
from tests import factories
from tests.external_secrets.manager import FakeManager, entry, refused

pytestmark = pytest.mark.django_db


def names(access):
    return list(InventoryEntry.objects.filter(access=access).values_list("name", flat=True))


def test_every_page_is_read(access, monkeypatch):
    manager = FakeManager(*(f"prod/{number:03}" for number in range(250)), size=100).use(monkeypatch)

    assert inventory.read_all(access)

    assert len(manager.calls) == 3
    assert names(access) == [f"prod/{number:03}" for number in range(250)]
    state = InventoryState.objects.get(access=access)
    assert (state.entries, state.error, state.started_at, state.asked_at) == (250, "", None, None)
    assert timezone.now() - state.read_at < datetime.timedelta(minutes=1)


def test_the_facts_of_a_name_are_kept(access, manager):
    manager.entries = [entry("prod/db", description="The database", tags={"team": "shop"})]

    inventory.read_all(access)

    row = InventoryEntry.objects.get(access=access)
    assert row.reference.endswith("secret:prod/db-AbCdEf")
    assert (row.description, row.tags, row.changed_at.year) == ("The database", {"team": "shop"}, 2026)


def test_reading_again_changes_updates_and_removes(access, manager):
    manager.entries = [entry("a"), entry("b"), entry("c")]
    inventory.read_all(access)
    kept = InventoryEntry.objects.get(access=access, name="a").pk
    manager.entries = [entry("a"), entry("b", description="new"), entry("d")]

    inventory.read_all(access)

    assert names(access) == ["a", "b", "d"]
    assert InventoryEntry.objects.get(access=access, name="b").description == "new"
    assert InventoryEntry.objects.get(access=access, name="a").pk == kept


def versions(access):
    """What PostgreSQL knows a row's last writing by, of every name."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, xmin::text, ctid::text FROM external_secrets_inventoryentry WHERE access_id = %s",
            [access.pk],
        )
        return {name: version for name, *version in cursor.fetchall()}


def test_a_reading_without_changes_writes_no_name(access, manager):
    manager.entries = [entry(f"prod/{number}", tags={"team": "shop"}) for number in range(500)]
    inventory.read_all(access)
    before = versions(access)

    inventory.read_all(access)

    assert versions(access) == before


def test_only_the_name_that_differs_is_written(access, manager):
    manager.entries = [entry(f"prod/{number}") for number in range(500)]
    inventory.read_all(access)
    before = versions(access)
    manager.entries[7] = entry("prod/7", tags={"team": "shop"})

    inventory.read_all(access)

    after = versions(access)
    assert [name for name in after if after[name] != before[name]] == ["prod/7"]


def test_it_takes_as_many_statements_for_many_names_as_for_few(access, manager):
    inventory.read_all(access)
    counted = []
    for count in (10, 900):
        manager.entries = [entry(f"prod/{number:03}") for number in range(count)]
        manager.size = count
        with CaptureQueriesContext(connection) as statements:
            inventory.read_all(access)
        counted.append(len(statements))

    assert counted[0] == counted[1]


def test_the_same_names_of_another_access_are_left_alone(access, cluster, manager):
    other = factories.make_access(cluster=cluster)
    manager.entries = [entry("a")]
    inventory.read_all(other)
    manager.entries = []

    inventory.read_all(access)

    assert names(other) == ["a"]


def test_a_refusal_is_kept_with_its_permission_and_old_names_stay(access, manager):
    manager.entries = [entry("a")]
    inventory.read_all(access)
    manager.error = refused()

    inventory.read_all(access)

    state = InventoryState.objects.get(access=access)
    assert (state.cause, state.permission) == ("refused", "secretsmanager:ListSecrets")
    assert "may not list" in state.error
    assert state.started_at is None
    assert state.read_at is not None
    assert names(access) == ["a"]


def test_a_success_forgets_the_failure(access, manager):
    manager.error = refused()
    inventory.read_all(access)
    manager.error = None

    inventory.read_all(access)

    state = InventoryState.objects.get(access=access)
    assert (state.error, state.remedy, state.cause, state.permission) == ("", "", "", "")


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        (providers.CredentialRefused, "refused"),
        (providers.NotReachable, "unreachable"),
        (providers.Throttled, "throttled"),
        (providers.NotThere, "failed"),
    ],
)
def test_each_failure_has_its_cause(access, manager, kind, cause):
    manager.error = kind("It says no.", "Do this.")

    inventory.read_all(access)

    state = InventoryState.objects.get(access=access)
    assert (state.cause, state.error, state.remedy) == (cause, "It says no.", "Do this.")


def test_a_mistake_of_ours_does_not_block_the_next_reader(access, manager):
    manager.error = RuntimeError("secret-looking text")

    with pytest.raises(RuntimeError):
        inventory.read_all(access)

    state = InventoryState.objects.get(access=access)
    assert state.started_at is None
    assert "secret-looking" not in state.error


def test_one_reader_at_a_time(access, manager):
    InventoryState.objects.create(access=access, started_at=timezone.now())

    assert inventory.read_all(access) is False

    assert manager.calls == []


def test_a_dead_reader_is_replaced(access, manager):
    manager.entries = [entry("a")]
    InventoryState.objects.create(access=access, started_at=timezone.now() - datetime.timedelta(minutes=3))

    assert inventory.read_all(access) is True

    assert names(access) == ["a"]


def test_a_reader_that_was_replaced_writes_nothing(access, monkeypatch):
    manager = FakeManager("a", "b", size=1).use(monkeypatch)
    whole = manager.page

    def page(prefix="", cursor=""):
        InventoryState.objects.filter(access=access).update(started_at=timezone.now())
        return whole(prefix, cursor)

    manager.page = page

    assert inventory.read_all(access) is False

    assert names(access) == []


def test_a_name_that_no_index_could_hold_is_skipped(access, manager):
    manager.entries = [entry("é" * 1500, reference="x"), entry("a")]

    inventory.read_all(access)

    assert names(access) == ["a"]


def test_the_task_takes_an_id_and_unknown_keywords(access, manager):
    manager.entries = [entry("a")]

    tasks.read_inventory(access_id=str(access.pk), from_a_newer_version=True)

    assert names(access) == ["a"]


def test_the_task_does_nothing_for_an_access_that_is_gone(manager):
    tasks.read_inventory(access_id="00000000-0000-4000-8000-000000000000")

    assert manager.calls == []


def test_a_saved_access_is_read(access, asked):
    signals.access_saved.send(sender=type(access), access=access)

    assert asked == [str(access.pk)]
    assert inventory.is_pending(InventoryState.objects.get(access=access))


def test_without_a_broker_the_state_says_so(access, monkeypatch):
    def away(**_):
        raise OperationalError("connection refused")

    monkeypatch.setattr(tasks.read_inventory, "delay", away)

    services.read_names(access)

    state = InventoryState.objects.get(access=access)
    assert "broker" in state.error
    assert not inventory.is_pending(state)
