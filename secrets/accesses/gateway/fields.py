"""One field of a JSON value, by the operator's query language as far as the console writes it."""

import json
import re
from typing import Any

# What the console puts a backslash before.
_QUOTED = re.compile(r"\\([*?|#@!{}\[\]()=<>%~])")
_DOT = re.compile(r"(?<!\\)\.")


class NoField(ValueError):
    """The value has no such field, or is no JSON. Says nothing of either."""


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


def plain(path: str) -> str:
    """Return a path without the backslashes that the operator's language needs."""
    return _QUOTED.sub(r"\1", path)


def take(text: str, path: str) -> str:
    """Return a field of a JSON value: a key with dots in it first, then a path that dots lead along.

    Strings come without quotes, numbers as they are written, null as nothing, objects and lists as JSON.

    :raises NoField: there is none
    """
    try:
        found = _found(json.loads(text, parse_int=_Number, parse_float=_Number), path)
        if isinstance(found, dict | list):
            return json.dumps(_found(json.loads(text), path), ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        raise NoField from None
    if isinstance(found, bool):
        return "true" if found else "false"
    return "" if found is None else str(found)


def _found(value: Any, path: str) -> Any:
    wanted = plain(path)
    if isinstance(value, dict) and wanted in value:
        return value[wanted]
    for part in _DOT.split(wanted):
        value = _member(value, part.replace("\\.", "."))
    return value


def _member(value: Any, name: str) -> Any:
    if isinstance(value, dict) and name in value:
        return value[name]
    if isinstance(value, list) and name.isdecimal() and len(name) < 7 and int(name) < len(value):
        return value[int(name)]
    raise NoField
