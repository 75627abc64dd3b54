"""The names that somebody has chosen while browsing: a list in the URL, until they are linked together."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote

from external_secrets.browsing_accesses import Listed

MOST = 200


@dataclass(frozen=True, slots=True)
class Pick:
    """A chosen name of an access."""

    access: Listed
    name: str

    @property
    def value(self) -> str:
        """As it stands in a URL, and in a form, which would change a name's line breaks."""
        return value(self.access, self.name)


def value(access: Listed, name: str) -> str:
    return f"{access.short}:{quote(name)}"


def picked(values: Iterable[str], accesses: list[Listed]) -> list[Pick]:
    """Return what was chosen; what is of no access, or no name, is left out."""
    by_short = {access.short: access for access in accesses}
    found = {}
    for text in values:
        short, _, name = text.partition(":")
        name = unquote(name).replace("\x00", "")
        if short in by_short and name:
            pick = Pick(by_short[short], name)
            found[pick.value] = pick
    return list(found.values())[:MOST]


def is_mixed(picks: list[Pick]) -> bool:
    """Tell whether they are of more than one access, which no one link form can take."""
    return len({pick.access.pk for pick in picks}) > 1
