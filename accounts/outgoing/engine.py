"""Sending: one worker at a time takes a destination, sends what comes next, and moves the cursor when it is accepted."""

import datetime
import logging
import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerAway

from accounts import encryption
from accounts.audit import origin
from accounts.audit import services as audit
from accounts.audit.models import AuditEvent
from accounts.outgoing import payload, reading, telling
from accounts.outgoing.causes import NotSent
from accounts.outgoing.models import Delivery, Destination
from accounts.outgoing.senders import SENDERS, Accepted, Parcel
from accounts.outgoing.senders.base import WHOLE

logger = logging.getLogger(__name__)

# Longer than a send may take: a worker that still holds it after that is dead.
LEASE = datetime.timedelta(seconds=90)
# One turn ends after so long, so that the others have theirs.
TURN = 20.0
# Seconds until the next try; the last one goes on for ever.
LADDER = (5, 15, 60, 300, 900, 3600)
LONGEST = 3600
# So many refusals in a row pause a destination: asking on would only be noise.
REFUSALS = 3
KEPT = 200
# In the cache: which destination that failed last time is tried now.
_ILL = "outgoing-ill"


def sweep() -> int:
    """Tell the workers of each destination that has something to send; return how many.

    Of those that failed last time one at a time: many that hang must not keep every worker busy with waiting.
    """
    from accounts import tasks  # noqa: PLC0415  the tasks call this module

    sent = 0
    for pk, tries in reading.due():
        if not cache.add(f"outgoing-sent:{pk}", 1, timeout=10):
            continue
        if tries and not cache.add(_ILL, pk, timeout=WHOLE + 10):
            cache.delete(f"outgoing-sent:{pk}")
            continue
        try:
            tasks.deliver.delay(destination_id=pk)
        except BrokerAway:
            logger.warning("The broker is away; what is to be sent waits.")
            break
        sent += 1
    return sent


def run(destination_id: str) -> None:
    """Send what waits for a destination, unless another worker does."""
    destination = _take(destination_id)
    if destination is None:
        return
    with origin.of_worker(destination_id):
        _turn(destination)
    _mine(destination).update(lease_until=None)
    cache.delete(f"outgoing-sent:{destination_id}")
    if cache.get(_ILL) == destination_id:
        cache.delete(_ILL)


def _turn(destination: Destination) -> None:
    until = time.monotonic() + TURN
    while time.monotonic() < until:
        batch = reading.following(destination)
        if batch.upto == destination.cursor or not _step(destination, batch):
            break


@transaction.atomic
def _take(destination_id: str) -> Destination | None:
    """Take a destination, or return None when another worker has it or there is nothing to do."""
    now = timezone.now()
    locked = Destination.objects.select_for_update(skip_locked=True, of=("self",))
    free = Q(lease_until=None) | Q(lease_until__lte=now)
    ready = Q(next_try_at=None) | Q(next_try_at__lte=now)
    found = locked.filter(free, ready, pk=destination_id, paused_at=None)
    destination = found.select_related("organization", "membership__user").first()
    if destination is not None:
        destination.fence += 1
        destination.lease_until = now + LEASE
        destination.save(update_fields=["fence", "lease_until"])
    return destination


def _mine(destination: Destination) -> Any:
    """Return the row, if this turn still holds it."""
    return Destination.objects.filter(pk=destination.pk, fence=destination.fence)


def _step(destination: Destination, batch: reading.Batch) -> bool:
    """Send one batch; return whether there is more to do now."""
    if batch.skipped:
        return _skip(destination, batch)
    if not batch.events:
        return _move(destination, batch.upto)
    began = time.monotonic()
    try:
        answer = hand_over(destination.kind, parcel_of(destination, batch.events))
    except NotSent as error:
        _failed(destination, batch, error, began)
        return False
    return _accepted(destination, batch, answer, began)


def parcel_of(destination: Destination, events: Sequence[AuditEvent]) -> Parcel:
    """Return events on their way to a destination; the same ones always have the same id."""
    first, last = events[0].sequence, events[-1].sequence
    return packed(destination, f"{destination.pk}-{first}-{last}", [payload.of(event) for event in events])


def packed(destination: Destination, parcel_id: str, events: list[payload.Event]) -> Parcel:
    """Return what is sent to a destination, to a member's own at the member's address of today.

    :raises NotSent: its address or secret is under a lost key
    """
    member = destination.membership
    try:
        address, secrets = destination.address, destination.secrets
    except encryption.Unreadable as error:
        raise NotSent("key") from error
    return Parcel(
        id=parcel_id,
        organization_id=destination.organization_id,
        organization=destination.organization.name,
        slug=destination.organization.slug,
        name=destination.name,
        address=member.user.email if member else address,
        secrets=secrets,
        events=tuple(events),
    )


def hand_over(kind: str, parcel: Parcel, seconds: float = WHOLE) -> Accepted:
    """Send, and wait at most so long: a receiver that answers byte by byte keeps a thread, not the worker.

    :raises NotSent: for any reason
    """
    future: Future[Accepted] = Future()

    def act() -> None:
        try:
            future.set_result(SENDERS[kind](parcel))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=act, daemon=True, name=f"send-{kind}").start()
    try:
        return future.result(timeout=seconds)
    except NotSent:
        raise
    except TimeoutError as error:
        raise NotSent("timeout") from error
    except Exception as error:
        # What it says may hold an address or what a receiver answered.
        logger.error("A %s sender broke with %s.", kind, type(error).__name__)
        raise NotSent("mistake") from None


def _move(destination: Destination, upto: int, **more: Any) -> bool:
    """Move the cursor, unless somebody else holds the destination by now."""
    moved = _mine(destination).update(cursor=upto, lease_until=timezone.now() + LEASE, **more)
    destination.cursor = upto
    return bool(moved)


@transaction.atomic
def _accepted(destination: Destination, batch: reading.Batch, answer: Accepted, began: float) -> bool:
    well: dict[str, Any] = {
        "tries": 0,
        "next_try_at": None,
        "failing_since": None,
        "last_error": "",
        "last_delivered_at": timezone.now(),
    }
    moved = _move(destination, batch.upto, **well)
    note(destination, batch.events, began, answer.status, answer.cause, tried=destination.tries + 1)
    destination.tries = 0
    # A mail is done for now: what happens meanwhile is in the next one.
    return moved and destination.kind != Destination.Kind.EMAIL


@transaction.atomic
def _failed(destination: Destination, batch: reading.Batch, error: NotSent, began: float) -> None:
    """Note a failure and when to try again; what refuses for good is paused, and the owners are told."""
    now = timezone.now()
    tries = destination.tries + 1
    changed = _mine(destination).update(
        tries=tries,
        next_try_at=now + datetime.timedelta(seconds=delay(tries, error.after)),
        failing_since=destination.failing_since or now,
        last_error=error.cause,
    )
    note(destination, batch.events, began, error.status, error.cause, tried=tries, well=False)
    if changed and (error.cause == "gone" or (error.cause == "unauthorized" and _refusals(destination))):
        _mine(destination).update(paused_at=now, paused_for=error.cause, next_try_at=None)
        details = {"cause": str(error), "tries": tries}
        audit.record(
            organization=destination.organization,
            by=None,
            action="destination.paused",
            target=destination,
            details=details,
        )
        transaction.on_commit(lambda: telling.paused(destination, error.cause))


def _refusals(destination: Destination) -> bool:
    last = destination.deliveries.filter(reason=Delivery.Reason.TURN)[:REFUSALS]
    found = [one.cause == "unauthorized" for one in last]
    return len(found) == REFUSALS and all(found)


def delay(tries: int, after: float | None) -> float:
    """Return the seconds until the next try: a step of the ladder, give or take a fifth, or what was asked for."""
    step = LADDER[min(tries, len(LADDER)) - 1]
    jittered = step * random.uniform(0.8, 1.2)  # noqa: S311  spreads the load, no secret
    return min(max(jittered, after or 0.0), LONGEST * 1.2)


def _skip(destination: Destination, batch: reading.Batch) -> bool:
    """Go on behind events that were pruned before the destination took them, and say so in the log.

    Of members' own mails nothing is said: pruning does not wait for them.
    """
    with transaction.atomic():
        moved = _move(destination, batch.upto)
        if moved and destination.membership is None:
            first = batch.upto - batch.skipped + 1
            audit.record(
                organization=destination.organization,
                by=None,
                action="destination.skipped",
                target=destination,
                details={"events": batch.skipped, "first": first, "last": batch.upto},
            )
    return moved


def note(
    destination: Destination,
    events: Sequence[AuditEvent],
    began: float,
    status: int | None,
    cause: str,
    *,
    tried: int = 1,
    well: bool = True,
    reason: str = Delivery.Reason.TURN,
) -> Delivery:
    """Write a try down and forget those before the last 200."""
    made = Delivery.objects.create(
        destination=destination,
        first=events[0].sequence if events else 0,
        last=events[-1].sequence if events else 0,
        events=len(events) or 1,
        tried=tried,
        reason=reason,
        status=status,
        milliseconds=round((time.monotonic() - began) * 1000),
        outcome=Delivery.Outcome.DELIVERED if well else Delivery.Outcome.FAILED,
        cause=cause,
    )
    old = destination.deliveries.values_list("pk", flat=True)[KEPT : KEPT + 1]
    for pk in old:
        destination.deliveries.filter(pk__lte=pk).delete()
    return made
