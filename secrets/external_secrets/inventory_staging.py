"""Where the names of a reading wait in PostgreSQL until it is whole: then one comparison makes them the inventory.

The place is a temporary table: nobody else sees it, and whatever ends the connection takes it away.
"""

import contextlib
import json
from collections.abc import Iterable
from typing import Any, Self

from django.db import DatabaseError, connection

from accesses import providers
from accesses.models import Access
from external_secrets.models import InventoryEntry

# So many names are kept in memory at most.
BATCH = 1000
# An entry of PostgreSQL's index holds about 2,700 bytes; no secret manager has names that long.
LONGEST_NAME = 2048
FACTS = ("reference", "description", "kind", "tags", "changed_at", "deletes_at")

_COLUMNS = ", ".join(FACTS)
_THEIRS = ", ".join(f"found.{fact}" for fact in FACTS)
_TABLE = InventoryEntry._meta.db_table
_CREATE = """
CREATE TEMPORARY TABLE inventory_found (
    number integer, name text COLLATE "C", reference text, description text, kind text, tags jsonb,
    changed_at timestamptz, deletes_at timestamptz
)"""
_COPY = f"COPY pg_temp.inventory_found (number, name, {_COLUMNS}) FROM STDIN"
# Both sides are read whole, so that hashing them in memory is always right; nothing is known of either yet.
_PLANNER = "SET LOCAL work_mem = '64MB'; SET LOCAL enable_nestloop = off"
# A list that changes while it is read may show a name twice; the later one counts.
_ONCE = """
DELETE FROM pg_temp.inventory_found AS earlier USING (
    SELECT name, max(number) AS number FROM pg_temp.inventory_found GROUP BY name HAVING count(*) > 1
) AS latest WHERE earlier.name = latest.name AND earlier.number < latest.number"""
_DELETE = f"""
DELETE FROM {_TABLE} AS entry WHERE access_id = %(access)s
AND NOT EXISTS (SELECT FROM pg_temp.inventory_found AS found WHERE found.name = entry.name)"""  # noqa: S608
_UPDATE = f"""
UPDATE {_TABLE} AS entry SET ({_COLUMNS}) = ROW ({_THEIRS})
FROM pg_temp.inventory_found AS found
WHERE access_id = %(access)s AND entry.name = found.name
AND ({", ".join(f"entry.{fact}" for fact in FACTS)}) IS DISTINCT FROM ({_THEIRS})"""  # noqa: S608
_INSERT = f"""
INSERT INTO {_TABLE} (access_id, organization_id, name, {_COLUMNS})
SELECT %(access)s, %(organization)s, found.name, {_THEIRS} FROM pg_temp.inventory_found AS found
WHERE NOT EXISTS (SELECT FROM {_TABLE} AS entry WHERE access_id = %(access)s AND entry.name = found.name)"""  # noqa: S608


def is_legal(name: str) -> bool:
    """Tell whether PostgreSQL can hold a name in an index."""
    return len(name.encode(errors="replace")) <= LONGEST_NAME and name == keepable(name)


def keepable(text: str) -> str:
    """Return a text as PostgreSQL can hold it: without NUL, and with half of a character, which JSON allows, as `?`."""
    return text.replace("\x00", "").encode(errors="replace").decode()


def facts_of(entry: providers.Entry) -> dict[str, Any]:
    """Return what is kept of an upstream entry, as columns."""
    return {
        "reference": keepable(entry.reference),
        "description": keepable(entry.description or ""),
        "kind": keepable(entry.kind)[:40],
        "tags": {keepable(str(name)): keepable(str(value)) for name, value in entry.tags.items()},
        "changed_at": entry.changed_at,
        "deletes_at": entry.deletes_at,
    }


class Staging:
    """The names of one reading of an access, at most `most` of them."""

    def __init__(self, access: Access, most: int) -> None:
        self._access, self._most = access, most
        self._waiting: list[tuple[Any, ...]] = []
        self.seen = 0
        self._last, self._ordered = "", True
        # There were more than that.
        self.truncated = False

    def __enter__(self) -> Self:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS pg_temp.inventory_found")
            cursor.execute(_CREATE)
        return self

    def __exit__(self, *_: object) -> None:
        # Where it fails the connection or the transaction is gone, and the table with it.
        with contextlib.suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS pg_temp.inventory_found")

    def add(self, entries: Iterable[providers.Entry]) -> None:
        """Add a page; what is more than the most is left out."""
        for entry in entries:
            if not is_legal(entry.name):
                continue
            if self.seen >= self._most:
                self.truncated = True
                break
            self.seen += 1
            # As long as each is greater than the one before, none comes twice.
            self._ordered = self._ordered and entry.name > self._last
            self._last = entry.name
            facts = facts_of(entry)
            facts["tags"] = json.dumps(facts["tags"])
            self._waiting.append((self.seen, entry.name, *facts.values()))
        if len(self._waiting) >= BATCH:
            self._copy()

    def _copy(self) -> None:
        with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            for row in self._waiting:
                copy.write_row(row)
        self._waiting.clear()

    def merge(self) -> int:
        """Make the inventory exactly what was found, in the caller's transaction; return how many names there are.

        Only what differs is written.
        """
        self._copy()
        values: dict[str, Any] = {
            "access": self._access.pk,
            "organization": self._access.cluster.organization_id,
        }
        with connection.cursor() as cursor:
            cursor.execute(_PLANNER)
            twice = 0
            if not self._ordered:
                cursor.execute(_ONCE)
                twice = cursor.rowcount
            for statement in (_DELETE, _UPDATE, _INSERT):
                cursor.execute(statement, values)
        return int(self.seen - twice)
