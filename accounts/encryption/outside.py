"""Encrypted text that is kept outside of the database: what holds it registers here, so that a change of keys covers it."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol


class NotReached(Exception):
    """A place does not answer, or refuses: what is in it is not known."""


class Place(Protocol):
    """Somewhere outside, for example an index of Elasticsearch."""

    # What it is called in reports
    label: str

    def go_through(self, is_old: Callable[[list[str]], bool], turn: Callable[[str], str]) -> int:
        """Show the encrypted texts of each thing in it to `is_old`; where that says so, replace each by what `turn` returns.

        Return how many texts were replaced.

        :raises NotReached: it does not answer, or may not be written
        """


_finders: list[Callable[[], Iterable[Place]]] = []


def register(finder: Callable[[], Iterable[Place]]) -> None:
    """Add what returns places, once."""
    if finder not in _finders:
        _finders.append(finder)


def every() -> Iterator[Place]:
    """Yield the places that there are now."""
    for finder in _finders:
        yield from finder()
