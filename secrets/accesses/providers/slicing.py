"""Pages of a secret manager that lists by offset and cannot filter by how a name begins."""

from collections.abc import Callable

from accesses.providers.base import Entry, Page

# A page has so many; for a prefix that few names have, so many requests are made for one page.
SHOWN, REQUESTS = 100, 5


class Slices:
    """Pages of 100 entries, cut from larger answers; `ask` returns the entries from an offset on, and whether there are more.

    An answer is used for the pages that follow, and asked for anew when a list begins.
    """

    def __init__(self, ask: Callable[[int], tuple[list[Entry], bool]]) -> None:
        self._ask = ask
        self._kept: tuple[int, list[Entry], bool] = (0, [], False)

    def page(self, prefix: str, cursor: str) -> Page:
        """Return entries whose name starts with the prefix; the cursor is the offset of the next one."""
        at = offset(cursor)
        if not cursor:
            self._kept = (0, [], False)
        for _ in range(REQUESTS):
            start, entries, more = self._from(at)
            found: list[Entry] = []
            for number, entry in enumerate(entries[at - start :], at + 1):
                if entry.name.startswith(prefix):
                    found.append(entry)
                if len(found) == SHOWN:
                    at_end = number == start + len(entries) and not more
                    return Page(found, "" if at_end else str(number))
            at = start + len(entries)
            if found or not more:
                return Page(found, str(at) if more else "")
        return Page([], str(at))

    def _from(self, at: int) -> tuple[int, list[Entry], bool]:
        start, entries, _ = self._kept
        if not start <= at < start + len(entries):
            self._kept = (at, *self._ask(at))
        return self._kept


def offset(text: str) -> int:
    """Return a place in a list as a cursor has it; a cursor comes from a browser, and what is none is the beginning."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
