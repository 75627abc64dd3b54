"""Looking into objects that may hold anything: what is of another kind than expected is not there."""

from typing import Any


def text(value: Any, longest: int = 2048) -> str:
    """Return a scalar as text that a column takes, anything else as nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value).replace("\x00", "")[:longest]


def mapping(value: Any) -> dict[str, Any]:
    """Return a mapping, and an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def mappings(value: Any) -> list[dict[str, Any]]:
    """Return the mappings of a list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def items(value: Any) -> list[Any]:
    """Return a list, and an empty one for anything else."""
    return value if isinstance(value, list) else []
