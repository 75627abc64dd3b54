"""The list of credentials: filtered, sorted and cut by what the URL says."""

import dataclasses
import datetime
from typing import Any

from django import forms
from django.db.models import (
    Case,
    CharField,
    DateTimeField,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    IntegerField,
    OuterRef,
    Q,
    Value,
    When,
)  # fmt: skip
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from credentials import clouds, usage
from credentials.clouds.base import Cloud, Method
from credentials.models import SOON, USES, CloudCredential

PAGE = 50
# Credentials, perhaps `with_use`.
type Rows = Any
_NEVER_USED = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_NEVER_ENDS = datetime.datetime(9999, 1, 1, tzinfo=datetime.UTC)
_BORN = Coalesce("made_at", "set_at")
_DUE = ExpressionWrapper(
    _BORN
    + ExpressionWrapper(
        F("rotate_days") * Value(datetime.timedelta(days=1), output_field=DurationField()),
        output_field=DurationField(),
    ),
    output_field=DateTimeField(),
)
# What to sort by → its expression. The oldest key is the one with the greatest age.
SORTS: dict[str, Any] = {
    "name": F("name"),
    "age": _BORN,
    "used": Coalesce("used_at", Value(_NEVER_USED, output_field=DateTimeField())),
    "expires": Coalesce("expires_at", Value(_NEVER_ENDS, output_field=DateTimeField())),
}
STATES = (
    ("failing", "Failing"),
    ("expiring", "Ends soon or has ended"),
    ("due", "Rotation due"),
    ("rotating", "Rotation under way"),
    ("unused", "Unused"),
)


class Filter(forms.Form):
    """What the URL may ask for; a value that is none of these counts as not given."""

    q = forms.CharField(required=False, max_length=200, label="Filter by name or identity")
    cloud = forms.ChoiceField(required=False, label="Cloud")
    state = forms.ChoiceField(required=False, choices=(("", "Any state"), *STATES), label="State")

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        known = [(cloud.slug, cloud.label) for cloud in clouds.CLOUDS.values()]
        field: Any = self.fields["cloud"]
        field.choices = [("", "Any cloud"), *known]
        for name in ("cloud", "state"):
            self.fields[name].widget.attrs |= {"class": "select", "id": name}

    @property
    def selects(self) -> list[forms.BoundField]:
        return [self["cloud"], self["state"]]


def _over() -> Any:
    rotations = usage.related("rotations")
    return rotations.objects.exclude(status__in=rotations.OVER).order_by()


def with_use(rows: Rows) -> Rows:
    """Add `unused`: 0 for what anything uses, else 1, so that it sorts last."""
    uses = Q()
    for name in USES:
        uses |= Q(Exists(usage.related(name).objects.filter(**{usage.column(name): OuterRef("pk")})))
    return rows.annotate(unused=Case(When(uses, then=0), default=1, output_field=IntegerField()))


def filtered(rows: Rows, asked: dict[str, Any]) -> Rows:
    """Keep what `q`, `cloud` and `state` ask for, of rows `with_use`."""
    if text := asked.get("q", "").replace("\x00", "").strip():
        facts = [
            f"facts__{name}__icontains"
            for name in ("arn", "email", "client", "key_id", "principal", *_ACCOUNTS)
        ]
        rule = Q(name__icontains=text)
        for lookup in facts:
            rule |= Q(**{lookup: text})
        rows = rows.filter(rule)
    if asked.get("cloud"):
        rows = rows.filter(cloud=asked["cloud"])
    return _in_state(rows, asked.get("state", ""))


_ACCOUNTS = ("account", "project", "subscription", "tenant")


def _in_state(rows: Rows, state: str) -> Rows:
    now = timezone.now()
    if state == "failing":
        return rows.exclude(check_error="")
    if state == "expiring":
        return rows.filter(expires_at__lt=now + SOON)
    if state == "due":
        return rows.annotate(due_at=_DUE).filter(Q(due_at__lte=now) | Q(expires_at__lte=now))
    if state == "rotating":
        return rows.filter(Exists(_over().filter(credential=OuterRef("pk"))))
    return rows.filter(unused=1) if state == "unused" else rows


@dataclasses.dataclass(slots=True)
class Row:
    """One credential of the list, with what is told of it."""

    credential: CloudCredential
    cloud: Cloud | None
    method: Method | None
    counts: usage.Counts
    rotating: bool

    @property
    def due(self) -> bool:
        """Its keys are to be replaced, and nobody is about to."""
        at = self.credential.rotate_at
        return at is not None and at <= timezone.now() and not self.rotating

    @property
    def unused(self) -> bool:
        return bool(getattr(self.credential, "unused", self.counts.clusters == 0))


@dataclasses.dataclass(slots=True)
class Page:
    """Some of the list; `more` is the cursor of the next rows."""

    rows: list[Row]
    total: int
    more: str = ""


def cut(rows: Rows, *, sort: str = "name", after: str = "", size: int = PAGE) -> Page:
    """Return a page of rows `with_use`: those in use first, then by `sort`, a name of `SORTS`, perhaps with a `-`.

    Four queries, however many rows there are.
    """
    field, down = sort.removeprefix("-"), sort.startswith("-")
    if field not in SORTS:
        field, down = "name", False
    ordered = rows.annotate(place=SORTS[field]).order_by("unused", "-place" if down else "place", "name")
    found = list(_beyond(ordered, field, down, after).defer("secret")[: size + 1])
    more = _cursor(found[size - 1], field) if found[size:] else ""
    return Page(described(found[:size]), rows.count(), more)


def _cursor(row: Any, field: str) -> str:
    place = row.name if field == "name" else row.place.isoformat()
    return f"{row.unused},{place},{row.name}"


def _beyond(rows: Rows, field: str, down: bool, after: str) -> Rows:
    """Keep what comes after a cursor; one that is none begins at the top."""
    unused, _, rest = after.partition(",")
    text, _, name = rest.partition(",")
    if unused not in ("0", "1") or not name or "\x00" in after:
        return rows
    try:
        place: Any = text if field == "name" else parse_datetime(text)
    except ValueError:
        return rows
    if place is None or (field != "name" and place.tzinfo is None):
        return rows
    output = CharField() if field == "name" else DateTimeField()
    there = Value(place, output_field=output)
    later = Q(**{f"place__{'lt' if down else 'gt'}": there}) | Q(place=there, name__gt=name)
    return rows.filter(Q(unused__gt=int(unused)) | (Q(unused=int(unused)) & later))


def described(credentials: list[CloudCredential]) -> list[Row]:
    counted = usage.counts(credentials)
    rotating = set(_over().filter(credential__in=credentials).values_list("credential", flat=True))
    return [
        Row(one, *known(one), counts=counted.get(one.pk, usage.Counts()), rotating=one.pk in rotating)
        for one in credentials
    ]


def known(credential: CloudCredential) -> tuple[Cloud | None, Method | None]:
    """Return the cloud and the method of a credential, as far as this version has them."""
    cloud = clouds.CLOUDS.get(credential.cloud)
    return cloud, cloud.method(credential.method) if cloud else None
