"""Names in which `*` stands for anything, also for nothing; every other character stands for itself."""

import re

# Stands for “whatever a star may be”: no name holds it, so that only a star can match it.
_WHATEVER = "\x00"


def expression(patterns: tuple[str, ...]) -> str:
    """Return patterns as one regular expression for whole names, which Python and PostgreSQL read alike."""
    return f"\\A({'|'.join(map(_expression, patterns))})\\Z"


def _expression(pattern: str) -> str:
    return ".*".join(re.escape(piece) for piece in pattern.split("*"))


def matches(pattern: str, name: str) -> bool:
    """Tell whether a whole name is one that a pattern means.

    Each piece is taken where it comes first, which is enough and never slow: Python's regular expressions would try
    every place for every star, and whoever makes roles writes the stars.
    """
    if "*" not in pattern:
        return pattern == name
    first, *between, last = pattern.split("*")
    if len(name) < len(first) + len(last) or not (name.startswith(first) and name.endswith(last)):
        return False
    at, end = len(first), len(name) - len(last)
    for piece in between:
        found = name.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def contains(outer: str, inner: str) -> bool:
    """Tell whether every name that `inner` means is one that `outer` means too."""
    return matches(outer, inner.replace("*", _WHATEVER))
