"""The worker tells of accesses: failing and working again, and credentials that end."""

import datetime

import pytest
from django.utils import timezone

from accesses import telling
from accounts.models import AuditEvent, Noted
from tests import factories

pytestmark = pytest.mark.django_db


def events():
    return list(AuditEvent.objects.order_by("sequence"))


def later():
    Noted.objects.update(since=timezone.now() - datetime.timedelta(minutes=5))
    Noted.objects.exclude(well_since=None).update(well_since=timezone.now() - datetime.timedelta(minutes=5))


def test_an_access_that_fails_and_recovers_is_told_once_each():
    access = factories.make_access(name="aws")
    organization = access.cluster.organization
    for well in (False, False, False, True, True, True):
        telling.turned(organization, [(access, well, "" if well else "The role may not be assumed.")])
        later()

    told = [(event.action, event.actor_name, event.target_name, event.cluster) for event in events()]
    cluster = access.cluster.name
    assert told == [
        ("access.failing", "Keyhaven", "aws", cluster),
        ("access.recovered", "Keyhaven", "aws", cluster),
    ]
    assert events()[0].details == {"cause": "The role may not be assumed."}


def test_the_operators_own_words_are_not_told():
    """They may quote what nobody should be mailed."""
    access = factories.make_access()
    for _ in range(2):
        telling.turned(access.cluster.organization, [(access, False, "The operator says: hunter2")])
        later()

    assert events()[0].details == {"cause": "The operator refuses it; its page says why."}


def test_a_credential_that_ends_is_told_once_for_each_mark():
    end = timezone.now() + datetime.timedelta(days=6, hours=1)
    access = factories.make_access(expires_at=end)

    told = [telling.tell_of_ends(), telling.tell_of_ends()]
    access.expires_at = timezone.now() - datetime.timedelta(hours=1)
    access.save()
    told += [telling.tell_of_ends(), telling.tell_of_ends()]

    assert told == [1, 0, 1, 0]
    assert [(event.action, event.details.get("days")) for event in events()] == [
        ("access.expiring", 7),
        ("access.expired", None),
    ]
