"""Plays Delinea Secret Server, from its REST API's reference: folders with secrets of two templates."""

import secrets
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sandbox import world
from sandbox.vendors.base import Refused, Request, Vendor, route

COUNT = 260
DOMAIN = "acme.example"
# Templates: ID → name and fields as (name, slug, is a password, is required)
TEMPLATES: dict[int, tuple[str, list[tuple[str, str, bool, bool]]]] = {
    6050: ("Application secret", [("Password", "password", True, True), ("Notes", "notes", False, False)]),
    6003: (
        "Password",
        [
            ("Resource", "resource", False, True), ("Username", "username", False, True),
            ("Password", "password", True, True), ("Notes", "notes", False, False),
        ],
    ),
}  # fmt: skip
_READ = frozenset({"View Secret", "View Folders"})
_WRITE = _READ | {"Add Secret", "Edit Secret", "Delete Secret", "View Deleted Secret", "Own Secret"}


@dataclass
class Account:
    name: str
    password: str
    may: frozenset[str]
    domain: str = ""


@dataclass
class Kept:
    """One secret."""

    number: int
    title: str
    folder: int
    template: int
    values: dict[str, str]
    active: bool = True
    wants: list[str] = field(default_factory=list)


def _denied() -> Refused:
    return Refused(400, {"message": "Access Denied", "errorCode": "API_AccessDenied"})


def _gone() -> Refused:
    return Refused(404, {"message": "No HTTP resource was found that matches the request."})


class SecretServer(Vendor):
    """Tokens are for twenty minutes; each account has role permissions."""

    slug: ClassVar[str] = "delinea-secret-server"

    def __init__(self) -> None:
        super().__init__()
        self.accounts = {
            one.name: one
            for one in (
                Account("svc-reader", secrets.token_urlsafe(18), _READ),
                Account("svc-writer", secrets.token_urlsafe(18), _WRITE),
                Account("svc-limited", secrets.token_urlsafe(18), frozenset()),
                Account("svc-directory", secrets.token_urlsafe(18), _READ, DOMAIN),
            )
        }
        self.tokens: dict[str, tuple[str, float]] = {}
        self.folders: dict[str, int] = {}
        self.kept: dict[int, Kept] = {}
        self.following = 1000
        for name in world.names(COUNT):
            folder, _, title = name.rpartition("/")
            self.add(title, self.folder(folder), 6050, {"password": world.value(name), "notes": ""})

    def folder(self, path: str) -> int:
        """Return the ID of a folder, which is made where it is not there."""
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            self.folders.setdefault("\\" + "\\".join(parts[:depth]), 10 + len(self.folders))
        return self.folders["\\" + "\\".join(parts)]

    def add(self, title: str, folder: int, template: int, values: dict[str, str]) -> Kept:
        self.following += 1
        self.kept[self.following] = Kept(self.following, title, folder, template, values)
        return self.kept[self.following]

    def facts(self) -> dict[str, Any]:
        accounts = {one.name.removeprefix("svc-"): [one.name, one.password] for one in self.accounts.values()}
        # For as long as the sandbox runs, where an account's own token is for twenty minutes.
        tokens = {who: self._granted(f"svc-{who}", 1e6) for who in ("reader", "limited", "writer")}
        return accounts | {
            "tokens": tokens, "domain": DOMAIN, "template": "6050",
            "two_fields": "6003", "folders": {self._named(path): one for path, one in self.folders.items()},
        }  # fmt: skip

    def planted(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        if what == "read":
            found = [one for one in self.kept.values() if self._full(one) == body["name"] and one.active]
            return {
                "value": found[0].values["password"] if found else None,
                "id": found[0].number if found else 0,
            }
        if what == "wants":
            next(one for one in self.kept.values() if self._full(one) == body["name"]).wants = body["wants"]
            return {}
        if what == "end":
            self.tokens = {}
            return {}
        raise Refused(404)

    # -- signing in --------------------------------------------------------------------------------------------
    def _granted(self, name: str, seconds: float = 1199) -> str:
        token = secrets.token_urlsafe(40)
        self.tokens[token] = (name, self.now() + seconds)
        return token

    @route("POST", "/oauth2/token")
    def a_token(self, request: Request) -> Any:
        form = request.form
        account = self.accounts.get(form.get("username", ""))
        if form.get("grant_type") != "password":
            raise Refused(400, {"error": "unsupported_grant_type"})
        right = account is not None and form.get("password") == account.password
        if not right or account is None or form.get("domain", "") != account.domain:
            raise Refused(400, {"error": "Login failed."})
        return {
            "access_token": self._granted(account.name), "token_type": "bearer", "expires_in": 1199,
            "refresh_token": secrets.token_urlsafe(20),
        }  # fmt: skip

    def _account(self, request: Request, *needed: str) -> Account:
        name, until = self.tokens.get(request.bearer, ("", 0.0))
        if not name or self.now() > until:
            raise Refused(401, {"message": "Authentication failed or expired token."})
        account = self.accounts[name]
        if not set(needed) <= account.may:
            raise _denied()
        return account

    # -- reading ----------------------------------------------------------------------------------------------
    @route("GET", "/api/v1/users/current")
    def a_user(self, request: Request) -> Any:
        account = self._account(request)
        return {"id": 7, "userName": account.name, "displayName": account.name, "enabled": True}

    @route("GET", "/api/v1/secrets")
    def all_secrets(self, request: Request) -> Any:
        self._account(request, "View Secret")
        asked = {name.removeprefix("paging."): text for name, text in request.query.items()}
        gone = asked.get("filter.includeInactive") == "true"
        if gone:
            self._account(request, "View Deleted Secret")
        found = [one for one in self.kept.values() if one.active or gone]
        if inside := asked.get("filter.folderId"):
            found = [one for one in found if self._below(one.folder, int(inside))]
        text = asked.get("filter.searchText", "").lower()
        found = [one for one in found if text in one.title.lower()]
        skip, take = int(asked.get("skip", 0)), int(asked.get("take", 10))
        records = [self._summary(one) for one in found[skip : skip + take]]
        return {
            "records": records, "skip": skip, "take": take, "total": len(found),
            "hasNext": skip + take < len(found), "success": True,
        }  # fmt: skip

    @route("GET", "/api/v1/folders")
    def all_folders(self, request: Request) -> Any:
        self._account(request, "View Folders")
        text = request.query.get("paging.filter.searchText", "").lower()
        found = [
            {"id": number, "folderName": path.rpartition("\\")[2], "folderPath": path}
            for path, number in self.folders.items()
            if text in path.rpartition("\\")[2].lower()
        ]
        return {"records": found, "total": len(found), "hasNext": False, "success": True}

    @route("GET", "/api/v1/secrets/stub")
    def an_empty_one(self, request: Request) -> Any:
        account = self._account(request)
        if not {"Add Secret", "Edit Secret"} & account.may:
            raise _denied()
        number = int(request.query.get("secretTemplateId", "0"))
        if number not in TEMPLATES:
            raise Refused(400, {"message": "Invalid template", "errorCode": "API_InvalidSecretTemplate"})
        items = self._items(number, {})
        return {
            "id": 0, "name": "", "secretTemplateId": number, "folderId": -1, "siteId": 1, "active": True,
            "items": items,
        }  # fmt: skip

    @route("GET", "/api/v1/secrets/{number}")
    def one_secret(self, request: Request) -> Any:
        self._account(request, "View Secret")
        path = request.query.get("secretPath", "").replace("\\", "/")
        if request.names["number"] == "0" and path:
            found = [one for one in self.kept.values() if self._full(one) == path and one.active]
            if not found:
                raise _gone()
            return self._whole(found[0])
        one = self._one(request)
        if "requiresComment" in one.wants:
            code = "API_ValidateSecretAccessCommentRequired"
            raise Refused(400, {"message": "The requested Secret requires a comment.", "errorCode": code})
        return self._whole(one)

    @route("GET", "/api/v1/secrets/{number}/state")
    def one_state(self, request: Request) -> Any:
        account, one = self._account(request, "View Secret"), self._one(request)
        role = "Owner" if "Own Secret" in account.may else "View"
        return {"id": one.number, "role": role, "secretState": "None", "isActive": one.active, "actions": []}

    # -- writing ----------------------------------------------------------------------------------------------
    @route("POST", "/api/v1/secrets")
    def w_made(self, request: Request) -> Any:
        self._account(request, "Add Secret")
        body = request.json
        template, items = int(body["secretTemplateId"]), {i["slug"]: i["itemValue"] for i in body["items"]}
        missing = [name for name, slug, _, needed in TEMPLATES[template][1] if needed and not items.get(slug)]
        if missing:
            raise Refused(400, {"message": f"{missing[0]} is a required field.", "errorCode": "API_Required"})
        return self._whole(self.add(body["name"], int(body["folderId"]), template, items))

    @route("PUT", "/api/v1/secrets/{number}/fields/{slug}")
    def w_field(self, request: Request) -> Any:
        self._account(request, "Edit Secret")
        one = self._one(request)
        if request.names["slug"] not in one.values:
            raise _gone()
        one.values[request.names["slug"]] = request.json["value"]
        return request.json["value"]

    @route("DELETE", "/api/v1/secrets/{number}")
    def w_deactivated(self, request: Request) -> Any:
        self._account(request, "Delete Secret")
        one = self._one(request)
        one.active = False
        return {"id": one.number, "objectType": "Secret", "responseCodes": []}

    @route("PUT", "/api/v1/secrets/{number}/undelete")
    def w_activated(self, request: Request) -> Any:
        self._account(request, "View Deleted Secret", "Own Secret")
        one = self.kept.get(int(request.names["number"]))
        if one is None:
            raise _gone()
        one.active = True
        return {"id": one.number, "objectType": "Secret", "responseCodes": []}

    # -- as they are written -----------------------------------------------------------------------------------
    def _one(self, request: Request) -> Kept:
        text = request.names["number"]
        one = self.kept.get(int(text)) if text.isdecimal() else None
        if one is None or not one.active:
            raise _gone()
        return one

    def _path(self, number: int) -> str:
        return next(path for path, one in self.folders.items() if one == number)

    @staticmethod
    def _named(path: str) -> str:
        return path.replace("\\", "/")

    def _full(self, one: Kept) -> str:
        return f"{self._named(self._path(one.folder))}/{one.title}"

    def _below(self, folder: int, top: int) -> bool:
        path, start = self._path(folder), self._path(top)
        return path == start or path.startswith(start + "\\")

    def _summary(self, one: Kept) -> dict[str, Any]:
        return {
            "id": one.number, "name": one.title, "folderId": one.folder, "folderPath": self._path(one.folder),
            "secretTemplateId": one.template, "secretTemplateName": TEMPLATES[one.template][0], "siteId": 1,
            "active": one.active, "createDate": "2026-03-02T10:00:00.123", "extendedFields": [],
        } | dict.fromkeys(one.wants, True)  # fmt: skip

    def _items(self, template: int, values: dict[str, str]) -> list[dict[str, Any]]:
        return [
            {
                "fieldId": template * 10 + at, "fieldName": name, "slug": slug, "itemValue": values.get(slug, ""),
                "isPassword": password, "isFile": False, "isNotes": slug == "notes", "filename": None,
            }
            for at, (name, slug, password, _) in enumerate(TEMPLATES[template][1])
        ]  # fmt: skip

    def _whole(self, one: Kept) -> dict[str, Any]:
        return {
            "id": one.number, "name": one.title, "folderId": one.folder, "secretTemplateId": one.template,
            "siteId": 1, "active": one.active, "items": self._items(one.template, one.values),
        }  # fmt: skip


VENDOR = SecretServer
