"""Paths such as `$.data['a b'][0]` into JSON, which the operator follows to a value."""

import re
from typing import Any

# Without braces: the operator fills a path in like an address, and would show a credential in what it says of it.
_STEP = re.compile(r"""\.([A-Za-z_][\w-]*)|\[(\d{1,6})\]|\['([^'\\{}]+)'\]|\["([^"\\{}]+)"\]""", re.ASCII)


class NotAPath(ValueError):
    """What was typed is none; `str()` says why."""


def steps(path: str) -> list[str | int]:
    """Return the names and numbers of a path; none of an empty one.

    :raises NotAPath: why
    """
    if not path:
        return []
    rest, found = path.removeprefix("$"), list[str | int]()
    if rest == path:
        raise NotAPath("A path begins with $, for example $.data.value.")
    while rest:
        step = _STEP.match(rest)
        if step is None:
            raise NotAPath(
                f"After {path[: len(path) - len(rest)]} stands nothing that leads to one value: "
                "write .name, ['a name'] or [0]."
            )
        found.append(int(step[2]) if step[2] else next(one for one in step.groups() if one is not None))
        rest = rest[step.end() :]
    return found


def leads(body: Any, path: str) -> bool:
    """Tell whether a path leads to something in JSON; `null` is nothing."""
    try:
        for step in steps(path):
            body = body[step]
    except (LookupError, TypeError):
        return False
    return body is not None
