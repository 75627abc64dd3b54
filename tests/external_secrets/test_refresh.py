"""What changed upstream, by the manager's own list of changes: AWS' wire format, asked by the product's own client."""

import datetime
import time

import pytest
from django.utils import timezone

from accesses import providers
from external_secrets import inventory, tasks
from external_secrets.models import InventoryEntry, InventoryState
from tests import factories
from tests.external_secrets.manager import FakeManager, entry
from tests.fast_aws import FastAws, name_of

pytestmark = pytest.mark.django_db

LIST = "secretsmanager.ListSecrets"


@pytest.fixture
def aws(monkeypatch):
    with FastAws(250) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.url)
        yield running


@pytest.fixture
def read(access, aws):
    """The access, read whole a moment ago."""
    assert inventory.read_all(access)
    aws.calls.clear()
    return access


def state_of(access):
    return InventoryState.objects.get(access=access)


def row(access, name):
    return InventoryEntry.objects.get(access=access, name=name)


def count(access):
    return InventoryEntry.objects.filter(access=access).count()


def test_the_whole_list_is_read_a_hundred_names_a_call(access, aws):
    inventory.read_all(access)

    state = state_of(access)
    assert aws.calls == {LIST: 3}
    assert count(access) == state.entries == state.seen == 250
    assert row(access, name_of(7)).kind == "secret"
    assert row(access, name_of(7)).tags == {"team": "team-007"}
    assert row(access, name_of(7)).organization == access.cluster.organization


def test_when_nothing_changed_it_is_one_call_and_nothing_is_written(read, aws, django_assert_max_num_queries):
    before = state_of(read).refreshed_at

    with django_assert_max_num_queries(8) as statements:
        assert inventory.refresh(read)

    assert aws.calls == {LIST: 1}
    assert not any("inventoryentry" in query["sql"] for query in statements)
    assert state_of(read).refreshed_at > before


def test_new_and_changed_names_are_brought_in(read, aws):
    aws.names.put("prod/new")
    aws.names.put(name_of(7), Tags=[{"Key": "team", "Value": "other"}], Description="New words")

    assert inventory.refresh(read)

    assert aws.calls == {LIST: 1}
    assert row(read, "prod/new").reference.endswith("secret:prod/new-AbCdEf")
    changed = row(read, name_of(7))
    assert (changed.tags, changed.description) == ({"team": "other"}, "New words")
    assert state_of(read).entries == count(read) == 251


def test_what_is_scheduled_for_deletion_says_so_and_stays(read, aws):
    when = timezone.now() + datetime.timedelta(days=7)
    aws.names.put(name_of(3), DeletedDate=when.timestamp())

    inventory.refresh(read)

    assert abs(row(read, name_of(3)).deletes_at - when) < datetime.timedelta(seconds=1)
    assert count(read) == 250


def test_what_is_restored_is_no_longer_scheduled(read, aws):
    aws.names.put(name_of(3), DeletedDate=time.time() + 86_400)
    inventory.refresh(read)
    aws.names.put(name_of(3), DeletedDate=None)

    inventory.refresh(read)

    assert row(read, name_of(3)).deletes_at is None


def test_the_whole_list_knows_what_is_scheduled_too(access, aws):
    aws.names.put(name_of(3), DeletedDate=time.time() + 86_400)

    inventory.read_all(access)

    assert row(access, name_of(3)).deletes_at is not None


def test_what_is_gone_goes_with_the_whole_list_only(read, aws):
    aws.names.remove(name_of(3))

    inventory.refresh(read)
    after_changes = count(read)
    inventory.read_all(read)

    assert (after_changes, count(read)) == (250, 249)
    assert not InventoryEntry.objects.filter(access=read, name=name_of(3)).exists()


def test_a_change_that_aws_lists_late_is_found_by_the_next_look(read, aws):
    late = time.time() - 300
    inventory.refresh(read)
    aws.names.put("prod/late", LastChangedDate=late, CreatedDate=late)

    inventory.refresh(read)

    assert row(read, "prod/late")


def test_changes_are_paged(read, aws):
    for number in range(230):
        aws.names.put(name_of(number), Description="changed")

    inventory.refresh(read)

    assert aws.calls == {LIST: 3}
    assert InventoryEntry.objects.filter(access=read, description="changed").count() == 230


def test_after_too_many_pages_of_changes_the_whole_list_is_read(read, aws, monkeypatch):
    monkeypatch.setattr(inventory, "MOST_CHANGES", 1)
    for number in range(230):
        aws.names.put(name_of(number), Description="changed")

    inventory.refresh(read)

    assert aws.calls == {LIST: 1 + 3}
    assert InventoryEntry.objects.filter(access=read, description="changed").count() == 230


def test_throttled_it_leaves_everything_as_it_is(read, aws):
    before = state_of(read)
    aws.names.put("prod/new")
    aws.throttled_from = 1

    assert inventory.refresh(read) is False

    after = state_of(read)
    assert (after.refreshed_at, after.error) == (before.refreshed_at, "")
    assert after.tried_at > before.tried_at
    assert count(read) == 250


def test_refused_the_whole_reading_says_why(read):
    read.credential = read.credential | {"secret_access_key": "x" * 40}
    read.save()

    inventory.refresh(read)

    assert state_of(read).cause == "refused"
    assert count(read) == 250


def test_a_whole_reading_at_work_is_left_alone(read, aws):
    InventoryState.objects.filter(access=read).update(started_at=timezone.now())

    assert inventory.refresh(read) is False

    assert aws.asked == 0


def test_two_at_once_write_once(read, monkeypatch):
    manager = FakeManager().use(monkeypatch)

    def changes(since, cursor=""):
        # Another worker was faster.
        InventoryState.objects.filter(access=read).update(refreshed_at=timezone.now())
        return providers.Page([entry("prod/new")])

    manager.changes = changes

    assert inventory.refresh(read) is False

    assert count(read) == 250


def test_what_was_never_read_whole_is_not_refreshed(access, aws):
    assert inventory.refresh(access) is False

    assert aws.asked == 0


def test_a_manager_that_cannot_tell_is_not_asked(access, aws):
    access.provider = "aws-parameter-store"
    access.save()
    inventory.read_all(access)
    aws.calls.clear()

    inventory.refresh(access)

    assert aws.asked == 0
    assert count(access) == 250
    assert row(access, name_of(7)).kind == "secure string"


def test_the_task_takes_an_id_and_unknown_keywords(read, aws):
    aws.names.put("prod/new")

    tasks.refresh_inventory(access_id=str(read.pk), from_a_newer_version=True)
    tasks.refresh_inventory(access_id="00000000-0000-4000-8000-000000000000")

    assert row(read, "prod/new")


def test_there_is_no_room_for_more_than_the_most(access, aws, settings):
    settings.INVENTORY_MAX = 251
    inventory.read_all(access)
    aws.names.put("prod/one")
    aws.names.put("prod/two")
    aws.names.put(name_of(7), Description="changed")

    inventory.refresh(access)

    state = state_of(access)
    assert (state.entries, count(access), state.truncated) == (251, 251, True)
    assert row(access, name_of(7)).description == "changed"


def test_it_never_asks_for_a_value(read, aws):
    aws.names.put("prod/new")

    inventory.refresh(read)

    assert set(aws.calls) == {LIST}


def test_another_access_has_its_own(read, aws, cluster):
    other = factories.make_access(cluster=cluster)
    inventory.read_all(other)
    aws.names.put("prod/new")

    inventory.refresh(read)

    assert (count(read), count(other)) == (251, 250)
