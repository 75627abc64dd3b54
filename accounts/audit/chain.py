"""Checking a chain: walking it from where it begins to its head, and saying where it does not fit and why."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction

from accounts.audit import hashing
from accounts.audit.models import AuditEvent, AuditHead, AuditMark
from accounts.organizations.models import Organization

_BATCH = 2_000
_READ = (*hashing.COLUMNS, "scheme", "hash")
_QUERY = (
    f"SELECT {', '.join(_READ)} FROM accounts_auditevent"  # noqa: S608 our own names
    " WHERE organization_id = %s AND sequence > %s ORDER BY sequence"
)
_AT, _DETAILS = hashing.COLUMNS.index("at"), hashing.COLUMNS.index("details")
_SEQUENCE, _PREVIOUS = hashing.COLUMNS.index("sequence"), hashing.COLUMNS.index("previous_hash")


@dataclass(frozen=True, slots=True)
class Chain:
    """The result of a check: how many events fit, the number of the first that does not, and what is wrong with it."""

    checked: int
    broken_at: int | None
    problem: str = field(default="", compare=False)

    @property
    def ok(self) -> bool:
        return self.broken_at is None


class Broken(Exception):
    """A chain that does not fit at a place; the text says how."""

    def __init__(self, sequence: int, problem: str) -> None:
        self.sequence = sequence
        super().__init__(problem)


@dataclass(slots=True)
class Walk:
    """Where a check has come to. `known` holds hashes that must be met on the way, by number (of signed digests)."""

    sequence: int
    hash: str
    checked: int = 0
    known: dict[int, str] = field(default_factory=dict)

    def step(self, row: tuple[Any, ...]) -> None:
        """Go on to the next row.

        :raises Broken: it is not the one that follows
        """
        sequence, expected = row[_SEQUENCE], self.sequence + 1
        if sequence != expected:
            raise Broken(expected, _missing(expected, sequence - 1))
        own = row[-1]
        if hashing.digest(row[-2], _hashed(row)) != own:
            raise Broken(sequence, f"Event {sequence} was edited: its content does not have its hash.")
        if row[_PREVIOUS] != self.hash:
            raise Broken(sequence, self._does_not_follow(sequence))
        if self.known.get(sequence, own) != own:
            raise Broken(
                sequence, f"Event {sequence} is not the one that was signed: the chain was made anew."
            )
        self.sequence, self.hash, self.checked = sequence, own, self.checked + 1

    def meet(self) -> None:
        """See that the place where the check begins is the one that was signed.

        :raises Broken: it does not
        """
        if self.known.get(self.sequence, self.hash) != self.hash:
            problem = f"Event {self.sequence}, after which the check begins, is not the one that was signed."
            raise Broken(self.sequence + 1, problem)

    def end(self) -> None:
        """See that nothing that was signed is still to come.

        :raises Broken: the end of the chain is cut
        """
        if (signed := max(self.known, default=0)) > self.sequence:
            missing = _missing(self.sequence + 1, signed)
            raise Broken(self.sequence + 1, f"The end is cut: event {signed} was signed. {missing}")

    def _does_not_follow(self, sequence: int) -> str:
        if self.checked == 0:
            return f"Event {sequence} does not follow from what is before it, where the check began."
        return (
            f"Event {sequence} does not follow from event {sequence - 1}: one of them was replaced or put in."
        )


def _missing(first: int, last: int) -> str:
    if last < first:
        return f"Event {first} is out of order."
    return f"Event {first} was removed." if first == last else f"Events {first} to {last} were removed."


def _hashed(row: tuple[Any, ...]) -> list[Any]:
    values = list(row[:-2])
    values[_AT] = hashing.moment(values[_AT])
    if isinstance(values[_DETAILS], str):
        values[_DETAILS] = json.loads(values[_DETAILS])
    return values


def verify(
    organization: Organization,
    newest: int | None = None,
    since: int | None = None,
    known: dict[int, str] | None = None,
) -> Chain:
    """Walk an organization's chain to its end; or only its `newest` events, or those from the number `since` on.

    An edited, removed, inserted or reordered event is named, and so is a chain that was cut at either end.
    """
    walk = Walk(0, hashing.GENESIS)
    try:
        walk = _begin(organization, _start(organization, newest, since))
        walk.known = known or {}
        walk.meet()
        _walk(organization, walk)
        walk.end()
    except Broken as found:
        return Chain(walk.checked, found.sequence, str(found))
    return Chain(walk.checked, None)


def _start(organization: Organization, newest: int | None, since: int | None) -> int:
    """Return the number of the event before the first that is looked at."""
    if since is not None:
        return max(0, since - 1)
    if newest is None:
        return 0
    last = AuditEvent.objects.owned_by(organization).values_list("sequence", flat=True).first()
    return max(0, (last or 0) - newest)


def _begin(organization: Organization, start: int) -> Walk:
    """Return a walk at the event `start`, or at the mark of what was pruned, or at the very beginning."""
    mark = AuditMark.objects.filter(organization=organization).last()
    if mark is not None:
        _check_mark(organization, mark)
        if start <= mark.through_sequence:
            return Walk(mark.through_sequence, mark.hash)
    if start:
        before = AuditEvent.objects.owned_by(organization).filter(sequence=start).first()
        if before is None:
            raise Broken(start, _missing(start, start))
        return Walk(start, before.hash)
    return Walk(0, hashing.GENESIS)


def _check_mark(organization: Organization, mark: AuditMark) -> None:
    """See that the newest mark of pruning is told of by an event of the chain, which nobody can put in afterwards."""
    told = AuditEvent.objects.owned_by(organization).filter(
        action="audit.pruned", details__through=mark.through_sequence, details__hash=mark.hash
    )
    pruned = sum(AuditMark.objects.filter(organization=organization).values_list("events", flat=True))
    first = mark.through_sequence + 1
    if not told.exists():
        raise Broken(
            first, f"The mark says that events before {first} were pruned, but no event tells of it."
        )
    if pruned != mark.through_sequence:
        raise Broken(
            first, f"The marks tell of {pruned} pruned events, but {mark.through_sequence} are gone."
        )


def _walk(organization: Organization, walk: Walk) -> None:
    """Go on until the head is met, also while others append."""
    while True:
        head = AuditHead.objects.filter(organization=organization).first()
        end = head.sequence if head else 0
        before = walk.checked
        for row in _rows(organization, walk.sequence):
            walk.step(row)
        if walk.sequence >= end and _is_head(organization, walk):
            return
        if walk.checked == before:
            raise _off_the_end(walk, head)


def _is_head(organization: Organization, walk: Walk) -> bool:
    head = AuditHead.objects.filter(organization=organization).first()
    return (walk.sequence, walk.hash) == ((head.sequence, head.hash) if head else (0, hashing.GENESIS))


def _off_the_end(walk: Walk, head: AuditHead | None) -> Broken:
    end = head.sequence if head else 0
    if end > walk.sequence:
        return Broken(walk.sequence + 1, f"The end is cut: {_missing(walk.sequence + 1, end)}")
    return Broken(walk.sequence, f"Event {walk.sequence} is not the one at which the chain ends ({end}).")


def _rows(organization: Organization, after: int) -> Iterator[tuple[Any, ...]]:
    """Yield the rows behind a number, a batch at a time."""
    with transaction.atomic(), closing(connection.chunked_cursor()) as cursor:
        cursor.execute(_QUERY, [organization.pk, after])
        while rows := cursor.fetchmany(_BATCH):
            yield from rows
