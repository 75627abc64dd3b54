"""What a link will do, in a sentence, before it is made."""

from dataclasses import dataclass
from typing import Any

from accesses.models import Access
from external_secrets import clashes, costs, placing
from external_secrets.models import ExternalSecret

_INTERVALS = {3600: "hour", 86400: "day"}


@dataclass(frozen=True, slots=True)
class Preview:
    """A sentence, what else there is of the same name and which one wins, what it costs, which quotas come near."""

    sentence: str
    beside: list[str]
    cost: str
    warnings: tuple[str, ...]


def of(access: Access, place: placing.Place, values: dict[str, Any], around: clashes.Around) -> Preview:
    """Return what a link of these values will do there. An alias says so by `alias_of`."""
    link = ExternalSecret(access=access, **placing.columns(place), **values)
    cost = costs.of(link)
    sentence = f"{place.words} {gets(link)}{_read(link)}."
    if link.restart_on_change:
        sentence += " It starts anew when the value changes."
    return Preview(sentence, around.beside(values), cost.text, cost.warnings)


def gets(link: ExternalSecret) -> str:
    """Return what arrives and from where: `gets DB_PASSWORD from field password of prod/db`."""
    source = {
        "keys": f"every key of {link.key}",
        "path": f"every secret below {link.key}",
        "tags": f"every secret with {link.words_of_tags}",
    }.get(str(link.takes), link.key)
    if link.json_field:
        source = f"field {link.json_field} of {source}"
    if link.version:
        source += f", version {link.version}"
    return f"gets {_arrives(link)} from {source}"


def _arrives(link: ExternalSecret) -> str:
    several = link.takes != ExternalSecret.Takes.VALUE
    file = f"files in {link.path}" if several else f"the file {link.path}"
    if link.target == ExternalSecret.Target.FILE:
        return file
    if link.target == ExternalSecret.Target.BOTH:
        return f"{file}, and its path in {link.variable},"
    if several:
        return f"variables that begin with {link.variable}" if link.variable else "variables"
    return link.variable


def every(seconds: int) -> str:
    """Return an interval in words: `hour`, `5 minutes`."""
    if seconds in _INTERVALS:
        return _INTERVALS[seconds]
    for unit, word in ((3600, "hours"), (60, "minutes")):
        if seconds % unit == 0:
            return f"{seconds // unit} {word}"
    return f"{seconds} seconds"


def _read(link: ExternalSecret) -> str:
    if link.alias_of is not None:
        return f", as {link.alias_of.title} does"
    return f", read about every {every(link.refresh_seconds)}"
