"""A 1Password Connect server as far as the console and the operator ask it: vaults, items, fields, files, and writing.

Written from its public OpenAPI description. The vault `production` has a few hundred items, `twins` has titles that the
operator cannot find. Tests plant `value` (what an item's password field holds) and `item` (one of any shape).
"""

import base64
import datetime
import json
import re
import secrets
from typing import Any

from sandbox import world
from sandbox.vendors.base import Answered, Refused, Request, Vendor, route

COUNT = 300
YEAR = 365 * 24 * 3600
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_EQUALS = re.compile(r'(?P<field>\w+) eq "(?P<text>[^"]*)"')
_FIELD = re.compile(r"/fields/(?P<id>[^/]+)/value")


def _id() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(26))


def _jwt(name: str) -> str:
    """Return a text with the three parts of a token; what counts is that it is known here."""
    parts = ({"alg": "ES256", "kid": _id()}, {"sub": name, "jti": _id()})
    head, body = (base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts)
    return f"{head}.{body}.{secrets.token_urlsafe(48)}"


def _refused(status: int, message: str) -> Refused:
    return Refused(status, {"status": status, "message": message})


def names() -> list[str]:
    """Return the titles in the vault `production`, sorted; the same each time."""
    return world.names(COUNT)


class OnePassword(Vendor):
    """One Connect server."""

    slug = "onepassword"

    def __init__(self) -> None:
        super().__init__()
        self.vaults = {name: _id() for name in ("production", "twins", "billing")}
        self.items: dict[str, dict[str, dict[str, Any]]] = {vault: {} for vault in self.vaults.values()}
        for title in names():
            self._make("production", title, world.tags(title))
        for title in ("same", "same", 'quo"te', "hash#tag", "plain", "a" * 26):
            self._make("twins", title, [])
        everything = dict.fromkeys(self.vaults.values(), "r")
        self.tokens = {_jwt("reader"): everything, _jwt("writer"): dict.fromkeys(everything, "rw")}
        self.reader, self.writer = self.tokens
        self.limited = _jwt("limited")
        self.tokens[self.limited] = {self.vaults["billing"]: "r"}
        # How often items were asked for with their fields, which the console never does.
        self.reads = 0
        self.until = self.now() + YEAR

    def _make(self, vault: str, title: str, tags: list[dict[str, str]], **facts: Any) -> dict[str, Any]:
        own, where = _id(), self.vaults[vault]
        fields = [
            {"id": "username", "type": "STRING", "purpose": "USERNAME", "label": "username", "value": "shop"},
            {
                "id": "password",
                "type": "CONCEALED",
                "purpose": "PASSWORD",
                "label": "password",
                "value": world.value(title),
            },
        ]
        words = [f"{one['Key']}={one['Value']}" for one in tags]
        item = {"id": own, "title": title, "vault": {"id": where}, "category": "LOGIN", "tags": words}
        self.items[where][own] = item | {"version": 1, "fields": fields, "updatedAt": self._moment()} | facts
        return self.items[where][own]

    def _moment(self) -> str:
        moment = datetime.datetime.fromtimestamp(int(self.now()), datetime.UTC)
        return moment.isoformat().replace("+00:00", "Z")

    def facts(self) -> dict[str, Any]:
        return {
            "vault": "production", "vaults": self.vaults, "names": names(), "token": self.reader,
            "token_writer": self.writer, "limited_token": self.limited,
        }  # fmt: skip

    def planted(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        where = self.vaults[body.get("vault", "production")]
        if what == "value":
            found = [one for one in self.items[where].values() if one["title"] == body["name"]]
            return {"value": self._password(found[0]) if found else None}
        if what == "item":
            return {
                "id": self._make(body.get("vault", "production"), body["title"], [], **body["facts"])["id"]
            }
        if what == "reads":
            return {"reads": self.reads}
        raise Refused(404)

    @staticmethod
    def _password(item: dict[str, Any]) -> Any:
        return next((one["value"] for one in item["fields"] if one["id"] == "password"), None)

    def unknown(self, request: Request) -> Refused:
        return Refused(404, {"message": "404 page not found"})

    # -- who asks ------------------------------------------------------------------------------------------------
    def _who(self, request: Request) -> dict[str, str]:
        """Return the vaults that a token is for, each with what it may."""
        found = self.tokens.get(request.bearer)
        if found is None or self.now() >= self.until:
            raise _refused(401, "Invalid token signature" if found is None else "Token is expired")
        return found

    def _vault(self, request: Request, *, write: bool = False) -> dict[str, dict[str, Any]]:
        found, vault = self._who(request), request.names["vault"]
        if not re.fullmatch(r"[a-z0-9]{26}", vault):
            raise _refused(400, "Invalid Vault UUID")
        if vault in self.items and vault not in found:
            raise _refused(403, f"vault {vault} is not in scope")
        if vault not in self.items:
            raise _refused(404, f"vault {vault} not found")
        if write and "w" not in found[vault]:
            raise _refused(401, "Unauthorized Request, token does not have write access to the Vault")
        return self.items[vault]

    def _item(self, request: Request, *, write: bool = False) -> dict[str, Any]:
        items, own = self._vault(request, write=write), request.names["item"]
        if not re.fullmatch(r"[a-z0-9]{26}", own):
            raise _refused(400, "Invalid Item UUID")
        if own not in items:
            raise _refused(404, f"item {own} not found")
        return items[own]

    @staticmethod
    def _filtered(request: Request, rows: list[dict[str, Any]], field: str) -> list[dict[str, Any]]:
        if not request.query.get("filter"):
            return rows
        wanted = _EQUALS.fullmatch(request.query["filter"])
        if wanted is None or wanted["field"] not in (field, "title"):
            raise _refused(400, "Invalid filter")
        return [one for one in rows if one[field] == wanted["text"]]

    # -- reading ---------------------------------------------------------------------------------------------------
    @route("GET", "/v1/vaults")
    def list_vaults(self, request: Request) -> Any:
        seen = self._who(request)
        rows = [{"id": own, "name": name} for name, own in self.vaults.items() if own in seen]
        return self._filtered(request, rows, "name")

    @route("GET", "/v1/vaults/{vault}")
    def get_vault(self, request: Request) -> Any:
        self._vault(request)
        return {"id": request.names["vault"], "name": self._name_of(request.names["vault"])}

    def _name_of(self, vault: str) -> str:
        return next(name for name, own in self.vaults.items() if own == vault)

    @route("GET", "/v1/vaults/{vault}/items")
    def list_items(self, request: Request) -> Any:
        rows = self._filtered(request, list(self._vault(request).values()), "title")
        # Without fields, files and sections, in nobody's order.
        return [
            {name: text for name, text in one.items() if name not in ("fields", "files")}
            for one in reversed(rows)
        ]

    @route("GET", "/v1/vaults/{vault}/items/{item}")
    def get_item(self, request: Request) -> Any:
        self.reads += 1
        return self._item(request)

    @route("GET", "/v1/vaults/{vault}/items/{item}/files/{file}/content")
    def get_file(self, request: Request) -> Any:
        for one in self._item(request).get("files", ()):
            if one["id"] == request.names["file"]:
                return Answered(str(one["content"]).encode(), headers={"Content-Type": "text/plain"})
        raise _refused(404, f"file {request.names['file']} not found")

    # -- writing ---------------------------------------------------------------------------------------------------
    @route("POST", "/v1/vaults/{vault}/items")
    def create(self, request: Request) -> Any:
        items, sent = self._vault(request, write=True), request.json
        if sent.get("category") != "PASSWORD" or not sent.get("fields"):
            raise _refused(400, "Invalid item category")
        own = _id()
        items[own] = sent | {"id": own, "version": 1, "updatedAt": self._moment()}
        return items[own]

    @route("PATCH", "/v1/vaults/{vault}/items/{item}")
    def change(self, request: Request) -> Any:
        item = self._item(request, write=True)
        for one in request.json:
            field = _FIELD.fullmatch(one["path"])
            if field:
                found = [row for row in item["fields"] if row["id"] == field["id"]]
                if not found:
                    raise _refused(400, f"The item doesn't have a {field['id']} field.")
                found[0]["value"] = one["value"]
            elif one["path"] == "/tags":
                item["tags"] = one["value"]
            else:
                raise _refused(400, "Invalid patch operation")
        item["version"], item["updatedAt"] = item["version"] + 1, self._moment()
        return item

    @route("DELETE", "/v1/vaults/{vault}/items/{item}")
    def delete(self, request: Request) -> Any:
        item = self._item(request, write=True)
        del self._vault(request, write=True)[item["id"]]
        return Answered(None, 204)


VENDOR = OnePassword
