"""Looking names up by prefix: a range of the index, its folders, and the manager itself while nothing was read."""

from dataclasses import dataclass, field

from django.db.models import Count, QuerySet, Value
from django.db.models.functions import StrIndex, Substr

from accesses import providers
from accesses import services as access_services
from accesses.models import Access
from external_secrets import inventory
from external_secrets.models import ExternalSecret, InventoryEntry, InventoryState

PAGE = 50
FOLDERS = 100
COUNTED = 1000
# Greater than every character that a name can hold, so that `name < prefix + LAST` ends the prefix's range.
LAST = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Folder:
    """A next path segment below a prefix: `prod/api/`, and how many names lie in it."""

    prefix: str
    label: str
    count: int


@dataclass(slots=True)
class Names:
    """One page of names. `after` and `cursor` lead to the next one; `total` is None when nobody counted."""

    rows: list[InventoryEntry] = field(default_factory=list)
    total: int | None = None
    more_than_total: bool = False
    after: str = ""
    cursor: str = ""
    live: bool = False


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why names could not be listed: what a page says instead of the list, or above it."""

    cause: str
    reason: str
    remedy: str
    permission: str = ""

    @property
    def label(self) -> str:
        return str(InventoryState.Cause(self.cause).label)


def clean_prefix(typed: str) -> str:
    """Return what was typed as something that a name can begin with."""
    # PostgreSQL's text holds no NUL, and a name of AWS no space at its start.
    return typed.replace("\x00", "").lstrip()[: inventory.LONGEST_NAME]


def under(access: Access, prefix: str) -> QuerySet[InventoryEntry]:
    """Return an access's names that begin with the prefix, as a range of the index."""
    rows = InventoryEntry.objects.filter(access=access)
    return rows.filter(name__gte=prefix, name__lt=prefix + LAST) if prefix else rows


def page(access: Access, prefix: str, after: str = "") -> Names:
    """Return the next 50 names that begin with the prefix."""
    found = under(access, prefix)
    rows = list((found.filter(name__gt=after) if after else found).order_by("name")[: PAGE + 1])
    more = len(rows) > PAGE
    rows = rows[:PAGE]
    total = found.order_by()[: COUNTED + 1].count() if more or after else len(rows)
    return Names(
        rows=rows,
        total=min(total, COUNTED),
        more_than_total=total > COUNTED,
        after=rows[-1].name if more else "",
    )


def folders(access: Access, prefix: str) -> list[Folder]:
    """Return the next path segments below the prefix's folder that hold names, at most a hundred, by one query."""
    base = prefix[: prefix.rfind("/") + 1]
    rest = Substr("name", len(base) + 1)
    found = (
        under(access, prefix)
        .annotate(rest=rest, slash=StrIndex(rest, Value("/")))
        .filter(slash__gt=0)
        .annotate(segment=Substr("rest", 1, StrIndex("rest", Value("/"))))
        .values("segment")
        .annotate(count=Count("*"))
        .order_by("segment")
    )
    return [Folder(base + row["segment"], row["segment"], row["count"]) for row in found[:FOLDERS]]


def crumbs(prefix: str) -> list[tuple[str, str]]:
    """Return the folders that lead to a prefix, as (label, prefix): `a/b/c` has `a/` and `a/b/`."""
    parts = prefix.split("/")[:-1]
    return [(f"{part}/", "/".join(parts[: position + 1]) + "/") for position, part in enumerate(parts)]


def live(access: Access, prefix: str, cursor: str = "") -> Names:
    """Return a page of names from the manager itself, filtered by its own means.

    :raises ProviderError: the manager refused or did not answer
    """
    found = access_services.connect(access).page(prefix=prefix, cursor=cursor)
    rows = [inventory.as_row(access, entry) for entry in found.entries if entry.name.startswith(prefix)]
    return Names(rows=sorted(rows, key=lambda row: row.name), cursor=found.cursor, live=True)


def trouble_of(error: providers.ProviderError) -> Trouble:
    """Return a manager's error as what a page says."""
    return Trouble(
        inventory.cause_of(error), error.reason, error.remedy, getattr(error, "permission", "") or ""
    )


def state_of(access: Access) -> InventoryState:
    """Return how fresh an access's inventory is; an unsaved state when nobody ever asked for it."""
    return InventoryState.objects.filter(access=access).first() or InventoryState(access=access)


def known_trouble(state: InventoryState) -> Trouble | None:
    """Return why the last reading failed, if it did."""
    if not state.error:
        return None
    cause = state.cause or InventoryState.Cause.FAILED
    return Trouble(cause, state.error, state.remedy, state.permission)


def users_of(access: Access, rows: list[InventoryEntry]) -> dict[str, list[ExternalSecret]]:
    """Return the links that use each of the names, by name or by reference, with one query."""
    keys = {key: row.name for row in rows for key in (row.name, row.reference) if key}
    links = ExternalSecret.objects.filter(access=access, key__in=keys).select_related(
        "service__cluster", "cluster"
    )
    found: dict[str, list[ExternalSecret]] = {}
    for link in links:
        found.setdefault(keys[link.key], []).append(link)
    return found


def knows(access: Access, state: InventoryState, key: str) -> bool | None:
    """Tell whether a name or reference exists upstream; None when the console cannot say.

    References into another account than the inventory's are never listed, so nothing can be said of them.
    """
    rows = InventoryEntry.objects.filter(access=access)
    if rows.filter(name=key).exists() or rows.filter(reference=key).exists():
        return True
    if state.error:
        return None
    if state.read_at is None:
        return _ask(access, key)
    if key.startswith("arn:"):
        account = ":".join(key.split(":")[:5]) + ":"
        return False if rows.filter(reference__startswith=account).exists() else None
    return False


def _ask(access: Access, key: str) -> bool | None:
    try:
        found = access_services.connect(access).page(prefix=key)
    except providers.ProviderError:
        return None
    if any(key in (entry.name, entry.reference) for entry in found.entries):
        return True
    return None if found.cursor or key.startswith("arn:") else False
