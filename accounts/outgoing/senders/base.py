"""What a sender gets and gives back."""

from collections.abc import Callable
from dataclasses import dataclass, field

from accounts.outgoing.payload import Event

CONNECT, WHOLE = 10.0, 30.0
# For a person who waits for the answer of a test.
QUICK = 10.0


@dataclass(frozen=True, slots=True)
class Parcel:
    """Events on their way to one address."""

    # Of this delivery; the same when the same events are sent again.
    id: str
    organization_id: int
    organization: str
    slug: str
    name: str
    address: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The receiver has the events; `status` is HTTP's, `cause` says when that was not all of them."""

    status: int | None = None
    cause: str = ""


type Send = Callable[[Parcel], Accepted]
