"""Any single change to an event, to their order or to their end is found and named; by whoever owns the database."""

import datetime
import io

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.audit import digests, hashing, services, writing
from accounts.models import AuditEvent, Organization
from tests.accounts.audit.conftest import unguarded

pytestmark = pytest.mark.django_db

EVENTS = 9
_LATER = "at + interval '1 microsecond'"
# Column → what it is set to.
EDITS = {
    "id": "id + 100000",
    "organization_id": "(SELECT id FROM accounts_organization WHERE slug = 'other')",
    "sequence": "sequence + 100",
    "at": _LATER,
    "actor_id": "'999'",
    "actor_name": "actor_name || ' '",
    "role": "'Viewer'",
    "token": "'ci'",
    "action": "'organization.renamed'",
    "target_type": "'cluster'",
    "target_id": "target_id || '0'",
    "target_name": "upper(target_name)",
    "cluster": "'prod'",
    "details": "details || '{\"number\": -1}'",
    "origin": "'worker'",
    "address": "'192.0.2.1'",
    "user_agent": "'curl'",
    "request_id": "'1'",
    "scheme": "1",
    "previous_hash": "repeat('a', 64)",
    "hash": "repeat('b', 64)",
}
PLACES = {"first": 1, "middle": 5, "last": EVENTS}


@pytest.fixture
def log(organization, record):
    Organization.objects.create(name="Other", slug="other")
    record(EVENTS)
    return organization


def test_every_column_is_edited_here():
    assert set(EDITS) == {field.column for field in AuditEvent._meta.concrete_fields}


def test_a_log_that_nobody_touched_is_whole(log):
    assert services.verify(log) == services.Chain(EVENTS, None)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("column", EDITS)
def test_an_edited_column_is_found(log, tamper, column, place):
    number = PLACES[place]
    tamper(
        f"UPDATE accounts_auditevent SET {column} = {EDITS[column]} WHERE organization_id = {log.pk} AND sequence = {number}"
    )

    found = services.verify(log)

    assert found.broken_at == number
    assert str(number) in found.problem


@pytest.mark.parametrize(("number", "said"), [(1, "removed"), (5, "removed"), (EVENTS, "The end is cut")])
def test_a_removed_event_is_found(log, tamper, number, said):
    tamper(f"DELETE FROM accounts_auditevent WHERE sequence = {number}")

    found = services.verify(log)

    assert found.broken_at == number
    assert said in found.problem


def test_events_that_changed_places_are_found(log, tamper):
    tamper(
        "UPDATE accounts_auditevent SET sequence = -1 WHERE sequence = 4",
        "UPDATE accounts_auditevent SET sequence = 4 WHERE sequence = 5",
        "UPDATE accounts_auditevent SET sequence = 5 WHERE sequence = -1",
    )

    assert services.verify(log).broken_at == 4


def forged(log, number, previous):
    """Return an event that fits what is before it, hashed as it must be."""
    event = AuditEvent.objects.get(organization=log, sequence=number)
    event.pk, event.target_name, event.previous_hash = event.pk, "somebody else", previous
    event.hash = writing.digest(event)
    return event


def rewrite(cursor, event):
    cursor.execute(
        "UPDATE accounts_auditevent SET target_name = %s, previous_hash = %s, hash = %s WHERE id = %s",
        [event.target_name, event.previous_hash, event.hash, event.pk],
    )


def test_an_edited_event_with_its_hash_made_anew_is_found_at_the_next(log):
    before = AuditEvent.objects.get(sequence=4).hash
    with unguarded() as cursor:
        rewrite(cursor, forged(log, 5, before))

    found = services.verify(log)

    assert found.broken_at == 6
    assert "event 5: one of them was replaced" in found.problem


def test_the_last_event_with_its_hash_made_anew_does_not_fit_the_head(log):
    with unguarded() as cursor:
        rewrite(cursor, forged(log, EVENTS, AuditEvent.objects.get(sequence=EVENTS - 1).hash))

    assert services.verify(log).broken_at == EVENTS


def test_an_event_that_was_put_in_is_found(log, tamper):
    columns = ", ".join(name for name in EDITS if name not in ("id", "sequence"))
    tamper(
        "UPDATE accounts_auditevent SET sequence = -sequence WHERE sequence > 4",
        "UPDATE accounts_auditevent SET sequence = 1 - sequence WHERE sequence < 0",
        f"INSERT INTO accounts_auditevent (sequence, {columns}) SELECT 5, {columns} FROM accounts_auditevent WHERE sequence = 4",
    )

    assert services.verify(log).broken_at == 5


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE accounts_audithead SET sequence = sequence - 1",
        "UPDATE accounts_audithead SET sequence = sequence + 1",
        "UPDATE accounts_audithead SET hash = repeat('c', 64)",
        "DELETE FROM accounts_audithead",
    ],
)
def test_an_edited_head_is_found(log, tamper, sql):
    tamper(sql)

    assert not services.verify(log).ok


def yesterday(log, tamper, days=1):
    """Put the log into the past, chained as it was written then."""
    with unguarded() as cursor:
        previous = hashing.GENESIS
        for event in AuditEvent.objects.filter(organization=log).order_by("sequence"):
            event.at -= datetime.timedelta(days=days)
            event.previous_hash = previous
            previous = event.hash = writing.digest(event)
            cursor.execute(
                "UPDATE accounts_auditevent SET at = %s, previous_hash = %s, hash = %s WHERE id = %s",
                [event.at, event.previous_hash, event.hash, event.pk],
            )
        cursor.execute(
            "UPDATE accounts_audithead SET hash = %s, at = %s WHERE organization_id = %s",
            [previous, event.at, log.pk],
        )


def cut(log, number):
    """Remove the newest events and set the head back: what is left is a whole, shorter chain."""
    with unguarded() as cursor:
        cursor.execute("DELETE FROM accounts_auditevent WHERE sequence > %s", [number])
        last = AuditEvent.objects.get(sequence=number)
        cursor.execute("UPDATE accounts_audithead SET sequence = %s, hash = %s", [number, last.hash])


def remake(log):
    """Edit an event and make all hashes behind it anew, and the head's."""
    with unguarded() as cursor:
        previous = AuditEvent.objects.get(sequence=2).hash
        for event in AuditEvent.objects.filter(organization=log, sequence__gt=2).order_by("sequence"):
            event = forged(log, event.sequence, previous)
            previous = event.hash
            rewrite(cursor, event)
        cursor.execute("UPDATE accounts_audithead SET hash = %s", [previous])


def command(*arguments):
    """Return how `verify_audit_log` ended, and what it said."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("verify_audit_log", *arguments, stdout=out, stderr=err)
    except SystemExit as ended:
        return ended.code, out.getvalue() + err.getvalue()
    return 0, out.getvalue() + err.getvalue()


@pytest.fixture
def signed(log, tamper, tmp_path):
    """The file of digests of a log of yesterday, kept elsewhere."""
    yesterday(log, tamper)
    assert digests.make(log) == 1
    path = tmp_path / "digests.jsonl"
    path.write_text("".join(digests.lines(log)))
    return path


def test_a_whole_log_agrees_with_its_digests(log, signed):
    code, said = command("--digests", str(signed))

    assert code == 0
    assert f"acme: {EVENTS} events follow; 3 digests agree." in said


def test_a_cut_end_is_found_by_a_digest_alone(log, signed):
    cut(log, EVENTS - 1)

    assert services.verify(log).ok
    code, said = command("--digests", str(signed))
    assert code == 1
    assert f"The end is cut: event {EVENTS} was signed. Event {EVENTS} was removed." in said


def test_a_cut_end_is_found_when_the_digests_here_were_removed_too(log, signed, tamper):
    cut(log, EVENTS - 1)
    tamper("DELETE FROM accounts_auditdigest", "DELETE FROM accounts_auditkey")

    assert command()[0] == 0
    assert command("--digests", str(signed))[0] == 1


def test_a_chain_made_anew_is_found_by_a_digest_alone(log, signed):
    remake(log)

    assert services.verify(log).ok
    code, said = command("--digests", str(signed))
    assert code == 1
    assert f"Event {EVENTS} is not the one that was signed: the chain was made anew." in said


def test_the_digests_that_are_kept_here_are_looked_at_as_well(log, signed):
    remake(log)

    assert command()[0] == 1


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE accounts_auditdigest SET hash = repeat('d', 64)", "does not have its signature"),
        ("UPDATE accounts_auditdigest SET through_sequence = 3", "does not have its signature"),
        ("UPDATE accounts_auditdigest SET signature = 'AAAA'", "does not have its signature"),
        (
            "INSERT INTO accounts_auditkey VALUES ('ffff', 'AAAA', now()); UPDATE accounts_auditdigest SET key_id = 'ffff'",
            "does not have its signature",
        ),
    ],
)
def test_an_edited_digest_is_found(log, signed, tamper, sql, said):
    tamper(*sql.split("; "))

    code, words = command()

    assert code == 1
    assert said in words


def test_a_digest_between_others_cannot_be_removed(organization, record, clock, tamper):
    for days in (4, 3, 2, 1):
        clock(days=-days)
        record(2)
    clock()
    assert digests.make(organization) == 4
    tamper("DELETE FROM accounts_auditdigest WHERE through_sequence = 4")

    code, said = command()

    assert code == 1
    assert "one between them was removed" in said


def test_a_log_can_be_checked_from_a_day_on(log, signed, tamper, record):
    record(3)
    tamper("UPDATE accounts_auditevent SET actor_name = 'Nobody' WHERE sequence = 2")

    today = timezone.now().date().isoformat()

    assert command("--since", today, "--organization", "acme")[0] == 0
    assert command("--organization", "acme")[0] == 1


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_changed_anywhere_is_found(log, data):
    """Any column of any row set to anything else, in a savepoint that is rolled back."""
    from django.db import transaction

    number = data.draw(st.integers(1, EVENTS))
    column = data.draw(
        st.sampled_from(["actor_name", "role", "target_name", "address", "user_agent", "request_id"])
    )
    text = data.draw(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=40))
    row = AuditEvent.objects.get(organization=log, sequence=number)
    same = getattr(row, column) == text

    with transaction.atomic():
        with unguarded() as cursor:
            cursor.execute(f"UPDATE accounts_auditevent SET {column} = %s WHERE id = %s", [text, row.pk])
        found = services.verify(log)
        transaction.set_rollback(True)

    assert found.ok is same
    assert found.broken_at in (number, None)
    assert connection.in_atomic_block
