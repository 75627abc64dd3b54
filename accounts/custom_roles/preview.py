"""What a role would see. The apps above register how many of their things a grant reaches."""

from collections.abc import Callable
from dataclasses import dataclass

from accounts.authority import Authority, Grant
from accounts.organizations.models import Organization


@dataclass(frozen=True, slots=True)
class Reach:
    """How many things of a kind are seen, of how many, and the first few names."""

    noun: str
    seen: int
    total: int
    names: tuple[str, ...] = ()


# Gets what whoever asks may see, and what the role would see of that.
type Counter = Callable[[Organization, Authority, Authority], list[Reach]]

_counters: list[Counter] = []


def register(counter: Counter) -> None:
    """Add a counter, once."""
    if counter not in _counters:
        _counters.append(counter)


def of(organization: Organization, grant: Grant, asking: Authority) -> list[Reach]:
    """Return what a role reaches in an organization, of what the one who asks may see: names are not for all who edit
    roles."""
    role = asking.narrowed_by([grant])
    return [reach for counter in _counters for reach in counter(organization, asking, role)]
