"""Appending: in the transaction of the change or not at all, whatever odd things are told, by many at once."""

import contextlib
import datetime
import decimal
import enum
import json
import threading
import uuid

import psycopg
import pytest
from django.db import DatabaseError, OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.audit import cleaning, origin, services
from accounts.models import AuditEvent, Membership
from accounts.organizations import services as organizations
from accounts.roles import Role
from credentials.models import CloudCredential
from tests import factories


class Weekday(enum.Enum):
    MONDAY = "monday"


class Sly:
    def __str__(self):
        raise RuntimeError("no words")


def events(organization):
    return AuditEvent.objects.owned_by(organization)


@pytest.mark.django_db
def test_an_event_costs_two_queries(organization, admin):
    with origin.of_request(address="192.0.2.1", user_agent="", request_id="1"):
        origin.entered(organization_id=organization.pk, user_id=admin.pk, roles="Admin")
        with CaptureQueriesContext(connection) as caught:
            event = services.record(
                organization=organization, by=admin, action="organization.closed", target=organization
            )

    assert len(caught) == 2
    assert event.role == "Admin"
    event.refresh_from_db()
    assert services.verify(organization) == services.Chain(1, None)


@pytest.mark.django_db
def test_a_clock_that_goes_back_does_not_turn_the_log(organization, record, clock):
    first = record()
    clock(days=-3)
    second = record()

    assert second.at == first.at
    assert services.verify(organization).ok


ODD = {
    "text": "NUL \0, half a pair \ud800, right to left \u202e, red \x1b[31m",
    "long": "x" * 5_000,
    "when": datetime.datetime(2026, 11, 21, 9, 30, tzinfo=datetime.UTC),
    "day": datetime.date(2026, 11, 21),
    "id": uuid.UUID(int=1),
    "price": decimal.Decimal("1.10"),
    "enum": Weekday.MONDAY,
    "set": {"b", "a"},
    "bytes": b"secret",
    "error": ValueError("secret"),
    "sly": Sly(),
    "numbers": [1.0, 1e300, float("nan"), float("inf"), -0.0, 0.1, 2**70, True, None, 1e-7],
    "deep": {"a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}},
    "many": list(range(500)),
    7: "a key that is a number",
    "\ud800": "half a key",
}


@pytest.mark.django_db
def test_odd_details_are_written_as_they_can_be(organization, record):
    record(details=ODD)
    record(details={f"name {number}": "x" * 2_000 for number in range(100)})
    record(details={"rows": [{"text": "é" * 1_000}] * 150})

    first, second, third = events(organization).order_by("sequence")
    assert services.verify(organization) == services.Chain(3, None)
    assert first.details["when"] == "2026-11-21T09:30:00+00:00"
    assert first.details["enum"] == "monday"
    assert first.details["set"] == ["a", "b"]
    assert (first.details["bytes"], first.details["error"], first.details["sly"]) == (
        "bytes",
        "ValueError",
        "Sly",
    )
    assert "secret" not in json.dumps(first.details)
    assert first.details["many"][-1] == "… 300 more"
    assert len(first.details["long"]) == cleaning.TEXT
    assert second.details["cut"] is third.details["cut"] is True
    assert len(json.dumps(second.details)) < 2 * cleaning.LARGEST


@pytest.mark.django_db
def test_odd_names_and_headers_are_cut_to_their_columns(organization, admin):
    admin.name = "N\0" * 200
    organization.name = "\ud83d" + "é" * 400
    with origin.of_request(address="x" * 99, user_agent="\udcff" * 500, request_id="1"):
        services.record(
            organization=organization, by=admin, action="organization.closed", target=organization
        )

    event = events(organization).get()
    assert (len(event.actor_name), len(event.target_name), len(event.user_agent)) == (160, 260, 200)
    assert "\0" not in event.actor_name
    assert services.verify(organization).ok


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.dates()
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.django_db
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(details=st.dictionaries(st.text(st.characters(), max_size=8), JSON, max_size=5))
def test_whatever_is_told_comes_back_as_it_was_hashed(organization, record, details):
    event = record(details=details)

    assert AuditEvent.objects.get(pk=event.pk).details == event.details
    assert services.verify(organization, newest=1).ok


# -- what cannot be written does not happen ------------------------------------------------------------------
def refuse_events(statement):
    """Let the database refuse the next event, as if by a constraint or a disk that is full."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(statement)


CONSTRAINT = "ALTER TABLE accounts_auditevent ADD CONSTRAINT nothing_more CHECK (false) NOT VALID"
FULL = """
CREATE FUNCTION disk_is_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'could not extend file "base/5/16501": No space left on device' USING ERRCODE = '53100';
END $$;
CREATE TRIGGER disk_is_full AFTER INSERT ON accounts_auditevent FOR EACH ROW EXECUTE FUNCTION disk_is_full()
"""


@pytest.mark.django_db
@pytest.mark.parametrize("cause", [CONSTRAINT, FULL])
def test_without_its_event_a_change_does_not_happen(organization, admin, cause):
    newcomer = factories.make_user()
    refuse_events(cause)

    with pytest.raises(OperationalError) as caught, transaction.atomic():
        organizations.add_member(organization=organization, user=newcomer, role=Role.VIEWER, by=admin)

    vendors = (psycopg.errors.DiskFull, psycopg.errors.CheckViolation)
    assert isinstance(caught.value.__cause__, vendors) or isinstance(
        caught.value.__cause__.__cause__, vendors
    )
    assert not Membership.objects.filter(user=newcomer).exists()


@pytest.mark.django_db
def test_who_catches_the_error_cannot_keep_the_change(organization, admin):
    refuse_events(CONSTRAINT)

    with transaction.atomic():
        made = factories.make_user()
        with contextlib.suppress(DatabaseError):
            services.record(
                organization=organization, by=admin, action="organization.closed", target=organization
            )
        assert connection.needs_rollback

    assert not type(made).objects.filter(pk=made.pk).exists()


@pytest.mark.django_db
@pytest.mark.parametrize("cause", [CONSTRAINT, FULL])
def test_a_person_sees_an_error_and_nothing_changed(sign_in, organization, owner, cause):
    credential = factories.make_cloud_credential(organization=organization, name="aws-prod")
    client = sign_in(owner)
    client.raise_request_exception = False
    refuse_events(cause)

    response = client.post(
        reverse("credentials:delete", kwargs={"org": "acme", "credential": credential.name}),
        {"name": "aws-prod"},
    )

    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert b"No space left" not in response.content
    assert CloudCredential.objects.filter(pk=credential.pk).exists()
    assert not events(organization).exists()


# -- many at once ----------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_many_writers_make_one_chain():
    organization = factories.make_organization()
    by = factories.make_member(organization, "owner")

    def write():
        try:
            for _ in range(15):
                services.record(
                    organization=organization, by=by, action="organization.closed", target=organization
                )
        finally:
            connection.close()

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert services.verify(organization) == services.Chain(120, None)
