"""Looking names up: a range of the index, or the manager itself while nothing was read."""

import json
import uuid
from dataclasses import dataclass, field

from django.db import connection
from django.db.models import Q, QuerySet

from accesses import providers
from accesses import services as access_services
from accesses.models import Access
from accounts.limits import shared, whole
from external_secrets import browsing_uses, inventory
from external_secrets.browsing_search import LAST, Scope, Search
from external_secrets.models import InventoryEntry, InventoryState

PAGE = 50
# As somebody types.
FEW = 20
COUNTED = 1000
_COLUMNS = [field.attname for field in InventoryEntry._meta.concrete_fields]
_FIRST = f"""
SELECT {", ".join(_COLUMNS).replace("tags", "tags::text")}
FROM external_secrets_inventoryentry
WHERE {{whose}} = %s AND name >= %s AND name < %s
ORDER BY name, access_id
LIMIT %s
"""  # noqa: S608  our own column names


@dataclass(slots=True)
class Names:
    """One page of names. `after` and `cursor` lead to the next one; `total` is None when nobody counted."""

    rows: list[InventoryEntry] = field(default_factory=list)
    total: int | None = None
    after: str = ""
    cursor: str = ""
    live: bool = False
    # Names that only links have.
    gone: bool = False


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


def page(scope: Scope, search: Search, after: str = "", size: int = PAGE) -> Names:
    """Return the next names that are like the search, by the index's order; counted only when they end here."""
    if search.only == "gone":
        return _gone_page(scope, search, after, size)
    if search.is_plain and not (after or scope.reach) and (scope.one or scope.accesses is None):
        return _first_of(_first_rows(scope, search.text, size + 1), size)
    found = _behind(_rows(scope, search), after).order_by("name", "access_id")
    # What looks into every name reads them from the index alone, and then the rows of those few.
    rows = _rows_of(found, size + 1) if search.contains else list(found[: size + 1])
    names = _first_of(rows, size)
    names.total = None if after else names.total
    return names


def _first_of(rows: list[InventoryEntry], size: int) -> Names:
    """Return the first page of so many names, of which one more was read."""
    more = len(rows) > size
    rows = rows[:size]
    return Names(rows, None if more else len(rows), f"{rows[-1].access_id}:{rows[-1].name}" if more else "")


def _first_rows(scope: Scope, prefix: str, limit: int) -> list[InventoryEntry]:
    """Return the first names that begin with a prefix. By hand: this is asked at each keystroke."""
    whose, of = ("access_id", scope.one) if scope.one else ("organization_id", scope.organization)
    with connection.cursor() as cursor:
        cursor.execute(_FIRST.format(whose=whose), [of, prefix, prefix + LAST, limit])
        found = cursor.fetchall()
    at = _COLUMNS.index("tags")
    rows = ([*row[:at], json.loads(row[at]), *row[at + 1 :]] for row in found)
    return [InventoryEntry.from_db(connection.alias, _COLUMNS, row) for row in rows]


def count(scope: Scope, search: Search) -> int:
    """Return how many names are like the search; more than a thousand are counted as 1001."""
    if search.only == "gone":
        return len(browsing_uses.gone(scope, search))
    return _rows(scope, search).order_by()[: COUNTED + 1].count()


def _rows(scope: Scope, search: Search) -> QuerySet[InventoryEntry]:
    rows = search.rows(scope)
    return browsing_uses.linked(scope, rows) if search.only == "linked" else rows


def _rows_of(found: QuerySet[InventoryEntry], size: int) -> list[InventoryEntry]:
    keys = list(found.values_list("name", "access_id")[:size])
    names, accesses = {name for name, _ in keys}, {access for _, access in keys}
    rows = InventoryEntry.objects.filter(access_id__in=accesses, name__in=names)
    by_key = {(row.name, row.access_id): row for row in rows}
    return [by_key[key] for key in keys if key in by_key]


def _cursor(after: str) -> tuple[str, uuid.UUID] | None:
    """Return the name and the access that a page ended with; a broken cursor begins at the top."""
    access, _, name = after.replace("\x00", "").partition(":")
    try:
        return name, uuid.UUID(access)
    except ValueError:
        return None


def _behind(rows: QuerySet[InventoryEntry], after: str) -> QuerySet[InventoryEntry]:
    last = _cursor(after)
    if last is None:
        return rows
    name, access = last
    return rows.filter(Q(name__gt=name) | Q(access_id__gt=access), name__gte=name)


def _gone_page(scope: Scope, search: Search, after: str, size: int) -> Names:
    last = _cursor(after)
    found = browsing_uses.gone(scope, search)
    rest = [key for key in found if last is None or key > last]
    rows = [InventoryEntry(access_id=access, name=name) for name, access in rest[:size]]
    more = len(rest) > size
    return Names(rows, len(found), f"{rows[-1].access_id}:{rows[-1].name}" if more else "", gone=True)


def live(access: Access, prefix: str, cursor: str = "", reach: tuple[str, ...] = whole) -> Names:
    """Return a page of names from the manager itself, filtered by its own means; of those that begin as `reach` says.

    :raises ProviderError: the manager refused or did not answer
    """
    inside = shared((prefix,), reach)
    if not inside:
        return Names(live=True)
    # Of several beginnings the manager is asked for what they have in common.
    asked = inside[0] if len(inside) == 1 else prefix
    found = access_services.connect(access).page(prefix=asked, cursor=cursor)
    rows = [inventory.as_row(access, entry) for entry in found.entries if entry.name.startswith(inside)]
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


def knows(access: Access, state: InventoryState, key: str) -> bool | None:
    """Tell whether a name or reference exists upstream; None when the console cannot say.

    References into another account than the inventory's are never listed, so nothing can be said of them.
    """
    if "\x00" in key:
        # No name has it, and PostgreSQL cannot be asked for it.
        return False
    rows = InventoryEntry.objects.filter(access=access)
    if rows.filter(name=key).exists() or rows.filter(reference=key).exists():
        return True
    if state.error:
        return None
    if state.read_at is None or state.truncated:
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
