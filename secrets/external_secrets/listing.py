"""A list of links as people have it at hand: lines such as `DB_PASSWORD=prod/db#password` of an environment file."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError

from accesses.models import Access
from accesses.providers.references import NotReadable
from external_secrets import batches, browsing, naming, placing, references
from external_secrets.models import InventoryEntry, variable_rule

_NAMED = re.compile(r"(?:export\s+)?(?P<name>[^=/:\s\"'#]+)\s*=\s*(?P<rest>.*)\Z", re.DOTALL)
_COMMENT = re.compile(r"\s+#.*\Z", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")


@dataclass(slots=True)
class Line:
    """One line that says something: its number, what it becomes, and what is wrong or uncertain about it."""

    number: int
    text: str
    variable: str = ""
    key: str = ""
    json_field: str = ""
    version: str = ""
    error: str = ""
    warning: str = ""

    @property
    def values(self) -> dict[str, Any]:
        """The columns of the link."""
        return {
            "variable": self.variable,
            "key": self.key,
            "json_field": self.json_field,
            "version": self.version,
        }


@dataclass(slots=True)
class Listed:
    """All lines; `too_many` counts those beyond what a list may have."""

    lines: list[Line] = field(default_factory=list)
    too_many: int = 0

    @property
    def wrong(self) -> list[Line]:
        return [line for line in self.lines if line.error]

    @property
    def uncertain(self) -> list[Line]:
        return [line for line in self.lines if line.warning and not line.error]


def read(access: Access, text: str) -> Listed:
    """Return what a list says, without a query; every line knows what is wrong with it."""
    found, places = Listed(), _Places(access)
    # What Windows writes at the beginning of a file is no part of a name.
    text = text.removeprefix("\ufeff")
    for number, raw in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        stripped = _CONTROL.sub(" ", raw).strip()
        if not stripped or stripped.startswith("#"):
            continue
        if len(found.lines) >= batches.LONGEST:
            found.too_many += 1
            continue
        found.lines.append(_line(places, number, stripped))
    _refuse_twice(found.lines)
    return found


class _Places:
    """Which regions and accounts an access can read, each asked once: many lines name the same ones."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._refusals: dict[tuple[str, str], str] = {}

    def check(self, found: references.Reference) -> None:
        """Refuse a reference that the access cannot read.

        :raises NotReadable: with the reason
        """
        where = found.region, found.account
        if where not in self._refusals:
            self._refusals[where] = ""
            try:
                references.check(self.access, found, {})
            except NotReadable as error:
                self._refusals[where] = str(error)
        if self._refusals[where]:
            raise NotReadable(self._refusals[where])


def _line(places: _Places, number: int, text: str) -> Line:
    line = Line(number, text[:200])
    try:
        name, rest = _split(text)
        _take(line, places, name, rest)
    except NotReadable as error:
        line.error = str(error)
    except ValidationError as error:
        line.error = f"{line.variable} is not a legal name. {error.message}"
    return line


def _split(text: str) -> tuple[str, str]:
    """Return a variable, empty where none is named, and the reference; a name of a secret can have `=` as well."""
    named = _NAMED.match(text)
    name, rest = (named["name"], named["rest"]) if named else ("", text)
    if named is None and text.startswith("export "):
        rest = text.removeprefix("export ").strip()
    if rest[:1] in ("'", '"'):
        inside, mark, after = rest[1:].partition(rest[0])
        if not mark:
            raise NotReadable(f"The quote {rest[0]} has no end.")
        if after.strip() and not after.strip().startswith("#"):
            raise NotReadable(f"“{after.strip()[:40]}” stands behind the quotes.")
        return name, inside.strip()
    return name, _COMMENT.sub("", rest).strip()


def _take(line: Line, places: _Places, name: str, rest: str) -> None:
    line.variable = name
    if not rest:
        raise NotReadable(f"{name or 'It'} names no secret.")
    found = references.parse(places.access, rest)
    places.check(found)
    line.key, line.json_field = found.key, found.json_field
    versions = {part: getattr(found, part) for part in ("version_id", "version_stage", "version")}
    rules = references.options(places.access)
    read = {"key": found.key, "json_field": found.json_field}
    for _, why in (*rules.wrong_versions(versions), *rules.impossible("value", read)):
        raise NotReadable(why)
    line.version = rules.version_of(versions)
    line.variable = name or naming.derive_variable(found.key, found.json_field)
    if len(line.variable) > naming.LONGEST:
        raise NotReadable(f"The variable's name has more than {naming.LONGEST} characters.")
    variable_rule(line.variable)


def _refuse_twice(lines: list[Line]) -> None:
    first: dict[str, int] = {}
    for line in lines:
        if line.error or not line.variable:
            continue
        before = first.setdefault(line.variable, line.number)
        if before != line.number:
            line.error = f"Line {before} makes {line.variable} too."


def judge(access: Access, place: placing.Place | None, listed: Listed, usual: dict[str, Any]) -> None:
    """Put on each line what is in its way at the place, and whether its name is known, by a few queries in all."""
    right = [line for line in listed.lines if not line.error]
    if place is not None:
        errors = batches.check(place, [usual | line.values for line in right])
        for position, text in errors.items():
            right[position].error = text
    known = _known(access, {line.key for line in right})
    if known is None:
        return
    for line in right:
        if line.key in known:
            continue
        # Of another account's nothing is listed.
        if ":" in line.key:
            line.warning = f"{access} lists no such name."
        else:
            line.error = line.error or f"There is no secret named {line.key} in {access}."


def _known(access: Access, keys: set[str]) -> set[str] | None:
    """Return which of the names the access lists, None when nothing can be said."""
    state = browsing.state_of(access)
    if state.read_at is None or state.error or state.truncated:
        return None
    entries = InventoryEntry.objects.filter(access=access)
    found = set(entries.filter(name__in=keys).values_list("name", flat=True))
    arns = {key for key in keys if ":" in key or key.isdecimal()}
    return (
        found | set(entries.filter(reference__in=arns).values_list("reference", flat=True)) if arns else found
    )


def write(keys: Iterable[str]) -> str:
    """Return names as lines with a variable each; of names that end alike, with what stands before."""
    lines, taken = [], set()
    for raw in keys:
        key = _CONTROL.sub(" ", raw).strip()
        variable = naming.derive_variable(key)
        if variable in taken:
            variable = naming.derive_variable("_".join(naming.plain_name(key).strip("/").split("/")[-2:]))
        taken.add(variable)
        lines.append(f"{variable}={_quoted(key)}" if variable else _quoted(key))
    return "\n".join(lines)


def _quoted(key: str) -> str:
    if not re.search(r"[\s'\"]", key):
        return key
    return f'"{key}"' if '"' not in key else f"'{key}'"
