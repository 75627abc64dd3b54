"""Making, changing and trying destinations."""

import datetime
import secrets
import time
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Max
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accounts.audit import services as audit
from accounts.audit.models import AuditEvent
from accounts.organizations.models import Membership, Organization, User
from accounts.outgoing import engine, payload, places, reading, topics
from accounts.outgoing.causes import NotSent
from accounts.outgoing.models import BOTH_GOOD, Delivery, Destination
from accounts.outgoing.senders.base import QUICK

# So long pruning waits for a destination that is failing or paused.
HELD_DAYS = 7


class NameTaken(ValueError):
    """A destination of that name is there already. `str()` says so."""


class CannotBe(ValueError):
    """What was asked for makes no sense now. `str()` says why."""


def _facts(destination: Destination) -> dict[str, Any]:
    """Return what the audit log may tell of a destination: never its whole address, never a secret."""
    return {
        "name": destination.name,
        "kind": str(destination.get_kind_display()),
        "place": destination.place,
        "actions": list(destination.actions) or "everything",
    }


_LABELS = {"name": "name", "kind": "kind", "place": "place", "actions": "actions"}


def _record(destination: Destination, by: User | None, action: str, details: dict[str, Any]) -> None:
    audit.record(
        organization=destination.organization, by=by, action=action, target=destination, details=details
    )


def _newest(organization: Organization) -> int:
    last = AuditEvent.objects.owned_by(organization).aggregate(last=Max("sequence"))["last"]
    return int(last or 0)


def new_secret() -> str:
    """Return a secret that signs; 32 random bytes."""
    return f"khs_{secrets.token_urlsafe(32)}"


@sensitive_variables()
@transaction.atomic
def create(
    *,
    organization: Organization,
    kind: str,
    name: str,
    address: str,
    actions: list[str],
    by: User,
    secret: str = "",
    whole: bool = False,
) -> Destination:
    """Make a destination, from now on or of the whole log; a webhook gets a secret of ours, to be shown once.

    :raises NameTaken: the name is in use
    """
    now = timezone.now()
    made = Destination(
        organization=organization,
        kind=kind,
        name=name,
        address=address,
        place=places.of(kind, address),
        secret=new_secret() if kind == Destination.Kind.WEBHOOK else secret,
        actions=actions,
        created_by=str(by),
    )
    made.secret_set_at = now if made.secret else None
    made.cursor = 0 if whole else _newest(organization)
    _save(made)
    _record(made, by, "destination.created", audit.facts(_facts(made), _LABELS))
    return made


def _save(destination: Destination, fields: list[str] | None = None) -> None:
    try:
        with transaction.atomic():
            destination.save(update_fields=fields)
    except IntegrityError as error:
        raise NameTaken(f"There is a destination named {destination.name} already.") from error


@sensitive_variables()
@transaction.atomic
def change(
    *, destination: Destination, name: str, address: str, actions: list[str], by: User, secret: str = ""
) -> bool:
    """Change a destination, whose address and secret stay where they are blank; return whether anything differs.

    :raises NameTaken: the name is in use
    """
    before = _facts(destination)
    moved = bool(address) and address != destination.address
    renewed = bool(secret) and secret != destination.secret
    if moved:
        destination.address, destination.place = address, places.of(destination.kind, address)
    if renewed:
        destination.secret, destination.secret_set_at = secret, timezone.now()
    destination.name, destination.actions = name, actions
    found = audit.changes(before, _facts(destination), _LABELS)
    changed = found.get("changes", {})
    changed |= {"secret": ["set", "set anew"]} if renewed else {}
    # Another path of the same host is a change as well, which its place does not show.
    changed |= {"address": ["set", "set anew"]} if moved and "place" not in changed else {}
    if not changed:
        return False
    # What did not work may work now.
    destination.next_try_at = None
    fields = ["name", "address", "place", "secret", "secret_set_at", "actions", "next_try_at"]
    _save(destination, fields)
    _record(destination, by, "destination.changed", {"changes": changed})
    return True


@sensitive_variables()
@transaction.atomic
def change_secret(*, destination: Destination, by: User) -> str:
    """Give a webhook another secret and return it; the one before it signs as well for a day."""
    destination.former_secret, destination.former_until = destination.secret, timezone.now() + BOTH_GOOD
    destination.secret, destination.secret_set_at = new_secret(), timezone.now()
    destination.save(update_fields=["former_secret", "former_until", "secret", "secret_set_at"])
    _record(destination, by, "destination.changed", {"changes": {"secret": ["set", "set anew"]}})
    return str(destination.secret)


@transaction.atomic
def delete(*, destination: Destination, by: User) -> None:
    """Remove a destination and its log of deliveries."""
    _record(destination, by, "destination.deleted", audit.facts(_facts(destination), _LABELS))
    destination.delete()


@transaction.atomic
def pause(*, destination: Destination, by: User) -> None:
    """Send nothing until it is resumed; the cursor stays."""
    if destination.paused_at is None:
        destination.paused_at, destination.paused_for = timezone.now(), ""
        destination.save(update_fields=["paused_at", "paused_for"])
        _record(destination, by, "destination.paused", {})


@transaction.atomic
def resume(*, destination: Destination, by: User) -> None:
    """Go on behind the last event that was accepted, and try at once also where that failed."""
    was_paused = destination.paused_at is not None
    fresh = {"paused_at": None, "paused_for": "", "tries": 0, "next_try_at": None}
    Destination.objects.filter(pk=destination.pk).update(**fresh)
    if was_paused:
        _record(destination, by, "destination.resumed", {})


@transaction.atomic
def replay(*, destination: Destination, since: datetime.datetime, by: User) -> int:
    """Send everything again from a time on; return how far back that is, in events.

    :raises CannotBe: nothing has happened since that was sent already
    """
    live = Destination.objects.select_for_update(of=("self",)).get(pk=destination.pk)
    owned = AuditEvent.objects.owned_by(destination.organization).filter(at__gte=since).order_by("sequence")
    first = owned.values_list("sequence", flat=True).first()
    if first is None or first > live.cursor:
        raise CannotBe("Nothing has happened since then that was sent already.")
    # The worker that sends at this moment must not move the cursor back to where it was.
    Destination.objects.filter(pk=live.pk).update(
        cursor=first - 1, fence=F("fence") + 1, lease_until=None, next_try_at=None
    )
    details = {"from": since.isoformat(), "first": first, "last": live.cursor}
    _record(destination, by, "destination.sent_again", details)
    return int(live.cursor - first + 1)


def test(*, destination: Destination, by: User) -> Delivery:
    """Send a test event now and return what came of it."""
    event = payload.test(destination.organization.slug, str(by))
    began, status, cause, well = time.monotonic(), None, "", True
    try:
        parcel = engine.packed(destination, event["id"], [event])
        answer = engine.hand_over(destination.kind, parcel, QUICK)
        status, cause = answer.status, answer.cause
    except NotSent as error:
        status, cause, well = error.status, error.cause, False
    with transaction.atomic():
        made = engine.note(
            destination, [], began, status, cause, well=well, reason=Delivery.Reason.TEST
        )  # fmt: skip
        details = {"status": status, "milliseconds": made.milliseconds}
        action = "destination.tested" if well else "destination.test_failed"
        _record(destination, by, action, details)
    return made


def send_again(*, delivery: Delivery, by: User) -> Delivery:
    """Send the events of a delivery once more, with the same ids, and return what came of it.

    :raises CannotBe: none of them is there any more
    """
    destination = delivery.destination
    events = reading.between(destination, delivery.first, delivery.last)
    if not events:
        raise CannotBe("These events are no longer in the log, or no longer chosen.")
    began, status, cause, well = time.monotonic(), None, "", True
    try:
        answer = engine.hand_over(destination.kind, engine.parcel_of(destination, events), QUICK)
        status, cause = answer.status, answer.cause
    except NotSent as error:
        status, cause, well = error.status, error.cause, False
    with transaction.atomic():
        made = engine.note(
            destination, events, began, status, cause, well=well, reason=Delivery.Reason.AGAIN
        )  # fmt: skip
        details = {"first": delivery.first, "last": delivery.last, "status": status}
        _record(destination, by, "destination.sent_again", details)
    return made


@transaction.atomic
def choose(*, membership: Membership, slugs: list[str]) -> None:
    """Tell a member of these topics by mail from now on, and of nothing else."""
    actions = topics.expand(slugs, topics.PERSONAL)
    now = Destination.objects.filter(membership=membership).first()
    if now is None and actions:
        # Not the user's name alone: the log tells what it is.
        made = Destination(
            organization=membership.organization,
            membership=membership,
            kind=Destination.Kind.EMAIL,
            name=f"Mail to {membership.user}"[:40],
            place=membership.user.email[:300],
            actions=actions,
            cursor=_newest(membership.organization),
            created_by=str(membership.user),
        )
        made.save()
        _record(made, membership.user, "destination.created", audit.facts(_facts(made), _LABELS))
    elif now is not None and not actions:
        delete(destination=now, by=membership.user)
    elif now is not None and set(actions) != set(now.actions):
        before, now.actions = _facts(now), actions
        # What was not chosen until now is not told of yesterday.
        now.cursor = max(now.cursor, _newest(membership.organization))
        now.save(update_fields=["actions", "cursor"])
        found = audit.changes(before, _facts(now), _LABELS)
        _record(now, membership.user, "destination.changed", found)


def oldest_needed(organization: Organization, days: int = HELD_DAYS) -> int | None:
    """Return the first event that a destination still has to be sent, or None; pruning leaves it and what follows.

    A destination that fails or is paused for more than `days` is waited for no longer: it will be told of the gap.
    """
    long_ago = timezone.now() - datetime.timedelta(days=days)
    owned = Destination.objects.owned_by(organization)
    patient = owned.exclude(failing_since__lt=long_ago).exclude(paused_at__lt=long_ago)
    found = []
    for destination in patient.defer("address", "secret", "former_secret"):
        events = AuditEvent.objects.owned_by(organization).filter(sequence__gt=destination.cursor)
        wanted = events.filter(reading.matching(destination.actions)).order_by("sequence")
        first = wanted.values_list("sequence", flat=True).first()
        found += [] if first is None else [first]
    return min(found, default=None)
