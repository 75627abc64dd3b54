"""Events as the page shows them: in words, with nothing in them that acts; and one event with its before and after."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from accounts.audit import actions, objects
from accounts.audit.forms import ORIGINS
from accounts.audit.models import AuditEvent
from accounts.audit.plainly import visible
from accounts.roles import SENTENCES

TONES = {"done": "", "refused": "warn", "failed": "bad"}
OUTCOMES = {"done": "", "refused": "Refused", "failed": "Failed"}


# So much of a reason stands in a line.
NOTE = 160


@dataclass(frozen=True, slots=True)
class Row:
    """One event in a line."""

    sequence: int
    iso: str
    time: str
    who: str
    roles: str
    token: str
    before: str
    object: str
    url: str
    after: str
    note: str
    code: str
    outcome: str
    tone: str
    origin: str
    address: str


@dataclass(frozen=True, slots=True)
class Field:
    """One field that a change changed; what was added and removed of a list is told one by one."""

    label: str
    was: list[str]
    now: list[str]


@dataclass(frozen=True, slots=True)
class Detail:
    """One event opened."""

    event: AuditEvent
    row: Row
    facts: list[tuple[str, str]]
    changes: list[Field]
    raw: str
    kind: str
    user_agent: str
    values: dict[str, str] = field(default_factory=dict)


def rows(events: Iterable[AuditEvent], addresses: Mapping[tuple[str, str], str]) -> list[Row]:
    """Return events in words; `addresses` are those of the objects that may be linked to."""
    return [_row(event, addresses.get((event.target_type, event.target_id), "")) for event in events]


def _row(event: AuditEvent, url: str) -> Row:
    action = actions.of(event.action)
    before, named, after = actions.said(event.action)
    at = event.at
    return Row(
        sequence=event.sequence,
        iso=at.isoformat(),
        time=f"{at:%Y-%m-%d %H:%M:%S}",
        who=visible(event.actor_name),
        roles=visible(event.role),
        token=visible(event.token),
        before=before,
        object=visible(event.target_name) if named else "",
        url=url if named else "",
        after=after,
        note=_note(event.details),
        code=visible(event.action),
        outcome=OUTCOMES[action.outcome],
        tone=TONES[action.outcome],
        origin=ORIGINS.get(event.origin, visible(event.origin)),
        address=visible(event.address),
    )


def _note(details: Any) -> str:
    """Return what a line tells of the details: why, or what was not allowed."""
    told = details if isinstance(details, dict) else {}
    if told.get("permission") in SENTENCES:
        return SENTENCES[told["permission"]]
    words = next((told[name] for name in ("error", "reason") if isinstance(told.get(name), str)), "")
    return visible(words if len(words) <= NOTE else f"{words[: NOTE - 1]}…")


def detail(event: AuditEvent, url: str) -> Detail:
    """Return an event with everything that it holds."""
    told = dict(event.details) if isinstance(event.details, dict) else {"details": event.details}
    changed = told.pop("changes", {})
    if not isinstance(changed, dict):
        told["changes"], changed = changed, {}
    return Detail(
        event=event,
        row=_row(event, url),
        facts=[(visible(name), _words(value)) for name, value in told.items()],
        changes=[_field(name, pair) for name, pair in changed.items()],
        raw=json.dumps(as_json(event), indent=2),
        kind=objects.word(event.target_type),
        user_agent=visible(event.user_agent),
        values={name: visible(getattr(event, name)) for name in ("target_name", "target_id", "cluster")},
    )


def _field(label: str, pair: Any) -> Field:
    was, now = pair if isinstance(pair, list) and len(pair) == 2 else (None, pair)
    if isinstance(was, list) and isinstance(now, list):
        gone = [_words(one) for one in was if one not in now]
        new = [_words(one) for one in now if one not in was]
        return Field(visible(label), gone, new)
    return Field(visible(label), _lines(was), _lines(now))


def _lines(value: Any) -> list[str]:
    return [] if value in (None, "", []) else [_words(value)]


def _words(value: Any) -> str:
    """Return a value of the details as text: yes and no, lists with commas, what is deeper as JSON."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and not any(isinstance(one, list | dict) for one in value):
        return ", ".join(visible(one) for one in value)
    if isinstance(value, list | dict):
        return visible(json.dumps(value, ensure_ascii=False))
    return visible("-" if value in (None, "") else value)


def as_json(event: AuditEvent) -> dict[str, Any]:
    """Return all of an event as it is stored, for a machine to read."""
    names = [
        one.attname
        for one in AuditEvent._meta.concrete_fields
        if one.attname not in ("id", "organization_id")
    ]
    return {name: getattr(event, name) for name in names} | {"at": event.at.isoformat()}
