"""The folders of names: the next path segments below a prefix, found by leaps over the index."""

from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Count, Value
from django.db.models.functions import StrIndex, Substr

from external_secrets.browsing_search import LAST, Scope, begins_with
from external_secrets.models import InventoryEntry

FOLDERS = 100
COUNTED = 1000
# So many leaps at most: names beside the folders cost one each.
LEAPS = 400

# `name` alone in ORDER BY would be the segment, as which PostgreSQL names the result too.
# Each step leaps to the first name behind the folder (or the name) of the step before, by one look into the index.
_LEAP = """
WITH RECURSIVE step(segment, number, folders) AS (
  (SELECT {segment}, 1, 0 FROM {table} WHERE {scope} AND name >= %(prefix)s AND name < %(prefix)s || %(last)s
   ORDER BY {table}.name LIMIT 1)
  UNION ALL
  SELECT (SELECT {segment} FROM {table} WHERE {scope} AND name < %(prefix)s || %(last)s
          AND name > CASE WHEN {folder} THEN step.segment || %(last)s ELSE step.segment END
          ORDER BY {table}.name LIMIT 1), number + 1, folders + CASE WHEN {folder} THEN 1 ELSE 0 END
  FROM step WHERE segment IS NOT NULL AND number < %(leaps)s AND folders < %(most)s
)
SELECT segment, CASE WHEN {folder} THEN (
  SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {scope} AND name >= segment AND name < segment || %(last)s
                        LIMIT %(counted)s) AS counted) END
FROM step WHERE segment IS NOT NULL ORDER BY number
"""
_FOLDER = "right(step.segment, 1) = '/' AND length(step.segment) > %(base)s"
# The part of a name up to and with the next slash, or all of it when there is none.
_SEGMENT = """CASE WHEN strpos(substr(name, %(base)s + 1), '/') > 0
  THEN left(name, %(base)s + strpos(substr(name, %(base)s + 1), '/')) ELSE name END"""


@dataclass(frozen=True, slots=True)
class Folder:
    """A next path segment below a prefix: `prod/api/`, and how many names lie in it, counted to a thousand."""

    prefix: str
    label: str
    count: int

    @property
    def words(self) -> str:
        """The count as it is said: of more than a thousand nobody counted the rest."""
        return f"{COUNTED}+" if self.count > COUNTED else str(self.count)


def folders(scope: Scope, prefix: str) -> list[Folder]:
    """Return the next path segments below the prefix's folder that hold names, at most a hundred, by one query.

    Only where hundreds of names lie beside the folders is every name looked at, by a second one.
    """
    base = prefix[: prefix.rfind("/") + 1]
    steps = _leap(scope, prefix, len(base))
    found = [Folder(segment, segment[len(base) :], count) for segment, count in steps if count is not None]
    if len(steps) < LEAPS or len(found) >= FOLDERS:
        return found[:FOLDERS]
    return _scan(scope, prefix, base)


def _leap(scope: Scope, prefix: str, base: int) -> list[tuple[str, int | None]]:
    where, parameters = _where(scope)
    table = InventoryEntry._meta.db_table
    query = _LEAP.format(segment=_SEGMENT, table=table, scope=where, folder=_FOLDER)
    parameters |= {"prefix": prefix, "last": LAST, "base": base, "leaps": LEAPS}
    with connection.cursor() as cursor:
        cursor.execute(query, parameters | {"counted": COUNTED + 1, "most": FOLDERS})
        return list(cursor.fetchall())


def _scan(scope: Scope, prefix: str, base: str) -> list[Folder]:
    rest = Substr("name", len(base) + 1)
    found = (
        begins_with(scope.rows(), prefix)
        .annotate(rest=rest, slash=StrIndex(rest, Value("/")))
        .filter(slash__gt=0)
        .annotate(segment=Substr("rest", 1, StrIndex("rest", Value("/"))))
        .values("segment")
        .annotate(count=Count("*"))
        .order_by("segment")
    )
    return [Folder(base + row["segment"], row["segment"], row["count"]) for row in found[:FOLDERS]]


def _where(scope: Scope) -> tuple[str, dict[str, Any]]:
    where, found = _whose(scope)
    if not scope.reach:
        return where, found
    limited = {access for access, _ in scope.reach}
    found["free"] = [access for access in scope.accesses or () if access not in limited]
    parts = ["access_id = ANY(%(free)s::uuid[])"]
    for number, (prefixes, accesses) in enumerate(scope.ranges().items()):
        found[f"some{number}"] = accesses
        ranges = []
        for at, prefix in enumerate(prefixes):
            found |= {f"from{number}_{at}": prefix, f"to{number}_{at}": prefix + LAST}
            ranges.append(f"name >= %(from{number}_{at})s AND name < %(to{number}_{at})s")
        parts.append(f"access_id = ANY(%(some{number})s::uuid[]) AND ({' OR '.join(ranges)})")
    return f"{where} AND ({' OR '.join(parts)})", found


def _whose(scope: Scope) -> tuple[str, dict[str, Any]]:
    if scope.one is not None:
        return "access_id = %(access)s", {"access": scope.one}
    if scope.accesses is None:
        return "organization_id = %(organization)s", {"organization": scope.organization}
    found: dict[str, Any] = {"organization": scope.organization, "accesses": list(scope.accesses)}
    return "organization_id = %(organization)s AND access_id = ANY(%(accesses)s::uuid[])", found


def crumbs(prefix: str) -> list[tuple[str, str]]:
    """Return the folders that lead to a prefix, as (label, prefix): `a/b/c` has `a/` and `a/b/`."""
    parts = prefix.split("/")[:-1]
    return [(f"{part}/", "/".join(parts[: position + 1]) + "/") for position, part in enumerate(parts)]
