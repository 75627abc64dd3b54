"""At least once, in order, and the cursor only after the receiver has accepted."""

import datetime
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from django.db import connection, connections
from django.utils import timezone

from accounts.audit import retention
from accounts.audit import services as audit
from accounts.models import AuditEvent, Delivery, Destination
from accounts.outgoing import engine, reading, services
from accounts.outgoing.causes import NotSent
from tests import factories
from tests.accounts.outgoing.receivers import make_parcel

pytestmark = pytest.mark.django_db


def happen(organization, count=1, action="deploy.succeeded", **more):
    more.setdefault("target", organization)
    more.setdefault("by", None)
    return [audit.record(organization=organization, action=action, **more) for _ in range(count)]


def sequences(receiver):
    return [event["sequence"] for event in receiver.events]


def make_hook(organization, receiver, **fields):
    fields.setdefault("actions", [])
    return factories.make_destination(organization=organization, address=receiver.url, **fields)


def run(destination):
    engine.run(str(destination.pk))
    destination.refresh_from_db()


def test_events_arrive_in_order_and_the_cursor_follows(organization, receiver):
    destination = make_hook(organization, receiver)
    happen(organization, 250)

    run(destination)

    assert sequences(receiver) == list(range(1, 251))
    assert [len(body["events"]) for body in receiver.bodies] == [100, 100, 50]
    assert (destination.cursor, destination.lease_until, destination.last_error) == (250, None, "")
    assert destination.deliveries.count() == 3


def test_only_what_was_chosen_is_sent_and_the_rest_is_passed(organization, receiver):
    destination = make_hook(organization, receiver, actions=["deploy.failed", "member.*"])
    happen(organization, 2)
    happen(organization, 1, "deploy.failed")
    happen(organization, 1, "member.added")
    happen(organization, 2)

    run(destination)

    assert [event["action"] for event in receiver.events] == ["deploy.failed", "member.added"]
    assert destination.cursor == 6


def test_what_is_sent_is_the_event_with_its_hashes(organization, owner, receiver):
    destination = make_hook(organization, receiver)
    event = audit.record(
        organization=organization,
        by=owner,
        action="member.added",
        target=owner,
        details={"roles": ["viewer"]},
    )

    run(destination)

    sent = receiver.events[0]
    assert sent["id"] == f"{organization.pk}-{event.sequence}"
    assert (sent["hash"], sent["previous_hash"]) == (event.hash, event.previous_hash)
    assert sent["actor"]["name"] == str(owner)
    assert sent["details"] == {"roles": ["viewer"]}
    assert sent["sentence"] == f"{owner} added the member {owner}"


def test_a_refusal_keeps_the_cursor_and_waits_longer_each_time(organization, receiver):
    receiver.answers = [(500, {}, b"")]
    destination = make_hook(organization, receiver)
    happen(organization)

    waits = []
    for _ in range(3):
        run(destination)
        waits.append((destination.next_try_at - timezone.now()).total_seconds())
        Destination.objects.filter(pk=destination.pk).update(next_try_at=None)

    assert (destination.cursor, destination.tries, destination.last_error) == (0, 3, "ill")
    assert 3 < waits[0] < 7 < waits[1] < 19 < 40 < waits[2] < 75
    assert destination.failing_since is not None


def test_nothing_is_sent_before_its_time(organization, receiver):
    destination = make_hook(
        organization, receiver, next_try_at=timezone.now() + datetime.timedelta(minutes=5)
    )
    happen(organization)

    run(destination)

    assert receiver.requests == []
    assert reading.due() == []


@pytest.mark.parametrize(("asked", "least", "most"), [("120", 119, 121), ("999999", 3600, 4321)])
def test_a_receiver_may_ask_for_a_later_time_up_to_a_limit(organization, receiver, asked, least, most):
    receiver.answers = [(429, {"Retry-After": asked}, b"")]
    destination = make_hook(organization, receiver)
    happen(organization)

    run(destination)

    assert least < (destination.next_try_at - timezone.now()).total_seconds() < most


def test_gone_is_paused_at_once_and_the_owners_are_told(
    organization, owner, devops, receiver, mailoutbox, django_capture_on_commit_callbacks
):
    receiver.answers = [(410, {}, b"")]
    destination = make_hook(organization, receiver)
    happen(organization)

    with django_capture_on_commit_callbacks(execute=True):
        run(destination)

    assert (destination.paused_for, destination.cursor) == ("gone", 0)
    assert AuditEvent.objects.filter(action="destination.paused").count() == 1
    assert [mail.to for mail in mailoutbox] == [[owner.email]]
    assert "It says that it is gone." in mailoutbox[0].body
    assert receiver.url not in mailoutbox[0].body


def test_three_refusals_of_who_we_are_pause(organization, owner, receiver):
    receiver.answers = [(401, {}, b"")]
    destination = make_hook(organization, receiver)
    happen(organization)

    states = []
    for _ in range(3):
        run(destination)
        states.append(destination.paused_at is not None)
        Destination.objects.filter(pk=destination.pk).update(next_try_at=None)

    assert states == [False, False, True]


def test_what_is_paused_loses_nothing(organization, owner, receiver):
    destination = make_hook(organization, receiver)
    services.pause(destination=destination, by=owner)
    happen(organization, 3)
    run(destination)
    paused = sequences(receiver)

    services.resume(destination=destination, by=owner)
    run(destination)

    assert paused == []
    # Pausing and resuming are events themselves.
    assert sequences(receiver) == [1, 2, 3, 4, 5]


@pytest.mark.django_db(transaction=True)
def test_a_sink_that_is_down_under_load_loses_nothing(organization, receiver):
    """Four writers write while the receiver refuses, hangs up and recovers."""
    destination = make_hook(organization, receiver)
    receiver.answers = [(503, {}, b"")] * 20 + [(200, {}, b"{}")]

    def write():
        try:
            for _ in range(50):
                happen(organization)
        finally:
            connections.close_all()

    def send():
        until = time.monotonic() + 120
        try:
            while time.monotonic() < until:
                Destination.objects.filter(pk=destination.pk).update(next_try_at=None)
                engine.run(str(destination.pk))
                if Destination.objects.filter(pk=destination.pk, cursor=200).exists():
                    return
        finally:
            connections.close_all()

    writers = [threading.Thread(target=write) for _ in range(4)]
    sender = threading.Thread(target=send)
    for thread in (*writers, sender):
        thread.start()
    for thread in (*writers, sender):
        thread.join()

    destination.refresh_from_db()
    # Refused bodies are there as well: what counts is what was accepted.
    accepted = [
        body["events"] for (_, _, _), body in zip(receiver.requests[20:], receiver.bodies[20:], strict=True)
    ]
    assert [event["sequence"] for events in accepted for event in events] == list(range(1, 201))
    assert destination.cursor == 200


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_killed_after_sending_sends_the_same_again(organization, receiver):
    """The receiver has the events, the database does not know yet: a real process, a real kill."""
    destination = make_hook(organization, receiver)
    happen(organization, 5)
    code = (
        f"import django; django.setup(); from accounts.outgoing import engine; engine.run('{destination.pk}')"
    )
    name = connection.settings_dict["NAME"]
    base, _, query = os.environ["DATABASE_URL"].partition("?")
    url = f"{base.rpartition('/')[0]}/{name}?{query}"
    own = {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "config.settings"}
    child: list[subprocess.Popen] = []
    receiver.before = lambda: child[0].send_signal(signal.SIGKILL) or time.sleep(0.5)

    child.append(subprocess.Popen([sys.executable, "-c", code], env=os.environ | own))
    ended = child[0].wait(60)
    receiver.before = lambda: None
    destination.refresh_from_db()
    after_the_kill = destination.cursor
    # Its lease runs out.
    run(destination)
    held = sequences(receiver)
    Destination.objects.filter(pk=destination.pk).update(lease_until=timezone.now())
    run(destination)

    first, second = receiver.bodies
    assert ended == -signal.SIGKILL
    assert (after_the_kill, held) == (0, [1, 2, 3, 4, 5])
    assert [event["id"] for event in first["events"]] == [event["id"] for event in second["events"]]
    assert first["id"] == second["id"]
    assert destination.cursor == 5


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_send_at_once(organization, receiver):
    destination = make_hook(organization, receiver)
    happen(organization, 300)
    receiver.before = lambda: time.sleep(0.05)

    def act():
        try:
            engine.run(str(destination.pk))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=act) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sequences(receiver) == list(range(1, 301))


def test_a_worker_that_lost_its_lease_moves_no_cursor(organization, owner, receiver):
    """While it sends, somebody sets the cursor back: what it sent is sent again."""
    destination = make_hook(organization, receiver)
    first, *_ = happen(organization, 3)
    run(destination)
    happen(organization, 2)
    taken = engine._take(str(destination.pk))

    services.replay(destination=destination, since=first.at, by=owner)
    moved = engine._move(taken, 5)
    destination.refresh_from_db()

    assert (moved, destination.cursor) == (False, 0)


def test_an_address_under_a_lost_key_is_a_failure_like_others(organization, receiver):
    destination = make_hook(organization, receiver)
    happen(organization)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_destination SET address = 'x'")

    run(Destination.objects.defer("address").get(pk=destination.pk))

    assert Destination.objects.get(pk=destination.pk).last_error == "key"


def test_a_hung_receiver_holds_up_nobody_for_long(receiver):
    """It answers, but byte by byte, so that no limit of a single read is met."""
    receiver.before = lambda: time.sleep(3)
    began = time.monotonic()

    with pytest.raises(NotSent) as caught:
        engine.hand_over("webhook", make_parcel(receiver.url), 0.3)

    assert caught.value.cause == "timeout"
    assert time.monotonic() - began < 1


def test_a_mistake_of_ours_is_told_without_its_words(caplog):
    with pytest.raises(NotSent) as caught:
        engine.hand_over("syslog", make_parcel("nonsense://hunter2"))

    assert caught.value.cause == "mistake"
    assert "hunter2" not in caplog.text


def test_only_the_last_200_tries_are_kept(organization, receiver):
    destination = make_hook(organization, receiver)
    Delivery.objects.bulk_create(
        Delivery(destination=destination, first=1, last=1, events=1, milliseconds=1, outcome="delivered")
        for _ in range(230)
    )
    happen(organization)

    run(destination)

    assert destination.deliveries.count() == 200
    assert destination.deliveries.first().first == 1


def test_what_was_pruned_meanwhile_is_said(organization, receiver):
    """The log begins 40 events behind the cursor: the destination is told that it misses 40."""
    destination = make_hook(
        organization, receiver, actions=["destination.skipped", "deploy.failed"], cursor=-40
    )
    happen(organization, action="deploy.failed")

    run(destination)

    told = receiver.events
    assert [event["action"] for event in told] == ["deploy.failed", "destination.skipped"]
    assert told[1]["details"] == {"events": 40, "first": -39, "last": 0}
    assert destination.cursor == 2


# -- who is due ----------------------------------------------------------------------------------------
def test_what_has_nothing_to_send_is_not_due(organization, receiver):
    wanted = make_hook(organization, receiver, actions=["deploy.*"])
    make_hook(organization, receiver, actions=["member.added"])
    make_hook(organization, receiver, paused_at=timezone.now())
    make_hook(factories.make_organization(), receiver)
    happen(organization)

    assert reading.due() == [(str(wanted.pk), 0)]


def test_a_cursor_far_behind_moves_on_though_nothing_matches(organization, receiver, monkeypatch):
    destination = make_hook(organization, receiver, actions=["member.added"])
    monkeypatch.setattr(reading, "_IDLE", 10)
    happen(organization, 12)

    due = reading.due()
    run(destination)

    assert due == [(str(destination.pk), 0)]
    assert (destination.cursor, receiver.requests) == (12, [])


def test_another_organizations_events_are_never_sent(organization, receiver):
    other = factories.make_organization()
    destination = make_hook(organization, receiver)
    happen(other, 5)
    happen(organization, 1)

    run(destination)

    assert [event["organization"] for event in receiver.events] == ["acme"]


def test_a_webhook_is_called_by_the_sweep_through_a_task(organization, receiver, settings, monkeypatch):
    destination = make_hook(organization, receiver)
    happen(organization)
    sent = []
    monkeypatch.setattr("accounts.tasks.deliver.delay", lambda **given: sent.append(given))

    first, second = engine.sweep(), engine.sweep()

    assert (first, second) == (1, 0)
    assert sent == [{"destination_id": str(destination.pk)}]


def test_of_those_that_fail_one_is_tried_at_a_time(organization, receiver, monkeypatch):
    """A task that waits for a hung receiver keeps a worker busy."""
    ill = [make_hook(organization, receiver, tries=3) for _ in range(3)]
    well = [make_hook(organization, receiver) for _ in range(2)]
    happen(organization)
    sent = []
    monkeypatch.setattr("accounts.tasks.deliver.delay", lambda destination_id: sent.append(destination_id))
    monkeypatch.setattr(engine, "_ILL", "outgoing-ill-of-this-test")

    engine.sweep()
    first = list(sent)
    run(Destination.objects.get(pk=first[2]))
    engine.sweep()

    assert set(first[:2]) == {str(one.pk) for one in well}
    assert len(set(first[2:]) & {str(one.pk) for one in ill}) == 1
    assert len(sent) == 4


# -- pruning -------------------------------------------------------------------------------------------
def test_pruning_waits_for_what_was_not_sent(organization, receiver):
    make_hook(organization, receiver, cursor=3)
    make_hook(organization, receiver, cursor=1, actions=["member.added"])
    happen(organization, 5)

    needed = services.oldest_needed(organization)

    assert needed == 4


def test_pruning_leaves_what_was_not_sent(organization, receiver):
    make_hook(organization, receiver, cursor=3)
    happen(organization, 5)

    assert (retention._room(organization, 100), retention._room(organization, 2)) == (3, 2)


@pytest.mark.parametrize("field", ["failing_since", "paused_at"])
def test_pruning_does_not_wait_for_ever(organization, receiver, field):
    make_hook(organization, receiver, **{field: timezone.now() - datetime.timedelta(days=8)})
    happen(organization, 5)

    assert services.oldest_needed(organization) is None
    assert services.oldest_needed(organization, days=30) == 1
