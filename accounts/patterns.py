"""Names in which `*` stands for anything, also for nothing; every other character stands for itself."""

import functools
import re

# Stands for “whatever a star may be”: no name holds it, so that only a star can match it.
_WHATEVER = "\x00"


def expression(pattern: str) -> str:
    """Return a pattern as a regular expression, which Python and PostgreSQL read alike."""
    return f"^{'.*'.join(re.escape(piece) for piece in pattern.split('*'))}$"


@functools.lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(piece) for piece in pattern.split("*")), re.DOTALL)


def matches(pattern: str, name: str) -> bool:
    """Tell whether a whole name is one that a pattern means."""
    return pattern == name or ("*" in pattern and _compiled(pattern).fullmatch(name) is not None)


def contains(outer: str, inner: str) -> bool:
    """Tell whether every name that `inner` means is one that `outer` means too."""
    return matches(outer, inner.replace("*", _WHATEVER))
