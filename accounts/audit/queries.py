"""What of an audit log somebody wants to see, and a page of it; each filter is a range of an index, at any depth.

An organization's events are numbered without a gap, and their times never go back. So a time is a place in the
sequence, each index ends with the sequence, and a page begins where another one ended.
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import F, Max, Min, Q, TextField
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce

from accounts.audit import actions as table
from accounts.audit.models import AuditEvent, AuditEventQuerySet
from accounts.organizations.models import Organization

SIZE = 50
# So many events are looked through for a text before the index of texts is asked.
NEAR = 500
LONGEST_TEXT = 200
_NAMES = "actor_name || ' ' || action || ' ' || target_name || ' ' || cluster"
# Where words are looked for. The index of texts (migration 0008) is of exactly the second expression: whether it is
# asked is decided here and not by the planner, who cannot know how near the next match is.
_LOOKED_AT = RawSQL(f"({_NAMES} || '')", [], output_field=TextField())  # noqa: S611 our own names
_INDEXED = RawSQL(f"({_NAMES})", [], output_field=TextField())  # noqa: S611
# The console itself, among those who do something.
ITSELF = "-"
_COLUMNS = {"action", "actor_id", "cluster", "token", "address"}


@dataclass(frozen=True, slots=True)
class Filters:
    """What events must be like; what is empty is not asked about. Times are aware; `until` is exclusive.

    `actions` holds codes, and groups of them (`deploy.*`). `text` is words that stand, each somewhere, in the names of
    who did it, what was done, to what and in which cluster.
    """

    actor_id: str = ""
    actions: tuple[str, ...] = ()
    target_type: str = ""
    target_id: str = ""
    cluster: str = ""
    origin: str = ""
    address: str = ""
    token: str = ""
    request_id: str = ""
    outcome: str = ""
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None
    text: str = ""

    def __bool__(self) -> bool:
        return self != Filters()


class Page(NamedTuple):
    """Events, newest first; `newer` is what to give as `after` and `older` as `before`, None where there is nothing."""

    rows: list[AuditEvent]
    newer: int | None
    older: int | None


def events(organization: Organization, filters: Filters | None = None) -> AuditEventQuerySet:
    """Return the events of an organization that a filter lets through, newest first."""
    filters = filters or Filters()
    owned = AuditEvent.objects.owned_by(organization)
    if filters.text.strip():
        # A bigint of its own: a plain number is none to the index of texts.
        owned = AuditEvent.objects.filter(organization_id=RawSQL("%s::bigint", [organization.pk]))
    found = owned.filter(_equal(filters))
    for word in filters.text[:LONGEST_TEXT].split():
        found = found.alias(looked_at=_LOOKED_AT).filter(looked_at__icontains=word.replace("\0", ""))
    found.organization = organization.pk
    # The longest word is the rarest, most likely; the others are looked for in what has it.
    found.word = max(filters.text[:LONGEST_TEXT].replace("\0", "").split(), key=len, default="")
    if filters.actions or filters.outcome:
        found = _of_actions(found, organization, filters)
    return _between(found, organization, filters)


def page(
    queryset: AuditEventQuerySet,
    *,
    before: int | None = None,
    after: int | None = None,
    last: bool = False,
    size: int = SIZE,
) -> Page:
    """Return a page of what `events` returned: the newest, those `before` or `after` a number, or the `last` ones."""
    if last:
        rows = _nearest(queryset, 0, size + 1, ascending=True)
        kept = rows[:size][::-1]
        return Page(kept, kept[0].sequence if len(rows) > size else None, None)
    if after is not None:
        rows = _nearest(queryset, after, size + 1, ascending=True)
        if len(rows) > size:
            kept = rows[:size][::-1]
            return Page(kept, kept[0].sequence, kept[-1].sequence)
    rows = _nearest(queryset, before if after is None else None, size + 1, ascending=False)
    kept = rows[:size]
    newer = kept[0].sequence if kept and before is not None and after is None else None
    return Page(kept, newer, kept[-1].sequence if len(rows) > size else None)


def stream(queryset: AuditEventQuerySet, batch: int = 1000) -> Iterator[AuditEvent]:
    """Yield all that `events` returned, oldest first, in short queries of which none holds a transaction open."""
    after = 0
    while True:
        rows = list(queryset.filter(sequence__gt=after).order_by("sequence")[:batch])
        yield from rows
        if len(rows) < batch:
            return
        after = rows[-1].sequence


def newest(organization: Organization) -> int:
    """Return the number of the newest event, 0 while there is none. By hand: a page that follows the log asks often."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sequence FROM accounts_audithead WHERE organization_id = %s", [organization.pk]
        )
        row = cursor.fetchone()
    return row[0] if row else 0


def distinct(organization: Organization, column: str) -> list[str]:
    """Return each value of a column that an organization's events have, in order, one step in the index each."""
    if column not in _COLUMNS:
        raise ValueError(f"No index begins with {column}.")
    one = (
        f"SELECT {column} FROM accounts_auditevent WHERE organization_id = %s AND {column} <> '' {{}}"  # noqa: S608
        f" ORDER BY {column} LIMIT 1"
    )
    query = (  # only names of columns from the list above
        f"WITH RECURSIVE found(value) AS (({one.format('')}) UNION ALL SELECT ("  # noqa: S608
        f"{one.format(f'AND {column} > found.value')}) FROM found WHERE found.value IS NOT NULL)"
        " SELECT value FROM found WHERE value IS NOT NULL"
    )
    with connection.cursor() as cursor:
        cursor.execute(query, [organization.pk, organization.pk])
        return [value for (value,) in cursor.fetchall()]


def actors(organization: Organization) -> list[tuple[str, str]]:
    """Return who did something in an organization, as id and newest name, by name; the console itself is left out."""
    owned = AuditEvent.objects.owned_by(organization)
    newest = [
        owned.filter(actor_id=actor).order_by("-sequence").values_list("actor_id", "actor_name")[:1]
        for actor in distinct(organization, "actor_id")
    ]
    # One query for all of them; a union of one is none.
    found = newest[0].union(*newest[1:], all=True).order_by() if newest[1:] else chain.from_iterable(newest)
    return sorted(found, key=lambda actor: (actor[1].casefold(), actor[0]))


def _equal(filters: Filters) -> Q:
    names = ("actor_id", "target_type", "target_id", "cluster", "origin", "address", "token", "request_id")
    given = {name: value.replace("\0", "") for name in names if (value := getattr(filters, name))}
    return Q(**given | ({"actor_id": ""} if filters.actor_id == ITSELF else {}))


def _of_actions(
    found: AuditEventQuerySet, organization: Organization, filters: Filters
) -> AuditEventQuerySet:
    """Keep some actions, each a range of the index; groups and outcomes are resolved to what is there."""
    beginnings = tuple(action.rstrip("*") for action in filters.actions if action.endswith((".", ".*")))
    there = distinct(organization, "action") if beginnings or filters.outcome else []
    wanted = {action for action in filters.actions if not action.endswith((".", ".*"))}
    wanted |= {action for action in there if action.startswith(beginnings)}
    if filters.outcome:
        ended = {action for action in there if table.of(action).outcome == filters.outcome}
        wanted = wanted & ended if filters.actions else ended
    found = found.filter(action__in=sorted(wanted))
    found.branches = tuple(sorted(wanted))
    return found


def _between(found: AuditEventQuerySet, organization: Organization, filters: Filters) -> AuditEventQuerySet:
    owned = (
        AuditEvent.objects.owned_by(organization)
        .order_by("at", "sequence")
        .values_list("sequence", flat=True)
    )
    if filters.since is not None:
        start = owned.filter(at__gte=filters.since).first()
        found = found.none() if start is None else found.filter(sequence__gte=start)
        found.since = start
    if filters.until is not None:
        end = owned.filter(at__gte=filters.until).first()
        found = found if end is None else found.filter(sequence__lt=end)
        found.until = end
    return found


def _nearest(
    found: AuditEventQuerySet, bound: int | None, number: int, *, ascending: bool
) -> list[AuditEvent]:
    """Return the next so many events from a place, upwards or downwards."""
    if bound is not None:
        found = found.filter(**{"sequence__gt" if ascending else "sequence__lt": bound})
    order = "sequence" if ascending else "-sequence"
    if found.word:
        return _with_text(found, bound, order, number)
    if len(found.branches) > 1:
        return _merged(found, order, number)
    return list(found.order_by(order)[:number])


def _merged(found: AuditEventQuerySet, order: str, number: int) -> list[AuditEvent]:
    """Take the next ones of each action, and of these the next."""
    one = found.filter(action=RawSQL("wanted.action", [])).order_by(order).values_list("sequence")[:number]
    try:
        each, values = one.query.sql_with_params()
    except EmptyResultSet:
        return []
    direction = "" if order == "sequence" else "DESC"
    query = (
        f"SELECT found.sequence FROM unnest(%s::varchar[]) AS wanted(action), LATERAL ({each}) AS found"  # noqa: S608
        f" ORDER BY found.sequence {direction} LIMIT %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(query, [list(found.branches), *values, number])
        numbers = [sequence for (sequence,) in cursor.fetchall()]
    return list(found.filter(sequence__in=numbers).order_by(order))


def _with_text(found: AuditEventQuerySet, bound: int | None, order: str, number: int) -> list[AuditEvent]:
    """Look through what is near, where a common text is; a rare one has few places, which the index of texts knows."""
    upwards = order == "sequence"
    edge = _start(found, bound, upwards=upwards) + (NEAR if upwards else -NEAR)
    near = list(
        found.filter(**{"sequence__lt" if upwards else "sequence__gt": edge}).order_by(order)[:number]
    )
    if len(near) == number:
        return near
    # An order that no index has: the database finds all and sorts, and does not walk through the log.
    place = Coalesce(F("sequence") + 0, 0)
    indexed = found.alias(indexed=_INDEXED).filter(indexed__icontains=found.word)
    unordered = indexed.order_by(place if upwards else place.desc())
    return list(unordered[:number])


def _start(found: AuditEventQuerySet, bound: int | None, *, upwards: bool) -> int:
    """Return the number at which a look begins: a place, an end of the time that is asked for, or of the log."""
    ends = AuditEvent.objects.filter(organization=found.organization).order_by()
    if upwards:
        low = found.since if found.since is not None else ends.aggregate(end=Min("sequence"))["end"]
        return max(bound or 0, low or 0)
    high = found.until if found.until is not None else ends.aggregate(end=Max("sequence"))["end"]
    return min(bound or high or 0, high or 0)
