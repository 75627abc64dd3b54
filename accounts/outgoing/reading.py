"""What a destination reads of the audit log, and which destinations have something to read."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.organizations.models import Membership
from accounts.outgoing import topics
from accounts.outgoing.models import Destination

BATCH = 100
# A mail may tell of more at once.
MAIL_BATCH = 500
# So far a look goes at most, so that a rare code does not make it read the whole log.
WINDOW = 5000
# Mails wait so long for what else happens, and are not more frequent than that.
GATHER = datetime.timedelta(seconds=60)
SELDOM = datetime.timedelta(minutes=5)

# The destinations whose turn it is. The log of an organization grows in order, so its end is a look at an index.
# What has nothing to send still moves on now and then, or its next look would begin far back.
_DUE = """
SELECT d.id, d.tries FROM accounts_destination d
CROSS JOIN LATERAL (SELECT sequence FROM accounts_auditevent e WHERE e.organization_id = d.organization_id
  ORDER BY sequence DESC LIMIT 1) head
WHERE d.paused_at IS NULL AND d.cursor < head.sequence
  AND (d.next_try_at IS NULL OR d.next_try_at <= %(now)s)
  AND (d.lease_until IS NULL OR d.lease_until <= %(now)s)
  AND (d.kind <> 'email' OR d.last_delivered_at IS NULL OR d.last_delivered_at < %(seldom)s)
  AND (head.sequence - d.cursor > %(idle)s OR EXISTS (SELECT 1 FROM accounts_auditevent e
    WHERE e.organization_id = d.organization_id AND e.sequence > d.cursor
    AND (d.kind <> 'email' OR e.at < %(gathered)s)
    AND (d.actions = '{}' OR e.action = ANY(d.actions) OR 'own:' || e.action = ANY(d.actions)
      OR split_part(e.action, '.', 1) || '.*' = ANY(d.actions))))
ORDER BY d.tries, d.last_delivered_at NULLS FIRST LIMIT 500
"""
_IDLE = 1000


@dataclass(frozen=True, slots=True)
class Batch:
    """What to send next, and where the cursor is afterwards; `skipped` are events that are no longer there."""

    events: Sequence[AuditEvent]
    upto: int
    skipped: int = 0
    more: bool = False


def due() -> list[tuple[str, int]]:
    """Return the destinations that have something to send now, as (id, failed tries), those that work well first."""
    now = timezone.now()
    times: dict[str, Any] = {"now": now, "gathered": now - GATHER, "seldom": now - SELDOM, "idle": _IDLE}
    with connection.cursor() as cursor:
        cursor.execute(_DUE, times)
        return [(str(pk), tries) for pk, tries in cursor.fetchall()]


def matching(actions: Sequence[str]) -> Q:
    """Return the filter of a choice of actions; of what is a member's own only the codes."""
    if not actions:
        return Q()
    codes = [action.removeprefix(topics.OWN) for action in actions if not action.endswith(".*")]
    rule = Q(action__in=codes)
    for action in actions:
        if action.endswith(".*"):
            rule |= Q(action__startswith=action[:-1])
    return rule


def following(destination: Destination) -> Batch:
    """Return what comes after the cursor."""
    owned = AuditEvent.objects.owned_by(destination.organization)
    after = owned.filter(sequence__gt=destination.cursor).order_by("sequence")
    first = after.values_list("sequence", flat=True).first()
    if first is None:
        return Batch([], destination.cursor)
    if first > destination.cursor + 1:
        return Batch([], first - 1, skipped=first - 1 - destination.cursor)
    head = owned.order_by("-sequence").values_list("sequence", flat=True)[0]
    end = min(head, destination.cursor + WINDOW)
    size = MAIL_BATCH if destination.kind == Destination.Kind.EMAIL else BATCH
    found = after.filter(matching(destination.actions), sequence__lte=end)
    events = list(found.select_related("organization")[:size])
    upto = events[-1].sequence if len(events) == size else end
    return Batch(_seen(destination, events), upto, more=upto < head)


def between(destination: Destination, first: int, last: int) -> list[AuditEvent]:
    """Return what a destination gets of a range, as it would now."""
    owned = AuditEvent.objects.owned_by(destination.organization).select_related("organization")
    found = owned.filter(matching(destination.actions), sequence__gte=first, sequence__lte=last)
    return _seen(destination, list(found.order_by("sequence")[:MAIL_BATCH]))


def waiting(destination: Destination, most: int = 1000) -> int:
    """Return how many events wait to be sent, counted up to a limit."""
    owned = AuditEvent.objects.owned_by(destination.organization).filter(sequence__gt=destination.cursor)
    return owned.filter(matching(destination.actions)).order_by("sequence")[:most].count()


def _seen(destination: Destination, events: list[AuditEvent]) -> list[AuditEvent]:
    """Keep what a member may see now: who has lost a right is told no more. An organization's own get all."""
    if destination.membership_id is None:
        return events
    member = (
        Membership.objects.filter(pk=destination.membership_id, user__is_active=True)
        .prefetch_related("custom_roles")
        .first()
    )
    return [event for event in events if member and _concerns(member, event, destination.actions)]


def _concerns(member: Membership, event: AuditEvent, actions: Sequence[str]) -> bool:
    own = event.actor_id == str(member.user_id) and f"{topics.OWN}{event.action}" in actions
    if not own and event.action not in actions:
        return False
    place = {"cluster": event.cluster or None}
    if event.target_type == "externalsecret":
        place |= {"namespace": event.details.get("namespace"), "secret": event.details.get("key")}
    return member.authority.allows(topics.needed(event.action), **place)
