"""How an event's hash is made. Plain Python, so that a copy of the log can be checked where nothing else is."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

GENESIS = "0" * 64

# The columns that scheme 2 hashes, in this order, after the number of the scheme.
COLUMNS = (
    "organization_id", "id", "sequence", "at", "actor_id", "actor_name", "role", "token", "action", "target_type",
    "target_id", "target_name", "cluster", "details", "origin", "address", "user_agent", "request_id", "previous_hash",
)  # fmt: skip
_AT = COLUMNS.index("at")
_PLACES = {name: at for at, name in enumerate(COLUMNS)}
_FIRST = (
    "sequence", "actor_id", "actor_name", "role", "action", "target_type", "target_id", "target_name",
    "details", "origin", "address", "user_agent", "request_id", "previous_hash",
)  # fmt: skip
_FIRST_IF_SET = ("token", "cluster")

_second = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode


def moment(at: datetime) -> str:
    """Return a time as it is hashed and exported: in UTC, with microseconds."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def digest(scheme: int, values: Sequence[Any]) -> str:
    """Return the SHA-256 of an event, in hexadecimal; `values` are those of `COLUMNS`, with the time as text."""
    if scheme == 1:
        return _digest_1(values)
    return hashlib.sha256(_second([scheme, *values]).encode()).hexdigest()


def _digest_1(values: Sequence[Any]) -> str:
    """Return what events had until the log had heads: without the row's id, and with what came later where it is set."""
    content = {name: values[_PLACES[name]] for name in _FIRST}
    content |= {name: value for name in _FIRST_IF_SET if (value := values[_PLACES[name]])}
    content |= {"organization": values[_PLACES["organization_id"]], "at": values[_AT]}
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
