"""What is searched for: the words of the box and the filters of the URL, as rows of the inventory."""

import dataclasses
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import BooleanField, Func, Q, QuerySet, Value
from django.db.models.functions import Lower

from accounts.limits import whole
from external_secrets import inventory
from external_secrets.models import InventoryEntry

LONGEST_TAG = 2000
MOST_TAGS = 10
# Greater than every character that a name can hold, so that `name < prefix + LAST` ends the prefix's range.
LAST = "\U0010ffff"
ONLY = {"linked": "Linked", "gone": "Gone upstream", "deleted": "Scheduled for deletion"}
# `tag:stage=prod`, `tag:stage`, `tag:owner="team a"`, on its own between spaces.
_TYPED_TAG = re.compile(
    r'(?<!\S)tag:(?P<name>[^\s="]+)(?P<is>=(?:"(?P<quoted>[^"]*)"|(?P<plain>\S*)))?(?!\S)'
)
_LOWERED = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_REFERENCE = re.compile(r"arn:[^:]*:|projects/[^/]+/(locations/[^/]+/)?secrets/")


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag that a secret must have; with a value of None whatever its value."""

    name: str
    value: str | None = None

    @classmethod
    def of(cls, text: str) -> "Tag":
        """Return the tag of a URL: `name=value`, or the name alone; in a name `=` is `%3D` and `%` is `%25`."""
        name, equals, value = text.partition("=")
        return cls(name.replace("%3D", "=").replace("%25", "%"), value if equals else None)

    @property
    def parameter(self) -> str:
        """As it stands in a URL."""
        name = self.name.replace("%", "%25").replace("=", "%3D")
        return name if self.value is None else f"{name}={self.value}"

    @property
    def label(self) -> str:
        return f"{self.name}: {self.value}" if self.value else self.name


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose names: an organization's, or only those of some of its accesses, or of these only some.

    `reach` are accesses with what those of their names begin with that may be seen, where not all may; `links` keeps
    the links that may be seen.
    """

    organization: int
    accesses: tuple[uuid.UUID, ...] | None = None
    reach: tuple[tuple[uuid.UUID, tuple[str, ...]], ...] = ()
    links: Q = dataclasses.field(default_factory=Q)

    def rows(self) -> QuerySet[InventoryEntry]:
        """Return its names as a range of the index that has them in order."""
        if self.accesses is not None and len(self.accesses) == 1:
            found = InventoryEntry.objects.filter(access_id=self.accesses[0])
        else:
            found = InventoryEntry.objects.filter(organization_id=self.organization)
            found = found if self.accesses is None else found.filter(access_id__in=self.accesses)
        return found.filter(self._reached()) if self.reach else found

    def _reached(self) -> Q:
        """Return the ranges of names of each access that may be seen."""
        limited = {access for access, _ in self.reach}
        rule = Q(access_id__in=[access for access in self.accesses or () if access not in limited])
        for prefixes, accesses in self.ranges().items():
            inside = Q(pk__in=[])
            for prefix in prefixes:
                inside |= Q(name__gte=prefix, name__lt=prefix + LAST)
            rule |= Q(access_id__in=accesses) & inside
        return rule

    def ranges(self) -> dict[tuple[str, ...], list[uuid.UUID]]:
        """Return the accesses of which the same names may be seen, by what these begin with."""
        found: dict[tuple[str, ...], list[uuid.UUID]] = {}
        for access, prefixes in self.reach:
            found.setdefault(prefixes, []).append(access)
        return found

    def has(self, access: uuid.UUID, name: str) -> bool:
        """Tell whether a name of one of its accesses may be seen."""
        return name.startswith(dict(self.reach).get(access, whole))

    @property
    def one(self) -> uuid.UUID | None:
        """The access, when there is only one."""
        return self.accesses[0] if self.accesses is not None and len(self.accesses) == 1 else None


@dataclass(frozen=True, slots=True)
class Search:
    """What names must be like. `text` is what they begin with or contain; `field` goes along to the link."""

    typed: str = ""
    text: str = ""
    contains: bool = False
    field: str = ""
    reference: str = ""
    tags: tuple[Tag, ...] = ()
    chips: tuple[Tag, ...] = ()
    only: str = ""

    @classmethod
    def of(cls, typed: str, *, contains: bool = False, tags: Iterable[str] = (), only: str = "") -> "Search":
        """Read what was typed: words, `name#field`, an ARN, `tag:stage=prod`."""
        typed = clean_prefix(typed)
        inside = tuple(
            Tag(one["name"], one["quoted"] if one["quoted"] is not None else one["plain"])
            for one in _TYPED_TAG.finditer(typed)
        )
        rest = _TYPED_TAG.sub("", typed).strip() if inside else typed
        name, _, field = rest.partition("#")
        reference = name if _REFERENCE.match(name) else ""
        chips = tuple(dict.fromkeys(Tag.of(text.replace("\x00", "")[:LONGEST_TAG]) for text in tags))[
            :MOST_TAGS
        ]
        return cls(
            typed=typed,
            text=_name_in(reference) if reference else name,
            contains=contains and not reference,
            field=field.strip()[:300],
            reference=reference,
            tags=(*chips, *inside[:MOST_TAGS]),
            chips=chips,
            only=only if only in ONLY else "",
        )

    @property
    def is_empty(self) -> bool:
        return not (self.text or self.tags or self.only)

    @property
    def is_plain(self) -> bool:
        """Whether it is nothing but the beginning of names, so that folders and exact counts make sense."""
        return not (self.contains or self.reference or self.tags or self.only)

    def parameters(self, **changed: Any) -> dict[str, Any]:
        """Return it as parameters of a URL."""
        found = {
            "q": self.typed,
            "mode": "contains" if self.contains else "",
            "tag": [tag.parameter for tag in self.chips],
            "filter": self.only,
        } | changed
        return {name: value for name, value in found.items() if value}

    def with_tag(self, tag: Tag) -> dict[str, Any]:
        """Return the parameters of this search for those that have a tag, too."""
        return self.parameters(tag=[one.parameter for one in dict.fromkeys((*self.chips, tag))])

    def without_tag(self, tag: Tag) -> dict[str, Any]:
        return self.parameters(tag=[one.parameter for one in self.chips if one != tag])

    def rows(self, scope: Scope) -> QuerySet[InventoryEntry]:
        """Return the names of a scope that are like this, in no order; links are not looked at."""
        found = scope.rows()
        if self.contains and self.text:
            found = found.filter(_contains(self.text))
        elif self.text:
            found = begins_with(found, self.text)
        for tag in self.tags:
            wanted = (
                Q(tags__has_key=tag.name) if tag.value is None else Q(tags__contains={tag.name: tag.value})
            )
            found = found.filter(wanted)
        if self.reference:
            found = found.filter(reference__startswith=self.reference)
        return found.filter(deletes_at__isnull=False) if self.only == "deleted" else found


def clean_prefix(typed: str) -> str:
    """Return what was typed as something that a name can begin with."""
    # PostgreSQL's text holds no NUL, and a name of AWS no space at its start.
    return typed.replace("\x00", "").lstrip()[: inventory.LONGEST_NAME]


def begins_with(rows: QuerySet[InventoryEntry], prefix: str) -> QuerySet[InventoryEntry]:
    """Keep the names that begin with a prefix, as a range of an index."""
    return rows.filter(name__gte=prefix, name__lt=prefix + LAST) if prefix else rows


def _name_in(reference: str) -> str:
    """Return what the name in a reference begins with, as far as the reference is typed and tells."""
    if not reference.startswith("arn:"):
        return reference.partition("/secrets/")[2].partition("/")[0]
    *place, rest = reference.split(":", 5)
    if len(place) < 5:
        return ""
    if place[2] == "secretsmanager":
        # It ends with a hyphen and six characters of AWS's own, which may not be typed yet.
        return re.sub(r"-[A-Za-z0-9]{0,6}\Z", "", rest.partition(":")[2])
    # The ARNs of the parameters `name` and `/name` are the same.
    name = rest.removeprefix("parameter")
    return name if name.count("/") > 1 else ""


def _contains(text: str) -> Q:
    """Return the condition that a name contains a text, in whatever case.

    `lower` of a C-collated column folds ASCII only, so other letters are looked for in both of their cases. The
    text is taken literally: `strpos` knows no wildcard, and reads the names from the index alone.
    """
    wanted = Q()
    for form in dict.fromkeys(one.translate(_LOWERED) for one in (text, text.lower(), text.upper())):
        wanted |= Q(_Holds(Lower("name"), Value(form)))
    return wanted


class _Holds(Func):
    """Whether a text holds another one."""

    template = "(strpos(%(expressions)s) > 0)"
    output_field = BooleanField()
