"""A log as a file, streamed: CSV for people and JSON lines for machines. What is cut off shows, and nothing in it acts.

The last line counts the events and has the SHA-256 of all lines before it. A file of JSON lines without a filter can be
checked anywhere: `python verify_export.py FILE`.
"""

import csv
import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from accounts.audit import hashing, queries, writing
from accounts.audit.models import AuditEvent, AuditEventQuerySet, AuditMark
from accounts.audit.queries import Filters
from accounts.organizations.models import Organization, User

FORMAT = 1
BATCH = 1_000
COLUMNS = (
    "sequence", "at", "actor_name", "actor_id", "role", "token", "action", "target_type", "target_name", "target_id",
    "cluster", "details", "origin", "address", "user_agent", "request_id", "previous_hash", "hash",
)  # fmt: skip
_JSON = ("scheme", *hashing.COLUMNS, "hash")
# What spreadsheets take for the beginning of a formula, also in the wide forms of East Asia.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}",
            "\N{FULLWIDTH HYPHEN-MINUS}", "\N{FULLWIDTH COMMERCIAL AT}")  # fmt: skip
_PLAIN = re.compile(r"[ -\[\]-~]*\Z")


@dataclass(frozen=True, slots=True)
class Export:
    """An export that is about to begin: its rows end at the newest event of this moment."""

    organization: Organization
    filters: Filters
    rows: AuditEventQuerySet
    events: int
    kind: str

    def lines(self) -> Iterator[str]:
        """Yield the file, a batch of lines at a time."""
        return KINDS[self.kind].write(self)

    @property
    def name(self) -> str:
        return f"{self.organization.slug}-audit-{timezone.now():%Y-%m-%d-%H%M}.{self.kind}"


def begin(*, organization: Organization, filters: Filters, kind: str, by: User) -> Export:
    """Count what will be written, and write down that it was taken away, before the first line leaves."""
    found = queries.events(organization, filters)
    newest = found.order_by("-sequence").values_list("sequence", flat=True).first() or 0
    rows = found.filter(sequence__lte=newest)
    events = rows.order_by().count()
    writing.record(
        organization=organization,
        by=by,
        action="audit.exported",
        target=organization,
        details={"format": kind, "filter": told(filters), "events": events, "through": newest},
    )
    return Export(organization, filters, rows, events, kind)


def told(filters: Filters) -> dict[str, Any]:
    """Return what a filter asks for, in plain words."""
    asked = {name: getattr(filters, name) for name in Filters.__slots__}
    plain = {name: value for name, value in asked.items() if value}
    return plain | {name: hashing.moment(plain[name]) for name in ("since", "until") if name in plain}


def escaped(value: str) -> str:
    r"""Return a text in which control characters, line ends and signs that turn its direction are `\u202e` and the like."""
    if _PLAIN.match(value):
        return value
    return "".join(_sign(one) for one in value)


def _sign(one: str) -> str:
    if one == "\\":
        return "\\\\"
    # Cc: control; Cf: direction and other unseen formats; Zl, Zp: line and paragraph ends; Co, Cs, Cn: of no meaning.
    if unicodedata.category(one) in ("Cc", "Cf", "Zl", "Zp", "Co", "Cs", "Cn"):
        return f"\\u{ord(one):04x}" if ord(one) < 0x10000 else f"\\U{ord(one):08x}"
    return one


def cell(value: str) -> str:
    """Return a text as a cell of CSV: escaped, and with an apostrophe before what a spreadsheet would compute."""
    clean = escaped(value)
    return f"'{clean}" if clean.lstrip(" '").startswith(_FORMULA) else clean


class _Lines:
    """Something for csv to write to that hands back what it got."""

    def write(self, text: str) -> str:
        return text


def _csv(export: Export) -> Iterator[str]:
    write: Callable[[list[str]], Any] = csv.writer(_Lines(), lineterminator="\r\n").writerow
    body = _batches(export, str(write(list(COLUMNS))), lambda event: str(write(_cells(event))))
    return _ended(body, lambda end: str(write([f"#{name}={value}" for name, value in end.items()])))


def _cells(event: AuditEvent) -> list[str]:
    plain = {name: str(getattr(event, name)) for name in COLUMNS}
    plain["at"] = hashing.moment(event.at)
    cells = {name: cell(value) for name, value in plain.items()}
    # JSON has its own escapes; it begins with a brace and is never a formula.
    cells["details"] = json.dumps(event.details, sort_keys=True) if event.details else ""
    return [cells[name] for name in COLUMNS]


def _jsonl(export: Export) -> Iterator[str]:
    first = json.dumps(_heading(export)) + "\n"
    body = _batches(export, first, lambda event: json.dumps(as_json(event)) + "\n")
    return _ended(body, lambda end: json.dumps({"end": True} | end) + "\n")


def _heading(export: Export) -> dict[str, Any]:
    mark = AuditMark.objects.filter(organization=export.organization).last()
    return {
        "keyhaven_audit_log": FORMAT,
        "organization": export.organization.slug,
        "organization_id": export.organization.pk,
        "made_at": hashing.moment(timezone.now()),
        "filter": told(export.filters),
        "events": export.events,
        "pruned": {"through": mark.through_sequence, "hash": mark.hash} if mark else None,
    }


def as_json(event: AuditEvent) -> dict[str, Any]:
    """Return an event with all that its hash is made of, and the hash."""
    return {name: getattr(event, name) for name in _JSON} | {"at": hashing.moment(event.at)}


def _batches(
    export: Export, first: str, write: Callable[[AuditEvent], str]
) -> Iterator[tuple[str, int, AuditEvent | None]]:
    """Yield the text of the heading, then of some events each, how many they are, and the last of them."""
    yield first, 0, None
    some: list[str] = []
    for event in queries.stream(export.rows, BATCH):
        some.append(write(event))
        if len(some) == BATCH:
            yield "".join(some), len(some), event
            some = []
        last = event
    if some:
        yield "".join(some), len(some), last


def _ended(
    body: Iterator[tuple[str, int, AuditEvent | None]], write: Callable[[dict[str, Any]], str]
) -> Iterator[str]:
    """Yield the body and a last line, without which a file is cut."""
    whole, events, last = hashlib.sha256(), 0, None
    for text, some, event in body:
        whole.update(text.encode())
        events, last = events + some, event or last
        yield text
    yield write(
        {
            "events": events,
            "last": last.sequence if last else 0,
            "hash": last.hash if last else hashing.GENESIS,
            "sha256": whole.hexdigest(),
        }
    )


@dataclass(frozen=True, slots=True)
class Kind:
    """A form of file: how it is written, and what it is to a browser."""

    write: Callable[[Export], Iterator[str]]
    content_type: str


KINDS = {
    "csv": Kind(_csv, "text/csv; charset=utf-8"),
    "jsonl": Kind(_jsonl, "application/jsonl; charset=utf-8"),
}
