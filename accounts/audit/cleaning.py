"""What may stand in an event: text that the database takes, and details that are the same when they are read back."""

import datetime
import enum
import json
import math
from collections.abc import Iterable
from typing import Any

TEXT, ITEMS, DEPTH = 2_000, 200, 6
# All details of an event, as JSON.
LARGEST = 32_000
_EXACT = 2**53


def text(value: object, longest: int) -> str:
    """Return a text without NUL and unpaired surrogates, cut with … where it is too long."""
    clean = str(value).replace("\0", "\N{REPLACEMENT CHARACTER}")
    clean = clean.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return clean if len(clean) <= longest else f"{clean[: longest - 1]}…"


def details(given: dict[str, Any] | None) -> dict[str, Any]:
    """Return details as plain JSON that PostgreSQL gives back unchanged. What is too large is cut, never refused."""
    clean = _mapping(given or {}, DEPTH)
    if len(json.dumps(clean)) <= LARGEST:
        return clean
    share = LARGEST // (2 * len(clean))
    return {name: _short(value, share) for name, value in clean.items()} | {"cut": True}


def _short(value: Any, longest: int) -> Any:
    written = json.dumps(value, ensure_ascii=False)
    return value if len(written) <= longest else text(written, max(longest, 20))


def _value(value: object, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, enum.Enum):
        return _value(value.value, depth)
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, dict):
        return _mapping(value, depth - 1) if depth else "…"
    if isinstance(value, list | tuple | set | frozenset):
        return _list(value, depth - 1) if depth else "…"
    # An object's own words may be anything, an exception's or a model's repr too.
    return text(value if isinstance(value, str) else _words(value), TEXT)


def _words(value: object) -> str:
    """Return the words of what is known to be plain (a number, an id, a lazy text), else the name of its type."""
    if isinstance(value, bytes | bytearray | BaseException):
        return type(value).__name__
    try:
        return str(value)
    except Exception:
        return type(value).__name__


def _number(value: float) -> int | float | str:
    """Return a number that is the same after the database wrote it its own way; else its text."""
    if isinstance(value, int):
        return int(value) if -_EXACT <= value <= _EXACT else str(value)[:40]
    if not math.isfinite(value) or abs(value) > _EXACT:
        return str(value)
    return int(value) if value.is_integer() else float(value)


def _mapping(value: dict[Any, Any], depth: int) -> dict[str, Any]:
    some = list(value.items())[:ITEMS]
    clean = {text(name, 200): _value(one, depth) for name, one in some}
    return clean | ({"…": f"{len(value) - ITEMS} more"} if len(value) > ITEMS else {})


def _list(value: Iterable[Any], depth: int) -> list[Any]:
    every = [_value(one, depth) for one in value]
    if isinstance(value, set | frozenset):
        every.sort(key=str)
    return every if len(every) <= ITEMS else [*every[:ITEMS], f"… {len(every) - ITEMS} more"]
