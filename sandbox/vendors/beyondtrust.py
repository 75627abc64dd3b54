"""Plays BeyondTrust Password Safe, from its API's reference: folders of Secrets Safe, sessions kept by a cookie."""

import re
import secrets
import uuid
from dataclasses import dataclass
from typing import Any, ClassVar

from sandbox import world
from sandbox.vendors.base import Answered, Refused, Request, Vendor, route

COUNT = 230
BASE = "/BeyondTrust/api/public/v3"
_KEY = re.compile(r"PS-Auth key=(?P<key>[^;]+); *runas=(?P<user>[^;]+);(?: *pwd=\[(?P<password>[^\]]*)\];)?")


@dataclass
class User:
    """A user with a client and a key; `level` is what its group has in Secrets Safe: 0 none, 1 read, 2 read and write."""

    number: int
    name: str
    level: int
    client: str
    secret: str
    key: str
    password: str = ""


@dataclass
class Kept:
    """One secret."""

    id: str
    title: str
    folder: str
    kind: str
    value: str
    username: str = ""
    description: str = ""


class PasswordSafe(Vendor):
    """A session lasts twenty minutes without a request; a token is good for signing in alone."""

    slug: ClassVar[str] = "beyondtrust"

    def __init__(self) -> None:
        super().__init__()
        found = [
            ("reader", 1, ""),
            ("writer", 2, ""),
            ("limited", 0, ""),
            ("locked", 1, secrets.token_hex(8)),
        ]
        self.users = {
            name: User(
                10 + at, f"acme\\svc-{name}", level, str(uuid.uuid4()), secrets.token_urlsafe(33),
                secrets.token_hex(64), password,
            )
            for at, (name, level, password) in enumerate(found)
        }  # fmt: skip
        self.tokens: dict[str, tuple[User, float]] = {}
        self.sessions: dict[str, tuple[User, float]] = {}
        # Path → ID, and which one it is in
        self.folders: dict[str, str] = {}
        self.kept: dict[str, Kept] = {}
        for name in world.names(COUNT):
            path, _, title = name.rpartition("/")
            kind = "Text" if title.endswith("database") else "Credential"
            self.add(title, self.folder(path), kind, world.value(name), "svc")

    def folder(self, path: str) -> str:
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            self.folders.setdefault("/".join(parts[:depth]), str(uuid.uuid4()))
        return self.folders[path]

    def add(self, title: str, folder: str, kind: str, value: str, username: str = "") -> Kept:
        one = Kept(str(uuid.uuid4()), title, folder, kind, value, username, "Made by the sandbox")
        self.kept[one.id] = one
        return one

    def facts(self) -> dict[str, Any]:
        users = {
            name: {
                "run_as": one.name, "client_id": one.client, "client_secret": one.secret, "api_key": one.key,
                "password": one.password,
            }
            for name, one in self.users.items()
        }  # fmt: skip
        return {"users": users, "folders": self.folders}

    def planted(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        if what == "read":
            found = [one for one in self.kept.values() if self._full(one) == body["name"]]
            return {"value": found[0].value if found else None, "kind": found[0].kind if found else ""}
        if what == "make":
            path, _, title = body["name"].rpartition("/")
            self.add(title, self.folder(path), body["kind"], body["value"])
            return {}
        if what == "sessions":
            return {"open": len(self.sessions)}
        raise Refused(404)

    # -- sessions -----------------------------------------------------------------------------------------------
    @route("POST", f"{BASE}/Auth/connect/token")
    def a_token(self, request: Request) -> Any:
        form = request.form
        found = [
            one
            for one in self.users.values()
            if (one.client, one.secret) == (form.get("client_id"), form.get("client_secret"))
        ]
        if form.get("grant_type") != "client_credentials" or not found or self.faults.get("revoked"):
            raise Refused(400, {"error": "invalid_client"})
        token = secrets.token_urlsafe(40)
        self.tokens[token] = (found[0], self.now() + 600)
        return {"access_token": token, "expires_in": 600, "token_type": "Bearer", "scope": "publicapi"}

    @route("POST", f"{BASE}/Auth/SignAppin")
    def a_session(self, request: Request) -> Any:
        user = self._signing(request.headers.get("authorization", ""))
        if user is None or self.faults.get("revoked"):
            raise Refused(401, "Unauthorized")
        cookie = secrets.token_hex(12)
        self.sessions[cookie] = (user, self.now() + 1200)
        body = {
            "UserId": user.number,
            "UserName": user.name,
            "Name": user.name,
            "EmailAddress": "svc@acme.example",
        }
        return Answered(
            body, 200, {"Set-Cookie": f"ASP.NET_SessionId={cookie}; path=/; secure; HttpOnly; SameSite=Lax"}
        )

    def _signing(self, header: str) -> User | None:
        if header.startswith("Bearer "):
            user, until = self.tokens.get(header.removeprefix("Bearer "), (None, 0.0))
            return user if self.now() < until else None
        found = _KEY.fullmatch(header)
        for one in self.users.values():
            if found and (one.key, one.name, one.password) == (
                found["key"],
                found["user"],
                found["password"] or "",
            ):
                return one
        return None

    @route("POST", f"{BASE}/Auth/Signout")
    def a_session_ended(self, request: Request) -> Any:
        self.sessions.pop(self._cookie(request), None)
        return Answered()

    @staticmethod
    def _cookie(request: Request) -> str:
        return request.headers.get("cookie", "").partition("ASP.NET_SessionId=")[2].partition(";")[0]

    def _may(self, request: Request, level: int) -> User:
        user, until = self.sessions.get(self._cookie(request), (None, 0.0))
        if user is None or self.now() > until:
            raise Refused(401, "Unauthorized")
        if user.level < level:
            raise Refused(403, "Access forbidden")
        return user

    # -- reading ------------------------------------------------------------------------------------------------
    @route("GET", f"{BASE}/Secrets-Safe/Secrets")
    def found(self, request: Request) -> Any:
        self._may(request, 1)
        asked = {name.lower(): text for name, text in request.query.items()}
        path = asked.get("path", "").replace(asked.get("separator", "/"), "/")
        kept = sorted(self.kept.values(), key=self._full)
        if path:
            kept = [one for one in kept if self._path(one.folder) == path]
        if "title" in asked:
            kept = [one for one in kept if one.title == asked["title"]]
        start = int(asked.get("offset", 0))
        shown = kept[start : start + int(asked.get("limit", 1000))]
        # Servers before the parameter was known gave the value whatever was asked.
        bare = asked.get("decrypt", "true") == "false" and not self.faults.get("old")
        return [self._record(one, bare=bare) for one in shown]

    @route("GET", f"{BASE}/Secrets-Safe/Folders")
    def all_folders(self, request: Request) -> Any:
        self._may(request, 1)
        return [
            {
                "Id": number, "Name": path.rpartition("/")[2], "Description": "",
                "ParentId": self.folders.get(path.rpartition("/")[0]),
            }
            for path, number in self.folders.items()
        ]  # fmt: skip

    # -- writing ------------------------------------------------------------------------------------------------
    @route("POST", f"{BASE}/Secrets-Safe/Folders/{{folder}}/secrets/text")
    def w_made(self, request: Request) -> Any:
        user, body, folder = self._may(request, 2), request.json, request.names["folder"]
        if folder not in self.folders.values():
            raise Refused(404, "Folder not found")
        if len(body.get("Text", "")) > 4096 or not body.get("Title"):
            raise Refused(400, "Invalid request")
        if body.get("OwnerType") != "User" or user.number not in [one["OwnerId"] for one in body["Owners"]]:
            raise Refused(400, "Owners are required")
        if any((one.title, one.folder) == (body["Title"], folder) for one in self.kept.values()):
            raise Refused(409, "Conflict")
        return Answered(self._record(self.add(body["Title"], folder, "Text", body["Text"]), bare=True), 201)

    @route("PUT", f"{BASE}/Secrets-Safe/Secrets/{{id}}/text")
    def w_text(self, request: Request) -> Any:
        self._may(request, 2)
        one, body = self._one(request), request.json
        if one.kind != "Text" or body.get("Title") != one.title:
            raise Refused(400, "Invalid request")
        one.value, one.description = body["Text"], body.get("Description", "")
        return self._record(one, bare=True)

    @route("PUT", f"{BASE}/Secrets-Safe/Secrets/{{id}}")
    def w_password(self, request: Request) -> Any:
        self._may(request, 2)
        one, body = self._one(request), request.json
        if one.kind != "Credential" or not body.get("Username") or len(body.get("Password", "")) > 256:
            raise Refused(400, "Invalid request")
        one.value, one.username, one.description = (
            body["Password"],
            body["Username"],
            body.get("Description", ""),
        )
        return self._record(one, bare=True)

    @route("DELETE", f"{BASE}/Secrets-Safe/Secrets/{{id}}")
    def w_deleted(self, request: Request) -> Any:
        self._may(request, 2)
        del self.kept[self._one(request).id]
        return Answered(None, 204)

    # -- as they are written ------------------------------------------------------------------------------------
    def _one(self, request: Request) -> Kept:
        one = self.kept.get(request.names["id"])
        if one is None:
            raise Refused(404, "Secret not found")
        return one

    def _path(self, folder: str) -> str:
        return next(path for path, number in self.folders.items() if number == folder)

    def _full(self, one: Kept) -> str:
        return f"{self._path(one.folder)}/{one.title}"

    def _record(self, one: Kept, *, bare: bool) -> dict[str, Any]:
        path = self._path(one.folder)
        record = {
            "Id": one.id, "Title": one.title, "Description": one.description, "Username": one.username,
            "SecretType": one.kind, "FolderId": one.folder, "Folder": path.rpartition("/")[2], "FolderPath": path,
            "OwnerType": "User", "OwnerId": 11, "Owners": [{"OwnerId": 11, "Owner": "acme\\svc-writer"}],
            "CreatedOn": "2026-02-01T09:00:00", "ModifiedOn": "2026-03-01T09:00:00.123",
        }  # fmt: skip
        return record if bare else record | {"Password": one.value}


VENDOR = PasswordSafe
