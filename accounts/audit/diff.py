"""What an event tells of a change: the allow-listed fields that differ, each as it was and as it is."""

import datetime
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

# Nothing in the log is longer than this.
LONGEST = 500
_PLAIN = (bool, int, float, type(None))


def changes(before: Mapping[str, Any], after: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, Any]:
    """Return `{"changes": {label: [before, after]}}` of the named fields that differ, or nothing where none does.

    `fields` is the allow-list, with what each is called in the log; what is not in it is never written.
    """
    found = {
        label: [plain(before.get(name)), plain(after.get(name))]
        for name, label in fields.items()
        if before.get(name) != after.get(name)
    }
    return {"changes": found} if found else {}


def facts(row: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, Any]:
    """Return the named fields that say something, for what was made or is gone."""
    return {label: plain(row[name]) for name, label in fields.items() if row.get(name) not in (None, "", [])}


def plain(value: Any) -> Any:
    """Return a value as JSON has it; text is cut where it is longer than an event should be."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, datetime.datetime | datetime.date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [plain(inner) for inner in value]
    text = str(value) if not isinstance(value, Decimal) else format(value, "f")
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
