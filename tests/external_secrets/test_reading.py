"""A whole reading: its progress, its limits, and what stays when it breaks off."""

import os
import signal
import subprocess
import sys
import time

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from accesses import providers
from external_secrets import inventory, services
from external_secrets.models import InventoryEntry, InventoryState
from tests import factories
from tests.external_secrets.manager import FakeManager, entry
from tests.fast_aws import FastAws, name_of
from tests.survival.conftest import database_url

pytestmark = pytest.mark.django_db


@pytest.fixture
def aws(monkeypatch):
    with FastAws(500) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.url)
        yield running


def names(access):
    return list(InventoryEntry.objects.filter(access=access).order_by("name").values_list("name", flat=True))


def state_of(access):
    return InventoryState.objects.get(access=access)


class Watched(FakeManager):
    """Notes with each page what others see of the reading."""

    def page(self, prefix="", cursor=""):
        state = InventoryState.objects.filter(access=self.access).first()
        self.progress.append((state.seen, InventoryEntry.objects.filter(access=self.access).count()))
        return super().page(prefix, cursor)


def test_others_see_how_far_it_is_and_no_name_before_the_end(access, monkeypatch):
    monkeypatch.setattr(inventory, "SAID", 0)
    manager = Watched(*(f"prod/{number:04}" for number in range(3500)), size=1000).use(monkeypatch)
    manager.access, manager.progress = access, []

    inventory.read_all(access)

    assert manager.progress == [(0, 0), (1000, 0), (2000, 0), (3000, 0)]
    assert state_of(access).seen == state_of(access).entries == 3500


def test_how_far_it_is_is_not_written_with_every_page(access, manager):
    manager.entries, manager.size = [entry(f"prod/{number}") for number in range(400)], 4

    with connection.execute_wrapper(lambda execute, sql, *rest: (said.append(sql), execute(sql, *rest))[1]):
        said: list[str] = []
        inventory.read_all(access)

    assert len([sql for sql in said if sql.startswith("UPDATE") and "seen" in sql]) < 10


def test_a_name_that_comes_twice_is_kept_once_as_it_was_last(access, manager):
    manager.entries = [entry("a", description="before"), entry("b"), entry("a", description="after")]

    inventory.read_all(access)

    assert names(access) == ["a", "b"]
    assert InventoryEntry.objects.get(access=access, name="a").description == "after"
    assert state_of(access).entries == 2


def test_odd_names_and_facts_are_kept_as_they_are(access, manager):
    odd = ["../x", "a\nb", "tab\there", "back\\slash", "\\N", "quote'\"", "🔑", "x" * 512, "9 lives"]
    manager.entries = [
        entry(name, description="\\N\t\x00", tags={"a\\b": "c\x00\td", "🔑": ""}) for name in odd
    ]

    inventory.read_all(access)
    inventory.read_all(access)

    assert names(access) == sorted(odd)
    kept = InventoryEntry.objects.get(access=access, name="\\N")
    assert (kept.description, kept.tags) == ("\\N\t", {"a\\b": "c\td", "🔑": ""})


def test_throttled_for_good_in_the_middle_the_old_names_stay(access, aws):
    inventory.read_all(access)
    before = names(access)
    aws.names.put("prod/new")
    aws.calls.clear()
    aws.throttled_from = 4

    inventory.read_all(access)

    assert names(access) == before
    assert state_of(access).cause == "throttled"
    assert state_of(access).started_at is None


def test_it_is_read_to_the_end_while_a_third_of_the_calls_are_throttled(access, aws, monkeypatch):
    monkeypatch.setattr(inventory, "PATIENCE", 30)
    aws.throttled = 0.3

    inventory.read_all(access)

    assert names(access) == sorted(name_of(number) for number in range(500))


class Dying(FakeManager):
    def page(self, prefix="", cursor=""):
        if cursor:
            raise SystemExit
        return super().page(prefix, cursor)


def test_a_worker_that_is_told_to_go_leaves_the_old_names(access, fill, monkeypatch):
    fill("prod/old")
    Dying("a", "b", size=1).use(monkeypatch)

    with pytest.raises(SystemExit):
        inventory.read_all(access)

    assert names(access) == ["prod/old"]


@pytest.mark.survival
@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_killed_leaves_the_old_names_and_another_one_reads_them_all(access, aws, project):
    inventory.read_all(access)
    before = names(access)
    aws.names.put("prod/new")
    aws.latency = 0.3
    environment = os.environ | {
        "DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONPATH": f"{project}:{project / 'secrets'}",
    }  # fmt: skip
    code = (
        "import django; django.setup()\n"
        "from external_secrets import tasks\n"
        f"tasks.read_inventory(access_id='{access.pk}')"
    )
    worker = subprocess.Popen([sys.executable, "-c", code], env=environment)
    ends = time.monotonic() + 30
    while not (found := state_of(access)).started_at or not found.seen:
        assert time.monotonic() < ends
        assert worker.poll() is None
        time.sleep(0.02)

    worker.send_signal(signal.SIGKILL)
    worker.wait()

    assert names(access) == before
    assert inventory.read_all(access) is False, "it may still be alive"
    aws.latency = 0
    InventoryState.objects.update(started_at=timezone.now() - inventory.STALE)
    assert inventory.read_all(access)
    assert names(access) == sorted([*before, "prod/new"])


def test_more_than_the_most_is_cut_off_and_said(access, aws, settings):
    settings.INVENTORY_MAX = 150

    inventory.read_all(access)

    state = state_of(access)
    assert (state.truncated, state.entries, len(names(access))) == (True, 150, 150)
    assert aws.asked == 2, "what is not kept is not asked for"
    assert inventory.answers(state)
    assert not inventory.answers(state, "prod/")


def test_exactly_the_most_is_all_there_is(access, aws, settings):
    settings.INVENTORY_MAX = 500

    inventory.read_all(access)

    assert not state_of(access).truncated
    assert inventory.answers(state_of(access), "prod/")


def test_a_cut_off_list_says_so_and_a_prefix_is_asked_live(access, aws, settings, sign_in, devops):
    settings.INVENTORY_MAX = 150
    inventory.read_all(access)
    browser = sign_in(devops)
    page = reverse("external_secrets:browse", kwargs={"org": access.cluster.organization.slug})

    whole = browser.get(page, {"access": access.pk}).content.decode()
    aws.prefixes.clear()
    below = browser.get(page, {"access": access.pk, "q": "prod/team-399/"}).content.decode()

    assert "more than the console keeps" in whole
    assert aws.prefixes == ["prod/team-399/"]
    assert name_of(399) in below


def test_the_page_says_how_far_it_is(access, fill, sign_in, devops):
    fill("prod/old")
    InventoryState.objects.update(started_at=timezone.now(), seen=1234)

    text = sign_in(devops).get(
        reverse("external_secrets:browse", kwargs={"org": access.cluster.organization.slug}),
        {"access": access.pk},
    )

    assert "1234 so far" in text.content.decode()


def test_off_nothing_is_kept_and_nothing_asked_for(access, manager, settings, asked):
    settings.INVENTORY = False
    manager.entries = [entry("a")]

    services.read_names(access)

    assert inventory.read_all(access) is False
    assert (asked, manager.calls, names(access)) == ([], [], [])


def test_off_each_search_asks_the_manager(access, aws, fill, settings, sign_in, devops):
    fill("prod/old")
    settings.INVENTORY = False

    text = (
        sign_in(devops)
        .get(
            reverse("external_secrets:browse", kwargs={"org": access.cluster.organization.slug}),
            {"access": access.pk, "q": "prod/team-399/"},
        )
        .content.decode()
    )

    assert name_of(399) in text
    assert "prod/old" not in text


def test_it_asks_for_so_many_pages_a_second_at_most(access, manager, settings):
    settings.INVENTORY_PAGES_PER_SECOND = 20
    manager.entries, manager.size = [entry(f"prod/{number}") for number in range(5)], 1
    began = time.monotonic()

    inventory.read_all(access)

    assert 0.2 <= time.monotonic() - began < 2


def test_a_value_is_nowhere(access, aws):
    inventory.read_all(access)

    assert set(aws.calls) == {"secretsmanager.ListSecrets"}
    fields = {field.name for field in InventoryEntry._meta.get_fields()}
    assert fields == {
        "id", "access", "organization", "name", "reference", "description", "kind", "tags", "changed_at",
        "deletes_at",
    }  # fmt: skip


def test_the_same_connection_reads_one_access_after_the_other(cluster, monkeypatch):
    first, second = factories.make_access(cluster=cluster), factories.make_access(cluster=cluster)
    FakeManager("a", "b").use(monkeypatch)
    inventory.read_all(first)
    FakeManager("c").use(monkeypatch)

    inventory.read_all(second)

    assert (names(first), names(second)) == (["a", "b"], ["c"])


def test_a_mistake_in_the_middle_leaves_no_trace_on_the_connection(access, manager):
    manager.error = RuntimeError("odd")
    with pytest.raises(RuntimeError):
        inventory.read_all(access)
    manager.error, manager.entries = None, [entry("a")]

    assert inventory.read_all(access)

    assert names(access) == ["a"]
    assert isinstance(manager, FakeManager)
    assert not isinstance(manager, providers.TellsChanges)


def test_an_organization_takes_its_names_with_it(access, fill, organization):
    fill("prod/a")

    organization.delete()

    assert not InventoryEntry.objects.exists()
