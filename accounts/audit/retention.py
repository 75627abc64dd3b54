"""How long events are kept: the oldest leave in small batches, each with a mark and an event that tells of it."""

from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import connection, transaction

from accounts.audit import hashing, writing
from accounts.audit.models import AuditEvent
from accounts.organizations.models import Organization, User

# The function in the database keeps to this as well, whatever the organization's row says.
LEAST_DAYS, MOST_DAYS = 30, 36_500
HOUR = 3600
AT_ONCE, BATCHES = 2_000, 20


@transaction.atomic
def set_days(*, organization: Organization, days: int | None, by: User) -> Organization:
    """Keep an organization's events for so many days, or for ever.

    :raises ValidationError: fewer than 30 days
    """
    if days is not None and not LEAST_DAYS <= days <= MOST_DAYS:
        raise ValidationError(f"Events are kept for at least {LEAST_DAYS} days, or for ever.")
    live = Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    before, live.audit_days = live.audit_days, days
    if before == days:
        return live
    live.save(update_fields=["audit_days"])
    writing.record(
        organization=live,
        by=by,
        action="audit.retention_changed",
        target=live,
        details={"changes": {"days": [before, days]}},
    )
    return live


@transaction.atomic
def prune(organization: Organization, at_once: int = AT_ONCE) -> int:
    """Remove the oldest events that are past their time, at most so many; return how many.

    What a destination still has to be sent stays for a while: `outgoing.services.oldest_needed`.
    """
    at_once = _room(organization, at_once)
    if not at_once:
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM audit_prune(%s, %s)", [organization.pk, at_once])
        row = cursor.fetchone()
    if row is None:
        return 0
    through, chain_hash, events, newest_at, days = row
    details = {
        "through": through,
        "hash": chain_hash,
        "events": events,
        "newest": hashing.moment(newest_at),
        "days": days,
    }
    writing.record(
        organization=organization, by=None, action="audit.pruned", target=organization, details=details
    )
    return int(events)


def _room(organization: Organization, at_once: int) -> int:
    """Return how many of the oldest events nobody has to be sent any more, up to so many."""
    from accounts.outgoing import services  # noqa: PLC0415  what is sent is read of the log

    needed = services.oldest_needed(organization)
    owned = AuditEvent.objects.filter(organization=organization).order_by("sequence")
    first = owned.values_list("sequence", flat=True).first()
    return at_once if needed is None or first is None else min(at_once, max(0, needed - first))


def sweep() -> int:
    """Prune where something is due, at most once an hour; return how many events left."""
    if not cache.add("audit-retention", 1, timeout=HOUR):
        return 0
    gone = 0
    for organization in Organization.objects.filter(audit_days__isnull=False):
        for _ in range(BATCHES):
            gone += (some := prune(organization))
            if some < AT_ONCE:
                break
    return gone
