"""BeyondTrust Password Safe's Secrets Safe: listing and writing. Values are asked to be left out."""

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.utils.dateparse import parse_datetime
from django.views.decorators.debug import sensitive_variables

from accesses.providers import slicing
from accesses.providers.asking import understood
from accesses.providers.base import Entry, Page, Probe
from accesses.providers.beyondtrust.session import READ, VENDOR, WRITE, Session, policy
from credentials.clouds import errors

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

# So many are asked for at once; 1,000 are the server's own most for folders.
ASKED, FOLDERS = 500, 1000
# Folders are in folders, but not in themselves.
DEEPEST = 50


class Client:
    """Lists folder paths with titles, and writes where that may."""

    def __init__(self, access: "Access | AccessDraft", signed_in: Session) -> None:
        place = access.configuration
        self._session = signed_in
        self._folder, self._separator = place.get("folder", "").lower(), place.get("separator") or "/"
        self._slices = slicing.Slices(self._asked)

    def __repr__(self) -> str:
        return repr(self._session)

    def page(self, prefix: str = "", cursor: str = "") -> Page:
        """Return at most 100 entries, in the server's order; it cannot filter by the beginning of a name."""
        return self._slices.page(prefix, cursor)

    def _asked(self, offset: int) -> tuple[list[Entry], bool]:
        with self._session.begun():
            records = self._list({"limit": ASKED, "offset": offset})
        with understood(VENDOR):
            return [self._entry(one) for one in records], len(records) == ASKED

    def _list(self, query: Mapping[str, Any]) -> list[Any]:
        """Return records without values: servers that know `decrypt` leave them out, of others they are dropped here."""
        body = self._session.ask("GET", "Secrets", READ, query={**query, "decrypt": "false"})
        with understood(VENDOR):
            return [
                {name: one for name, one in record.items() if name != "Password"} for record in list(body)
            ]

    def whoami(self) -> str:
        """Return the user that the credential runs as."""
        with self._session.begun() as user, understood(VENDOR):
            return str(user["UserName"])

    def probe(self, entries: list[Entry]) -> list[Probe]:
        """Return that what is listed may be read: Password Safe lists nothing else."""
        return [Probe(READ, True, "What is listed may be read", one.name) for one in entries[:1]]

    def statement(self, actions: list[str]) -> str:
        """Return what a group of the user needs."""
        return policy(*actions)

    # -- writing -----------------------------------------------------------------------------------------------
    @sensitive_variables()
    def create(self, name: str, value: str, tags: Mapping[str, str]) -> str:
        """Make a text in an existing folder; tags are not known there."""
        path, _, title = name.rpartition(self._separator)
        with self._session.begun() as user:
            if self._find(path, title) is not None:
                raise errors.AlreadyThere(f"There is a secret {name} already.")
            folder = self._folder_id(path)
            with understood(VENDOR):
                owner = int(user["UserId"])
            body = {
                "Title": title, "Text": value, "FolderId": folder, "OwnerType": "User", "OwnerId": owner,
                "Owners": [{"OwnerId": owner, "UserId": owner}],
            }  # fmt: skip
            self._session.ask("POST", f"Folders/{quote(folder, safe='')}/secrets/text", WRITE, json=body)
        return name

    @sensitive_variables()
    def put(self, name: str, value: str) -> None:
        """Replace a text, or the password of a credential; all else of it stays."""
        path, _, title = name.rpartition(self._separator)
        with self._session.begun():
            record = self._there(path, title)
            where, body = _changed(record, value)
            self._session.ask("PUT", where, WRITE, json=body)

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        """Secrets Safe has no tags."""
        raise errors.NotPossibleHere("Secrets Safe has no tags.")

    def delete(self, name: str) -> datetime.datetime | None:
        """Delete a secret for good."""
        path, _, title = name.rpartition(self._separator)
        with self._session.begun():
            record = self._there(path, title)
            self._session.ask("DELETE", f"Secrets/{quote(_id(record), safe='')}", WRITE)
        return None

    def restore(self, name: str) -> None:
        """Nothing is brought back there."""
        raise errors.NotPossibleHere("Password Safe deletes for good.")

    def _find(self, path: str, title: str) -> Any:
        query = {"path": path, "title": title, "separator": self._separator}
        with understood(VENDOR):
            found = [one for one in self._list(query) if str(one["Title"]) == title]
        return found[0] if found else None

    def _there(self, path: str, title: str) -> Any:
        record = self._find(path, title)
        if record is None:
            raise errors.NotThere(f"There is no secret {path}{self._separator}{title}.")
        return record

    def _folder_id(self, path: str) -> str:
        """Return the ID of the folder at a path: the access's or one below it, where the access has one.

        :raises NotThere: there is none
        """
        body = self._session.ask("GET", "Folders", READ, query={"Limit": FOLDERS})
        with understood(VENDOR):
            folders = {str(one["Id"]).lower(): one for one in body}
            for number, folder in folders.items():
                line = _line(folders, folder)
                names = self._separator.join(str(one["Name"]) for one in line)
                inside = not self._folder or any(str(one["Id"]).lower() == self._folder for one in line)
                if names == path and inside:
                    return number
        raise errors.NotThere(
            f"There is no folder {path} that the access may write to.",
            "Make it in Password Safe, or choose the access's folder or one below it.",
        )

    def _entry(self, record: Any) -> Entry:
        folder = str(record.get("FolderPath") or record.get("Folder") or "").strip("/")
        name = self._separator.join([*folder.split("/"), str(record["Title"])])
        changed = str(record.get("ModifiedOn") or record.get("CreatedOn") or "")
        when = parse_datetime(changed) if changed else None
        return Entry(
            name=name,
            reference=name,
            kind=str(record.get("SecretType") or "secret").lower(),
            description=str(record.get("Description") or ""),
            changed_at=when.replace(tzinfo=datetime.UTC) if when and when.tzinfo is None else when,
        )


def _id(record: Any) -> str:
    with understood(VENDOR):
        return str(record["Id"])


def _line(folders: Mapping[str, Any], folder: Any) -> list[Any]:
    """Return a folder with those that it is in, the outermost first."""
    line = [folder]
    while (parent := folders.get(str(line[0].get("ParentId")).lower())) is not None and len(line) < DEEPEST:
        line.insert(0, parent)
    return line


@sensitive_variables()
def _changed(record: Any, value: str) -> tuple[str, dict[str, Any]]:
    """Return where a new value is sent, and the whole record with it: what is left out would be emptied.

    :raises NotPossibleHere: it is a file
    """
    kept = ("Title", "Description", "Notes", "FolderId", "OwnerType", "OwnerId", "Owners", "Urls")
    body = {name: record[name] for name in kept if record.get(name) is not None}
    where, kind = f"Secrets/{quote(_id(record), safe='')}", str(record.get("SecretType") or "").lower()
    if kind == "file":
        raise errors.NotPossibleHere("This secret is a file.", "Replace it in Password Safe.")
    if kind == "text":
        return f"{where}/text", body | {"Text": value}
    return where, body | {"Username": record.get("Username") or "", "Password": value}
