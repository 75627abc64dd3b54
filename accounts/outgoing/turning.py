"""Telling once when something turns: from well to failing, and back, without a word about what only flickers."""

import datetime
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from accounts.organizations.models import Organization
from accounts.outgoing.models import Noted

# A turn counts once it has held for so long, seen at two looks.
HOLD = datetime.timedelta(seconds=60)
# What was not seen for so long is no longer there.
FORGOTTEN = datetime.timedelta(days=30)
# Days before something ends at which its owners are told; 0 is that it has ended.
BEFORE_END = (30, 14, 7, 1, 0)


@dataclass(slots=True)
class Turned:
    """The subjects that turned, by their ids, each to be told once."""

    failing: set[uuid.UUID] = field(default_factory=set)
    recovered: set[uuid.UUID] = field(default_factory=set)


@transaction.atomic
def observe(
    *,
    organization: Organization,
    kind: str,
    bad: Iterable[uuid.UUID],
    good: Iterable[uuid.UUID],
    hold: datetime.timedelta = HOLD,
) -> Turned:
    """Note how subjects are now and return those that have turned for good; tell of them in the same transaction.

    Subjects that are neither bad nor good are unknown, and stay as they were.
    """
    now, turned = timezone.now(), Turned()
    ill, well = set(bad), set(good)
    locked = Noted.objects.select_for_update(of=("self",)).filter(kind=kind, subject__in=ill | well)
    rows = {row.subject: row for row in locked.order_by("pk")}
    for subject, row in rows.items():
        told = _ill(row, now, hold) if subject in ill else _well(row, now, hold)
        if told:
            (turned.failing if subject in ill else turned.recovered).add(subject)
    fresh = ill - rows.keys()
    # Seen for the first time: told at once only where nothing flickers.
    at_once = now if not hold else None
    made = [
        Noted(kind=kind, subject=one, organization=organization, since=now, seen_at=now, told_at=at_once)
        for one in sorted(fresh)
    ]
    Noted.objects.bulk_create(made, ignore_conflicts=True)
    if not hold:
        turned.failing |= fresh
    return turned


def _ill(row: Noted, now: datetime.datetime, hold: datetime.timedelta) -> bool:
    """Note that it is ill, and return whether that is now to be told."""
    tell = row.told_at is None and now - row.since >= hold
    row.seen_at, row.well_since = now, None
    row.told_at = now if tell else row.told_at
    row.save()
    return tell


def _well(row: Noted, now: datetime.datetime, hold: datetime.timedelta) -> bool:
    """Note that it is well, and return whether that is to be told: only if its illness was, and it has held."""
    since = row.well_since or now
    if row.told_at is None or now - since >= hold:
        row.delete()
        return row.told_at is not None
    row.seen_at, row.well_since = now, since
    row.save()
    return False


def ending(*, organization: Organization, subject: uuid.UUID, kind: str, at: datetime.datetime) -> int | None:
    """Return the days that are left when somebody is to be told of an end, 0 when it is past, else None; once each.

    Of several marks that are behind only the last one is told.
    """
    now = timezone.now()
    left = at - now
    passed = [days for days in BEFORE_END if left <= datetime.timedelta(days=days)]
    if not passed:
        return None
    _, made = Noted.objects.get_or_create(
        kind=f"{kind}:{at:%Y%m%dT%H%M%S}:{passed[-1]}"[:48],
        subject=subject,
        defaults={"organization": organization, "since": now, "seen_at": now, "told_at": now},
    )
    if not made:
        return None
    # 23 hours are a day, as people count.
    return max(0, -(-left // datetime.timedelta(days=1))) if passed[-1] else 0


def sweep() -> int:
    """Forget what is long gone, at most once an hour; return how many. Ends are kept, or they were told twice."""
    if not cache.add("noted-sweep", 1, timeout=3600):
        return 0
    old = Noted.objects.filter(seen_at__lt=timezone.now() - FORGOTTEN).exclude(kind__contains=":")
    return old.delete()[0]
