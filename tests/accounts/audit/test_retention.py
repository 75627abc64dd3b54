"""Events leave after their time with a mark that the chain tells of; whoever takes them away otherwise is found."""

import datetime

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from accounts.audit import digests, retention, services
from accounts.models import AuditDigest, AuditEvent, AuditMark, Organization

pytestmark = pytest.mark.django_db


@pytest.fixture
def old(organization, record, clock):
    """Ten events of a hundred days ago, five of forty days ago and two of today."""
    for days, number in ((-100, 10), (-40, 5), (0, 2)):
        clock(days=days)
        record(number)
    return organization


def keep(organization, days):
    Organization.objects.filter(pk=organization.pk).update(audit_days=days)


def test_what_is_past_its_time_leaves_with_a_mark_and_an_event(old):
    keep(old, 90)

    assert retention.prune(old) == 10

    mark, told = AuditMark.objects.get(), AuditEvent.objects.get(action="audit.pruned")
    assert (mark.through_sequence, mark.events, mark.days) == (10, 10, 90)
    assert told.details | {"newest": ""} == {
        "through": 10, "hash": mark.hash, "events": 10, "days": 90, "newest": "",
    }  # fmt: skip
    assert [event.sequence for event in AuditEvent.objects.order_by("sequence")] == [*range(11, 18), 18]
    assert services.verify(old) == services.Chain(8, None)


def test_it_leaves_in_batches_and_again_later(old):
    keep(old, 90)
    assert [retention.prune(old, at_once=4) for _ in range(4)] == [4, 4, 2, 0]
    keep(old, 35)
    assert retention.prune(old) == 5

    assert sum(AuditMark.objects.values_list("events", flat=True)) == 15
    assert services.verify(old) == services.Chain(6, None)


def test_for_ever_is_for_ever(old):
    assert retention.prune(old) == 0
    assert retention.sweep() == 0


def test_nothing_younger_than_a_month_leaves_whatever_the_row_says(old):
    keep(old, 1)

    assert retention.prune(old) == 15
    assert AuditEvent.objects.filter(at__gt=timezone.now() - datetime.timedelta(days=30)).count() == 3


def test_without_a_mark_events_are_refused_to_leave(old):
    keep(old, 90)

    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        AuditEvent.objects.filter(sequence__lte=10)._raw_delete("default")


def test_who_prunes_without_a_mark_is_found(old, tamper):
    tamper("DELETE FROM accounts_auditevent WHERE sequence <= 10")

    found = services.verify(old)

    assert (found.broken_at, found.problem) == (1, "Events 1 to 10 were removed.")


def test_who_makes_a_mark_by_hand_is_found(old, tamper):
    tamper(
        "INSERT INTO accounts_auditmark (organization_id, through_sequence, hash, events, newest_at, days, at)"
        " SELECT organization_id, sequence, hash, 12, at, 30, now() FROM accounts_auditevent WHERE sequence = 12",
        "DELETE FROM accounts_auditevent WHERE sequence <= 12",
    )

    found = services.verify(old)

    assert found.broken_at == 13
    assert "no event tells of it" in found.problem


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE accounts_auditmark SET through_sequence = 11",
        "UPDATE accounts_auditmark SET hash = repeat('a', 64)",
        "UPDATE accounts_auditmark SET events = 9",
        "DELETE FROM accounts_auditmark",
    ],
)
def test_an_edited_mark_is_found(old, tamper, sql):
    keep(old, 90)
    retention.prune(old)
    tamper(sql)

    assert not services.verify(old).ok


def test_digests_vouch_for_what_was_pruned(old, tamper):
    assert digests.make(old) == 2
    keep(old, 90)
    retention.prune(old)
    known = digests.check(old, digests.kept(old), digests.public_keys()).known

    assert services.verify(old, known=known).ok
    tamper("UPDATE accounts_auditmark SET hash = repeat('a', 64)")
    assert not services.verify(old, known=known).ok


def test_the_time_is_set_with_an_event(organization, owner):
    retention.set_days(organization=organization, days=365, by=owner)
    retention.set_days(organization=organization, days=365, by=owner)

    event = AuditEvent.objects.get()
    assert (event.action, event.details) == ("audit.retention_changed", {"changes": {"days": [None, 365]}})
    organization.refresh_from_db()
    assert organization.audit_days == 365


@pytest.mark.parametrize("days", [0, 1, 29, 36_501])
def test_a_time_that_is_too_short_is_refused(organization, owner, days):
    with pytest.raises(ValidationError, match="at least 30 days"):
        retention.set_days(organization=organization, days=days, by=owner)


def test_digests_are_made_of_days_that_have_ended(old, clock, record):
    assert digests.make(old) == 2
    assert digests.make(old) == 0

    first, second = AuditDigest.objects.order_by("day")
    assert (first.through_sequence, first.events, second.through_sequence, second.events) == (10, 10, 15, 5)
    assert second.previous_signature == first.signature
    clock(days=1)
    assert digests.make(old) == 1


def test_a_new_key_leaves_the_old_digests_valid(old, settings, clock):
    digests.make(old)
    settings.AUDIT_SIGNING_KEY = "another key that is long enough to be one"
    clock(days=1)
    digests.make(old)

    checked = digests.check(old, digests.kept(old), digests.public_keys())

    assert checked.problems == []
    assert sorted(checked.keys.values()) == [1, 2]
    assert not connection.needs_rollback
