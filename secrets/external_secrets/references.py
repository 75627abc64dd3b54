"""What a link takes: a reference as it was typed, what several of them would yield, and how the operator names keys."""

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from accesses import providers
from accesses.models import Access
from accesses.providers.references import LONGEST_FIELD, Note, NotReadable, Reference, References
from external_secrets import browsing, browsing_search, wanted
from external_secrets.models import ExternalSecret, InventoryEntry, InventoryState

Takes = ExternalSecret.Takes
# So many names stand in a preview.
SHOWN = 50
# So many are looked at, for keys that would be the same and for tags.
LOOKED_AT = 5000

_KEPT = re.compile(r"[^\w.-]")
_LEGAL = re.compile(r"[A-Za-z0-9._-]+\Z")


def options(access: Access) -> References:
    """Return what a reference through an access can be."""
    return providers.PROVIDERS[access.provider].references_of(access)


def parse(access: Access, text: str) -> Reference:
    """Return what a person typed or pasted: a name, `name#field`, an ARN, a link of the cloud's console.

    :raises NotReadable: it names no secret of the access's provider
    """
    return options(access).read(text.replace("\x00", ""))


def check(access: Access, reference: Reference, overrides: Mapping[str, str]) -> list[Note]:
    """Return what to know of a reference.

    :raises NotReadable: the access cannot read it; the error's `offer` says how it could
    """
    return options(access).check(access, reference, overrides)


# -- how the operator names keys -----------------------------------------------------------------------------
def key_of(name: str) -> str:
    """Return the key of the target Secret that the operator makes of a found name: what is illegal becomes `_`."""
    return _KEPT.sub("_", name)


@dataclass(frozen=True, slots=True)
class Found:
    """One secret of several: its name, its key in the target Secret, and the variable that the key becomes."""

    name: str
    key: str
    variable: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What a link to several secrets would yield by the inventory as it is; `unknown` says why that cannot be told.

    `total` counts up to LOOKED_AT, `more` says that there are more. Each of `collisions` is a key with the names that
    would all become it: the operator then takes none of them at all.
    """

    names: list[Found] = field(default_factory=list)
    total: int = 0
    more: bool = False
    age: datetime.datetime | None = None
    unknown: str = ""
    collisions: list[tuple[str, list[str]]] = field(default_factory=list)
    illegal: list[str] = field(default_factory=list)

    @property
    def rest(self) -> int:
        """How many are not shown."""
        return self.total - len(self.names)


def preview(access: Access, values: Mapping[str, Any], prefix: str = "") -> Preview:
    """Return what `values` (takes, key, tags) would yield, by two queries; variables begin with `prefix`."""
    takes, rules = values.get("takes"), options(access)
    if takes == Takes.KEYS:
        return Preview(
            unknown="Which keys it has is not known before the first sync: Keyhaven never reads a value."
        )
    if takes == Takes.TAGS and not rules.tags_listed:
        return Preview(
            unknown=f"{providers.PROVIDERS[access.provider].label} lists names without tags: what has these is known after "
            "the first sync."
        )
    state = browsing.state_of(access)
    if state.read_at is None:
        return Preview(unknown=f"The names of {access} were not read yet.")
    found = _names(access, values, rules)
    return _preview(found, state, prefix)


def _names(access: Access, values: Mapping[str, Any], rules: References) -> list[str]:
    """Return the first names that would be taken, one more than are looked at."""
    if values.get("takes") == Takes.PATH:
        start = rules.below.prefix(str(values.get("key", "")))
        rows = browsing_search.begins_with(InventoryEntry.objects.filter(access=access), start)
        return list(rows.order_by("name").values_list("name", flat=True)[: LOOKED_AT + 1])
    asked = values.get("tags") or {}
    entries = InventoryEntry.objects.filter(access=access).exclude(tags={}).order_by("name")
    found = []
    for name, tags in entries.values_list("name", "tags").iterator(2000):
        if asked and rules.has_tags(asked, tags):
            found.append(name)
            if len(found) > LOOKED_AT:
                break
    return found


def _preview(names: list[str], state: InventoryState, prefix: str) -> Preview:
    more = len(names) > LOOKED_AT
    names = names[:LOOKED_AT]
    by_key: dict[str, list[str]] = {}
    for name in names:
        by_key.setdefault(key_of(name), []).append(name)
    shown = [
        Found(name, key_of(name), wanted.variable_of(prefix, key_of(name)))
        for name in names[:SHOWN]
    ]  # fmt: skip
    return Preview(
        shown,
        total=len(names),
        more=more or state.truncated,
        age=state.refreshed_at or state.read_at,
        collisions=[(key, same) for key, same in by_key.items() if len(same) > 1],
        illegal=[key for key in by_key if not _LEGAL.match(key)],
    )


__all__ = [
    "LONGEST_FIELD",
    "Found",
    "NotReadable",
    "Note",
    "Preview",
    "Reference",
    "check",
    "key_of",
    "options",
    "parse",
    "preview",
]
