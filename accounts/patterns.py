"""Names in which `*` stands for anything, also for nothing; every other character stands for itself."""

import functools
import re

# Stands for “whatever a star may be”: no name holds it, so that only a star can match it.
_WHATEVER = "\x00"


def expression(patterns: tuple[str, ...]) -> str:
    """Return patterns as one regular expression for whole names, which Python and PostgreSQL read alike."""
    return f"\\A({'|'.join(map(_expression, patterns))})\\Z"


def _expression(pattern: str) -> str:
    return ".*".join(re.escape(piece) for piece in pattern.split("*"))


@functools.lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(_expression(pattern), re.DOTALL)


def matches(pattern: str, name: str) -> bool:
    """Tell whether a whole name is one that a pattern means."""
    return pattern == name or ("*" in pattern and _compiled(pattern).fullmatch(name) is not None)


def contains(outer: str, inner: str) -> bool:
    """Tell whether every name that `inner` means is one that `outer` means too."""
    return matches(outer, inner.replace("*", _WHATEVER))
