"""What the console may do to a secret manager's secrets when a person writes: make, renew, delete and bring back.

The value goes from the form to the manager and nowhere else: it is held in memory, sent once, and never tried again.
"""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from accesses.models import Access


@runtime_checkable
class Writes(Protocol):
    """What a client has besides when its secret manager can be written to; its methods raise nothing but `ProviderError`.

    Functions that hold a value are decorated with `sensitive_variables()`.
    """

    def create(self, name: str, value: str, tags: Mapping[str, str]) -> str:
        """Make a secret and return the reference by which the operator reads it.

        :raises AlreadyThere: there is one of that name, also one that is scheduled for deletion
        """

    def put(self, name: str, value: str) -> None:
        """Give a secret a new version; its tags stay.

        :raises NotThere: there is none of that name
        """

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        """Add or change tags of a secret; other tags stay. Not called where `Writing.tags` is False."""

    def delete(self, name: str) -> datetime.datetime | None:
        """Delete a secret; return until when it can be brought back, or None if it is gone, or for as long as it is kept.

        :raises NotThere: there is none of that name
        """

    def restore(self, name: str) -> None:
        """Bring back a deleted secret as it was. Not called where `Writing.restores` is False.

        :raises NotThere: there is nothing to bring back
        """


def any_name(access: "Access", name: str) -> str:
    return name


def any_tags(tags: Mapping[str, str]) -> None:
    """Take them all."""


@dataclass(frozen=True, slots=True)
class Writing:
    """How a provider is written to.

    `policy` is what the identity must be allowed besides reading, as text to paste. `name` returns a name as the manager
    takes it and raises `references.NotReadable` with the reason where it is none.
    """

    policy: str
    # A new version leaves the older ones there, and a link may name one.
    versions: bool = True
    # What was deleted can be brought back, for how long `note` says.
    restores: bool = True
    # Secrets have tags, labels or annotations.
    tags: bool = True
    # The manager tells them with its list of names; else they are seen there alone.
    lists_tags: bool = True
    # The largest value, in bytes as UTF-8.
    most_bytes: int = 65_536
    name: Callable[["Access", str], str] = any_name
    # Raises `references.NotReadable` with the reason where the manager does not take these tags.
    check_tags: Callable[[Mapping[str, str]], None] = any_tags
    # The field that a text becomes where secrets are made of fields: a link has to name it to get the text alone.
    text_field: str = ""
    # What a person should know before writing: how a value is kept there, and for how long a deleted one.
    note: str = ""
