"""Which inventories are read when: what is looked at often, what is linked now and then, the rest never."""

import datetime

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone
from kombu.exceptions import OperationalError

from external_secrets import inventory, inventory_schedule, tasks
from external_secrets.models import InventoryEntry, InventoryState
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def quiet():
    """No worker of another test has just swept."""
    yield
    cache.delete("inventory-sweep")


@pytest.fixture
def changes(monkeypatch):
    """The ids of the accesses of which a worker was asked what changed."""
    ids: list[str] = []
    monkeypatch.setattr(tasks.refresh_inventory, "delay", lambda access_id: ids.append(access_id))
    return ids


def ago(**words):
    return timezone.now() - datetime.timedelta(**words)


def known(access, **values):
    values = {"read_at": ago(minutes=5), "refreshed_at": ago(minutes=5), "tried_at": ago(minutes=5)} | values
    InventoryState.objects.update_or_create(access=access, defaults=values)


def sweep():
    cache.delete("inventory-sweep")
    return inventory_schedule.sweep()


def test_what_somebody_looks_at_is_asked_what_changed(access, organization, changes, asked):
    known(access)
    inventory_schedule.looked_at(organization)

    assert sweep() == 1

    assert (changes, asked) == ([str(access.pk)], [])


def test_a_page_of_names_is_a_look(access, organization, changes, sign_in, devops):
    known(access)

    sign_in(devops).get(reverse("external_secrets:browse", kwargs={"org": organization.slug}))
    sweep()

    assert changes == [str(access.pk)]


def test_where_nobody_looks_and_nothing_is_linked_nothing_is_read(access, changes, asked):
    known(access, read_at=ago(days=30), refreshed_at=ago(days=30))

    assert sweep() == 0

    assert (changes, asked) == ([], [])


def test_a_look_of_another_organization_is_none(access, outsider, changes):
    known(access)
    inventory_schedule.looked_at(outsider.memberships.get().organization)

    sweep()

    assert changes == []


def test_what_is_fresh_is_left_alone(access, organization, changes, asked, settings):
    settings.INVENTORY_REFRESH = 60
    known(access, refreshed_at=ago(seconds=30))
    inventory_schedule.looked_at(organization)

    sweep()

    assert (changes, asked) == ([], [])


def test_what_is_expired_is_read_whole(access, organization, changes, asked, settings):
    settings.INVENTORY_EXPIRE = 600
    known(access, read_at=ago(minutes=11))
    inventory_schedule.looked_at(organization)

    sweep()

    assert (changes, asked) == ([], [str(access.pk)])


def test_an_access_that_was_never_read_is_read_when_somebody_looks(access, organization, asked):
    inventory_schedule.looked_at(organization)

    sweep()

    assert asked == [str(access.pk)]


def test_what_is_linked_is_read_once_a_day_whoever_looks(access, service, asked):
    factories.make_link(service=service, access=access)
    known(access, read_at=ago(hours=23))

    sweep()
    before = list(asked)
    known(access, read_at=ago(hours=25))
    sweep()

    assert (before, asked) == ([], [str(access.pk)])


def test_a_manager_that_cannot_tell_is_only_read_whole(access, organization, changes, asked, settings):
    access.provider = "aws-parameter-store"
    access.save()
    known(access)
    inventory_schedule.looked_at(organization)

    sweep()
    known(access, read_at=ago(seconds=settings.INVENTORY_EXPIRE + 1))
    sweep()

    assert (changes, asked) == ([], [str(access.pk)])


def test_after_a_failure_it_is_not_tried_at_once(access, organization, changes, asked):
    known(access, read_at=None, error="It says no.", tried_at=ago(minutes=2))
    inventory_schedule.looked_at(organization)

    sweep()
    before = list(asked)
    known(access, read_at=None, error="It says no.", tried_at=ago(minutes=11))
    sweep()

    assert (changes, before, asked) == ([], [], [str(access.pk)])


def test_what_throttles_is_asked_again_when_it_is_due(access, organization, changes, settings):
    settings.INVENTORY_REFRESH = 60
    known(access, tried_at=ago(seconds=20))
    inventory_schedule.looked_at(organization)

    sweep()

    assert changes == []


def test_what_is_being_read_is_left_alone_until_its_reader_is_dead(access, organization, asked, changes):
    known(access, read_at=None, started_at=ago(seconds=30))
    inventory_schedule.looked_at(organization)

    sweep()
    before = list(asked)
    known(access, read_at=None, started_at=ago(minutes=3))
    sweep()

    assert (before, asked, changes) == ([], [str(access.pk)], [])


def test_a_wish_that_got_lost_is_sent_again(access, asked):
    known(access, asked_at=ago(minutes=3))

    sweep()

    assert asked == [str(access.pk)]


def test_few_are_read_at_a_time_the_oldest_first(cluster, organization, asked):
    accesses = [factories.make_access(cluster=cluster) for _ in range(5)]
    for number, access in enumerate(accesses):
        known(access, read_at=ago(days=number + 1))
    inventory_schedule.looked_at(organization)

    sweep()

    assert asked == [str(access.pk) for access in accesses[:-3:-1]]
    assert len(asked) == inventory_schedule.READERS


def test_readers_at_work_count(cluster, organization, asked):
    for _ in range(inventory_schedule.READERS):
        known(factories.make_access(cluster=cluster), started_at=timezone.now())
    known(factories.make_access(cluster=cluster), read_at=ago(days=1))
    inventory_schedule.looked_at(organization)

    sweep()

    assert asked == []


def test_a_message_on_its_way_is_not_sent_again(access, organization, changes):
    known(access)
    inventory_schedule.looked_at(organization)

    sweep()
    sweep()

    assert changes == [str(access.pk)]


def test_after_a_whole_reading_changes_are_asked_for_when_they_are_due(access, organization, changes, asked):
    inventory_schedule.looked_at(organization)
    sweep()
    known(access)

    sweep()

    assert (asked, changes) == ([str(access.pk)], [str(access.pk)])


def test_one_worker_sweeps(access, organization, changes):
    known(access)
    inventory_schedule.looked_at(organization)
    cache.set("inventory-sweep", 1)

    assert inventory_schedule.sweep() == 0
    assert changes == []


def test_with_the_broker_away_it_waits(access, organization, monkeypatch):
    def away(**_):
        raise OperationalError("connection refused")

    monkeypatch.setattr(tasks.refresh_inventory, "delay", away)
    known(access)
    inventory_schedule.looked_at(organization)

    assert sweep() == 0

    assert InventoryState.objects.get(access=access).error == ""


def test_switched_off_what_was_kept_is_forgotten(access, fill, organization, settings, changes, asked):
    fill("prod/a", "prod/b")
    inventory_schedule.looked_at(organization)
    settings.INVENTORY = False

    assert sweep() == 0

    state = InventoryState.objects.get(access=access)
    assert not InventoryEntry.objects.exists()
    assert (state.read_at, state.entries, changes, asked) == (None, 0, [], [])
    assert not inventory.answers(state)


def test_a_sweep_costs_as_much_for_many_accesses_as_for_few(
    cluster, organization, django_assert_max_num_queries
):
    for _ in range(30):
        known(factories.make_access(cluster=cluster), refreshed_at=timezone.now())
    inventory_schedule.looked_at(organization)

    with django_assert_max_num_queries(6):
        sweep()
