"""What an access sees of a secret manager: only names that begin with its prefix, and have its tags where it says so."""

import datetime
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.views.decorators.debug import sensitive_variables

from accesses.models import Access, AccessDraft
from accesses.providers.base import Entry, Page, Probe, SecretManager, TellsChanges, TellsEnd
from accesses.providers.writing import Writes
from accounts import tags
from credentials.clouds import errors

# So many pages are looked through for one that has something to show.
MOST_PAGES = 10
# What an access and its draft keep of it.
COLUMNS = ("prefix", "tags", "only_tagged", "refresh_seconds")


def told(row: Any) -> dict[str, str]:
    """Return what narrows an access, or is put on what is made through it, in words; what is not set is left out."""
    found = {
        "prefix": row.prefix,
        "default tags": ", ".join(tags.as_lines(row.tags).splitlines()),
        "only tagged": "yes" if row.only_tagged else "",
        "read again every": f"{row.refresh_seconds} seconds" if row.refresh_seconds else "",
    }
    return {name: text for name, text in found.items() if text}


def narrows(access: Access | AccessDraft) -> bool:
    """Tell whether an access sees less than its identity may."""
    return bool(access.prefix or (access.only_tagged and access.tags))


def around(manager: SecretManager, access: Access | AccessDraft) -> SecretManager:
    """Return a client that shows what the access sees; it tells changes and writes as the manager itself does."""
    if not narrows(access):
        return manager
    kinds = {TellsChanges: _Telling, TellsEnd: _Ending, Writes: _Writing}
    has = tuple(kind for protocol, kind in kinds.items() if isinstance(manager, protocol))
    made: type[Seeing] = type("Seeing", (*has, Seeing), {})
    return made(manager, access)


def sees(access: Access | AccessDraft, entry: Entry) -> bool:
    """Tell whether an access sees an entry."""
    wanted = access.tags if access.only_tagged else {}
    return entry.name.startswith(access.prefix) and bool(wanted.items() <= entry.tags.items())


class Seeing:
    """A secret manager of which only a part is shown: see `around`."""

    def __init__(self, manager: Any, access: Access | AccessDraft) -> None:
        self._manager, self._access = manager, access

    def page(self, prefix: str = "", cursor: str = "") -> Page:
        """Return entries of both prefixes; the manager is asked with the longer one."""
        own = self._access.prefix
        asked = max(prefix, own, key=len)
        if not (asked.startswith(own) and asked.startswith(prefix)):
            return Page([])
        for _ in range(MOST_PAGES):
            found = self._shown(self._manager.page(asked, cursor))
            cursor = found.cursor
            if found.entries or not cursor:
                break
        return found

    def whoami(self) -> str:
        return str(self._manager.whoami())

    def probe(self, entries: list[Entry]) -> list[Probe]:
        probes: list[Probe] = self._manager.probe(entries)
        return probes

    def statement(self, actions: list[str]) -> str:
        return str(self._manager.statement(actions))

    def _shown(self, page: Page) -> Page:
        return replace(page, entries=[entry for entry in page.entries if sees(self._access, entry)])


class _Telling(Seeing):
    """One that tells what is new."""

    def changes(self, since: datetime.datetime, cursor: str = "") -> Page:
        return self._shown(self._manager.changes(since, cursor))


class _Ending(Seeing):
    """One that tells when the credential ends."""

    def ends_at(self) -> datetime.datetime | None:
        until: datetime.datetime | None = self._manager.ends_at()
        return until


class _Writing(Seeing):
    """One that is written to, inside of the prefix only."""

    @sensitive_variables()
    def create(self, name: str, value: str, tags: Mapping[str, str]) -> str:
        return str(self._manager.create(self._inside(name), value, tags))

    @sensitive_variables()
    def put(self, name: str, value: str) -> None:
        self._manager.put(self._inside(name), value)

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        self._manager.tag(self._inside(name), tags)

    def delete(self, name: str) -> datetime.datetime | None:
        until: datetime.datetime | None = self._manager.delete(self._inside(name))
        return until

    def restore(self, name: str) -> None:
        self._manager.restore(self._inside(name))

    def _inside(self, name: str) -> str:
        if not name.startswith(self._access.prefix):
            raise errors.NotValid(
                f"This access writes only names that begin with {self._access.prefix}.",
                "Choose such a name, or another access.",
            )
        return name
