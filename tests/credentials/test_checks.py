"""The worker tries stored credentials: a few at a time, each in its time, and tells once of what turns and what ends."""

import datetime
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from accounts.models import AuditEvent, Noted
from accounts.outgoing import topics
from credentials import checks
from credentials.models import CloudCredential
from tests import factories

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)


@pytest.fixture(autouse=True)
def empty_cache():
    cache.clear()


@pytest.fixture
def sent(monkeypatch) -> list[str]:
    """What would go to the broker."""
    found: list[str] = []
    monkeypatch.setattr(checks.tasks.check, "delay", lambda *, credential_id: found.append(credential_id))
    return found


def told() -> list[tuple[str, str]]:
    rows = AuditEvent.objects.filter(action__startswith="credential.").order_by("sequence")
    return [(event.action, event.actor_name) for event in rows if event.action != "credential.created"]


def later() -> None:
    Noted.objects.update(since=timezone.now() - HOUR)


def make(organization: Any, **fields: Any) -> str:
    return str(factories.make_cloud_credential(organization=organization, **fields).pk)


class TestSweep:
    def test_what_was_not_tried_for_long_is_sent_once(self, organization, sent):
        now = timezone.now()
        old = make(organization, checked_at=now - 2 * HOUR)
        never = make(organization, checked_at=None)
        make(organization, checked_at=now)

        first, second = checks.sweep(), checks.sweep()

        assert (first, second) == (2, 0)
        assert sorted(sent) == sorted([old, never])

    def test_what_fails_is_tried_sooner(self, organization, sent):
        then = timezone.now() - datetime.timedelta(minutes=15)
        failing = make(organization, checked_at=then, check_error="No.")
        make(organization, checked_at=then)

        checks.sweep()

        assert sent == [failing]

    def test_after_a_long_rest_they_come_a_few_at_a_time(self, organization, sent):
        for number in range(10):
            make(organization, checked_at=timezone.now() - DAY - number * HOUR)

        numbers = [checks.sweep() for _ in range(4)]

        assert numbers == [4, 4, 2, 0]
        assert len(set(sent)) == 10

    def test_each_has_its_own_delay(self, organization, settings, sent):
        """Those that were made together are not tried together for ever."""
        at = timezone.now() - HOUR - datetime.timedelta(minutes=3)
        for _ in range(20):
            make(organization, checked_at=at)

        while checks.sweep():
            pass

        assert 0 < len(sent) < 20

    def test_a_broker_that_is_away_stops_nothing(self, organization, monkeypatch, caplog):
        def away(**_: Any) -> None:
            raise checks.BrokerAway("no")

        make(organization)
        monkeypatch.setattr(checks.tasks.check, "delay", away)

        assert checks.sweep() == 1
        assert "The broker is away" in caplog.text


class TestTake:
    def test_refused_keys_are_told_once_and_so_is_that_they_work_again(self, credential, keys):
        good = keys()
        credential.secret = good | {"secret_access_key": "z" * 40}
        credential.save()
        for _ in range(3):
            checks.take(str(credential.pk))
        credential.secret = good
        credential.save()
        for _ in range(2):
            checks.take(str(credential.pk))

        assert told() == [("credential.failing", "Keyhaven"), ("credential.works_again", "Keyhaven")]
        failing = AuditEvent.objects.get(action="credential.failing")
        assert failing.details == {"cause": "AWS does not accept these keys."}
        assert failing.target_name == "aws-prod"
        assert CloudCredential.objects.get().check_error == ""

    def test_a_cloud_that_does_not_answer_is_told_at_the_second_look(self, credential, monkeypatch):
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        checks.take(str(credential.pk))
        first = told()
        later()
        checks.take(str(credential.pk))

        assert first == []
        assert told() == [("credential.failing", "Keyhaven")]
        assert "AWS does not answer" in CloudCredential.objects.get().check_error

    def test_one_that_works_is_not_told_of(self, credential):
        checks.take(str(credential.pk))

        assert told() == []
        assert CloudCredential.objects.get().checked_at is not None

    def test_what_was_found_of_the_old_keys_is_not_told_of_the_new(self, credential, monkeypatch):
        real = checks.services.check

        def replaced_meanwhile(one: CloudCredential) -> Any:
            wrong = real(one)
            CloudCredential.objects.update(version=2)
            return wrong

        credential.secret = credential.secret | {"secret_access_key": "z" * 40}
        credential.save()
        monkeypatch.setattr(checks.services, "check", replaced_meanwhile)

        checks.take(str(credential.pk))

        assert told() == []

    def test_one_that_is_gone_is_no_error(self, credential):
        gone = str(credential.pk)
        credential.delete()

        checks.take(gone)

        assert told() == []


class TestEnds:
    @pytest.mark.parametrize(
        ("left", "action", "days"),
        [
            (29 * DAY, "credential.expiring", 29),
            (13 * DAY, "credential.expiring", 13),
            (20 * HOUR, "credential.expiring", 1),
            (-HOUR, "credential.expired", None),
        ],
    )
    def test_an_end_is_told_with_the_days_that_are_left(self, organization, left, action, days):
        one = factories.make_cloud_credential(organization=organization, expires_at=timezone.now() + left)

        checks.tell_of_ends()

        event = AuditEvent.objects.get()
        assert (event.action, event.details.get("days"), event.target_name) == (action, days, one.name)

    def test_an_end_that_is_far_is_not_told(self, organization):
        factories.make_cloud_credential(organization=organization, expires_at=timezone.now() + 31 * DAY)

        assert checks.tell_of_ends() == 0

    def test_the_same_mark_is_not_told_twice(self, organization):
        factories.make_cloud_credential(organization=organization, expires_at=timezone.now() + 6 * DAY + HOUR)

        assert [checks.tell_of_ends(), checks.tell_of_ends()] == [1, 0]
        assert AuditEvent.objects.get().details["days"] == 7

    def test_the_sweep_tells_of_ends(self, organization, sent):
        factories.make_cloud_credential(organization=organization, expires_at=timezone.now() - HOUR)

        checks.sweep()

        assert told() == [("credential.expired", "Keyhaven")]


def test_every_code_can_be_a_notification():
    assert {
        "credential.failing", "credential.works_again", "credential.expiring", "credential.expired",
    } <= topics.TOLD  # fmt: skip
