"""Pages cut from larger answers: every entry once, few requests, and asked anew when a list begins."""

import pytest

from accesses.providers.base import Entry
from accesses.providers.slicing import Slices


class Manager:
    """Lists names by offset, so many at once."""

    def __init__(self, names: list[str], at_once: int) -> None:
        self.names, self.at_once, self.requests = names, at_once, 0

    def ask(self, skip: int) -> tuple[list[Entry], bool]:
        self.requests += 1
        found = self.names[skip : skip + self.at_once]
        return [Entry(name, name) for name in found], skip + self.at_once < len(self.names)


def listed(slices: Slices, prefix: str = "") -> list[str]:
    found, cursor, more = [], "", True
    while more:
        page = slices.page(prefix, cursor)
        assert len(page.entries) <= 100
        found += [entry.name for entry in page.entries]
        cursor, more = page.cursor, bool(page.cursor)
    return found


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 500, 501, 1234])
@pytest.mark.parametrize("prefix", ["", "a-1", "b-"])
def test_every_entry_is_listed_once(count, prefix):
    names = [f"{'ab'[number % 2]}-{number}" for number in range(count)]
    manager = Manager(names, 500)

    found = listed(Slices(manager.ask), prefix)

    assert found == [name for name in names if name.startswith(prefix)]
    assert manager.requests <= count // 500 + 1


def test_a_prefix_that_few_have_stops_after_some_requests_and_goes_on():
    manager = Manager([f"x-{number}" for number in range(4000)] + ["rare"], 500)
    slices = Slices(manager.ask)

    first = slices.page("rare", "")

    assert (first.entries, first.cursor) == ([], "2500")
    assert [entry.name for entry in slices.page("rare", first.cursor).entries] == ["rare"]


def test_a_list_that_begins_asks_anew():
    manager = Manager(["a", "b"], 500)
    slices = Slices(manager.ask)
    slices.page("", "")
    manager.names.append("c")

    assert listed(slices) == ["a", "b", "c"]
