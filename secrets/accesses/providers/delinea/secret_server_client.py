"""Delinea Secret Server's REST API: signing in, listing, and writing. A value is never asked for."""

import datetime
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.utils.dateparse import parse_datetime
from django.views.decorators.debug import sensitive_variables

from accesses.providers import slicing
from accesses.providers.asking import Api, Refusal, understood
from accesses.providers.base import Entry, Page, Probe
from credentials.clouds import errors

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

VENDOR = "Secret Server"
VIEW, ADD, EDIT, DELETE, UNDELETE = (
    "View Secret", "Add Secret", "Edit Secret", "Delete Secret", "View Deleted Secret",
)  # fmt: skip
# One request asks for so many, a page of ours is a slice of it; a name is looked for in so many of them.
ASKED, REQUESTS = 500, 5
# A token is for twenty minutes; so many seconds before its end it is renewed.
EARLY = 60
_DENIED = (
    "The account has no {permission} there.",
    "Give its role the permission {permission}, and its share of the folder as much.",
)
REFUSALS = (
    Refusal(400, errors.PermissionMissing, *_DENIED, code="API_AccessDenied"),
    Refusal(403, errors.PermissionMissing, *_DENIED),
    Refusal(
        401, errors.CredentialRefused, "Secret Server does not know the token, any more.",
        "Sign in by user name and password, which is renewed, or enter a new token.",
    ),
    Refusal(
        400, errors.NotValid, "Secret Server wants a comment when this secret is viewed.",
        "Take that requirement off the secret: the operator gives no comments.",
        code="API_ValidateSecretAccessCommentRequired",
    ),
    Refusal(
        404, errors.NotThere, "Secret Server has nothing there.",
        "Check the address, the folder's ID and the name.",
    ),
    Refusal(
        400, errors.NotValid, "Secret Server does not take the request.",
        "Check the folder's and the template's ID; of a template only one field may be required.",
    ),
)  # fmt: skip
_NOT_SIGNED_IN = (
    errors.CredentialRefused, "Secret Server refuses the user name or the password.",
    "Check both, and the domain; that the account is enabled, not locked, and signs in without a second factor.",
)  # fmt: skip
SIGN_IN = tuple(Refusal(status, *_NOT_SIGNED_IN) for status in (400, 401, 403))


class Session:
    """Signs requests, with a token as it was entered, or with one that is renewed before it ends."""

    def __init__(self, access: "Access | AccessDraft") -> None:
        place, credential = access.configuration, access.credential
        self._place, self._credential = place, credential
        self._token, self._until = credential.get("token", ""), float("inf")
        if access.method == "password":
            self._token, self._until = "", 0.0

    @sensitive_variables()
    def headers(self) -> Mapping[str, str]:
        """Return what signs a request.

        :raises CredentialRefused: there is nothing to sign in with, or it is refused
        """
        if time.monotonic() >= self._until:
            self._sign_in()
        if not self._token:
            raise errors.CredentialRefused("There is no access token.", "Enter one.")
        return {"Authorization": f"Bearer {self._token}"}

    @sensitive_variables()
    def _sign_in(self) -> None:
        if not self._credential.get("password"):
            raise errors.CredentialRefused("There is no password.", "Enter the account's password.")
        api = Api(VENDOR, self._place["address"], SIGN_IN, ca=self._place.get("ca", ""))
        form = {
            "grant_type": "password", "username": self._place["user"], "password": self._credential["password"],
        }  # fmt: skip
        if domain := self._place.get("domain"):
            form["domain"] = domain
        answer = api.ask("POST", "/oauth2/token", data=form)
        with understood(VENDOR):
            self._token = str(answer.body["access_token"])
            self._until = time.monotonic() + max(int(answer.body.get("expires_in", 1200)) - EARLY, 0)


class Client:
    """Lists paths with the access's own account, and writes where that may."""

    def __init__(self, access: "Access | AccessDraft", signed_in: Session) -> None:
        place = access.configuration
        self._folder, self._template = place.get("folder", ""), place.get("template", "")
        self._api = Api(
            VENDOR, place["address"], REFUSALS, headers=signed_in.headers,
            code_of=lambda body: body["errorCode"], ca=place.get("ca", ""),
        )  # fmt: skip
        self._slices = slicing.Slices(self._entries)

    def __repr__(self) -> str:
        return f"<Secret Server at {self._api.address}>"

    def page(self, prefix: str = "", cursor: str = "") -> Page:
        """Return at most 100 entries, by their IDs; the API cannot filter by the beginning of a path."""
        return self._slices.page(prefix, cursor)

    def _entries(self, skip: int) -> tuple[list[Entry], bool]:
        records, more = self._search(skip)
        with understood(VENDOR):
            return [_entry(record) for record in records], more

    def _search(self, skip: int, text: str = "", *, gone: bool = False) -> tuple[list[Any], bool]:
        """Return the public facts of secrets from the `skip`th, and whether there are more; `gone` deactivated ones too."""
        query: dict[str, Any] = {
            "paging.skip": skip, "paging.take": ASKED,
            "paging.sortBy[0].name": "id", "paging.sortBy[0].direction": "asc",
        }  # fmt: skip
        if self._folder:
            query |= {"paging.filter.folderId": self._folder, "paging.filter.includeSubFolders": "true"}
        if text:
            query |= {"paging.filter.searchText": text, "paging.filter.searchField": "Name"}
        if gone:
            query["paging.filter.includeInactive"] = "true"
        answer = self._api.ask(
            "GET", "/api/v1/secrets", query=query, permission=VIEW, policy=self.statement([VIEW])
        )
        with understood(VENDOR):
            records = list(answer.body["records"])
            return records, bool(answer.body.get("hasNext")) and bool(records)

    def whoami(self) -> str:
        """Return the account's name."""
        answer = self._api.ask("GET", "/api/v1/users/current")
        with understood(VENDOR):
            return str(answer.body["userName"])

    def probe(self, entries: list[Entry]) -> list[Probe]:
        """Return whether values may be read, by the account's role on one secret; that reads none."""
        if not entries:
            return []
        one = entries[0]
        answer = self._api.ask("GET", f"/api/v1/secrets/{one.reference}/state", permission=VIEW)
        with understood(VENDOR):
            role = str(answer.body["role"])
        may = role.lower() in ("view", "edit", "owner")
        return [Probe(VIEW, may, f"Its role there is {role[:40]}", one.name)]

    def statement(self, actions: list[str]) -> str:
        """Return what the account's role and its share of the folder need."""
        where = f"folder {self._folder}" if self._folder else "each folder"
        level = "View" if set(actions) <= {VIEW} else "Owner"
        return "\n".join([*(f"Role permission: {one}" for one in actions), f"Share of {where}: {level}"])

    # -- writing -----------------------------------------------------------------------------------------------
    @sensitive_variables()
    def create(self, name: str, value: str, tags: Mapping[str, str]) -> str:
        """Make a secret of the access's template in an existing folder; tags are not known there."""
        if self._find(name, gone=True) is not None:
            raise errors.AlreadyThere(f"{name} is there already, or was deactivated and can be brought back.")
        folder, title = self._folder_id(name.rpartition("/")[0]), name.rpartition("/")[2]
        stub = self._stub(self._template, folder, ADD)
        with understood(VENDOR):
            field = _field_of(stub["items"])
            items = [item | ({"itemValue": value} if item is field else {}) for item in stub["items"]]
        body = stub | {
            "name": title,
            "folderId": folder,
            "secretTemplateId": int(self._template),
            "items": items,
        }
        answer = self._api.ask(
            "POST", "/api/v1/secrets", json=body, permission=ADD, policy=self.statement([ADD])
        )
        with understood(VENDOR):
            return str(answer.body["id"])

    @sensitive_variables()
    def put(self, name: str, value: str) -> None:
        """Write the field that holds the value, which is the template's password, or its first."""
        record = self._there(name)
        with understood(VENDOR):
            stub = self._stub(str(record["secretTemplateId"]), int(record["folderId"]), EDIT)
            slug = str(_field_of(stub["items"])["slug"])
            path = f"/api/v1/secrets/{int(record['id'])}/fields/{quote(slug, safe='')}"
        self._api.ask("PUT", path, json={"value": value}, permission=EDIT, policy=self.statement([EDIT]))

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        """Secret Server has no tags."""
        raise errors.NotPossibleHere("Secret Server has no tags.")

    def delete(self, name: str) -> datetime.datetime | None:
        """Deactivate a secret; it is kept until somebody erases it."""
        self._act("DELETE", self._there(name), "", DELETE)
        return None

    def restore(self, name: str) -> None:
        """Activate a deactivated secret again."""
        record = self._find(name, gone=True)
        if record is None or record.get("active", True):
            raise errors.NotThere(f"There is no deactivated secret {name}.")
        self._act("PUT", record, "/undelete", UNDELETE)

    def _act(self, method: str, record: Any, what: str, permission: str) -> None:
        with understood(VENDOR):
            path = f"/api/v1/secrets/{int(record['id'])}{what}"
        self._api.ask(method, path, permission=permission, policy=self.statement([permission]))

    def _find(self, name: str, *, gone: bool = False) -> Any:
        """Return the facts of the secret at a path, an active one before others, or None."""
        found: list[Any] = []
        skip, more = 0, True
        while more and skip < ASKED * REQUESTS:
            records, more = self._search(skip, name.rpartition("/")[2], gone=gone)
            skip += len(records)
            with understood(VENDOR):
                found += [one for one in records if _entry(one).name == name]
        return next((one for one in found if one.get("active", True)), found[0] if found else None)

    def _there(self, name: str) -> Any:
        record = self._find(name)
        if record is None:
            raise errors.NotThere(f"There is no secret {name}.", "Check the folder and the name.")
        return record

    def _folder_id(self, path: str) -> int:
        """Return the ID of the folder at a path, which is the access's or below it.

        :raises NotThere: there is none
        """
        query = {"paging.filter.searchText": path.rpartition("/")[2], "paging.take": ASKED}
        answer = self._api.ask(
            "GET", "/api/v1/folders", query=query, permission="View Folders", policy=self.statement([ADD])
        )
        with understood(VENDOR):
            found = [int(one["id"]) for one in answer.body["records"] if _path(one["folderPath"]) == path]
        if not found:
            raise errors.NotThere(
                f"There is no folder {path}.", "Make it in Secret Server, or choose another."
            )
        return found[0]

    def _stub(self, template: str, folder: int, permission: str) -> dict[str, Any]:
        """Return an empty secret of a template: its fields, without a value."""
        if not template.isdecimal():
            raise errors.NotValid(
                "The access has no secret template.", "Enter the template's ID in the access's settings."
            )
        query = {"secretTemplateId": template, "folderId": folder}
        answer = self._api.ask(
            "GET", "/api/v1/secrets/stub", query=query, permission=permission,
            policy=self.statement([permission]),
        )  # fmt: skip
        with understood(VENDOR):
            return dict(answer.body)


def _field_of(items: list[Any]) -> Any:
    """Return the field that holds the value: the password, or else the first that is text."""
    texts = [item for item in items if not item.get("isFile")]
    return next((item for item in texts if item.get("isPassword")), texts[0])


def _path(folder: str | None) -> str:
    """Return a folder's path as the operator takes it: Secret Server writes it with backslashes."""
    parts = [part for part in (folder or "").replace("\\", "/").split("/") if part]
    return "".join(f"/{part}" for part in parts)


def _entry(record: Any) -> Entry:
    wants = {
        "requiresApproval": "wants an approval", "requiresComment": "wants a comment",
        "checkOutEnabled": "wants a check-out", "doubleLockEnabled": "has a double lock",
    }  # fmt: skip
    told = [words for name, words in wants.items() if record.get(name)]
    made = str(record.get("createDate") or "")
    when = parse_datetime(made) if made else None
    return Entry(
        name=f"{_path(record.get('folderPath'))}/{record['name']}",
        reference=str(int(record["id"])),
        kind=str(record.get("secretTemplateName") or "secret"),
        description=f"The operator cannot read it: it {', '.join(told)}." if told else "",
        changed_at=when.replace(tzinfo=datetime.UTC) if when and when.tzinfo is None else when,
    )
