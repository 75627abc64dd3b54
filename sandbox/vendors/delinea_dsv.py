"""Plays Delinea DevOps Secrets Vault, from its REST API's reference and its command line: one tenant."""

import base64
import datetime
import json
import secrets
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sandbox import world
from sandbox.vendors.base import Answered, Refused, Request, Vendor, route

COUNT = 240
TENANT = "acme"


@dataclass
class Kept:
    """One secret; `gone` says that it is marked for deletion."""

    data: dict[str, Any]
    attributes: dict[str, Any] = field(default_factory=dict)
    description: str = ""
    version: int = 0
    gone: bool = False


def _error(status: int, message: str) -> Refused:
    return Refused(status, {"code": status, "message": message})


class DevOpsSecretsVault(Vendor):
    """Tokens are for an hour; a client may do what its role's policies say."""

    slug: ClassVar[str] = "delinea-devops-secrets-vault"

    def __init__(self) -> None:
        super().__init__()
        every = {"list", "read", "create", "update", "delete"}
        self.clients: dict[str, tuple[str, str, set[str]]] = {
            who: (secrets.token_hex(16), secrets.token_urlsafe(24), may)
            for who, may in (("reader", {"list", "read"}), ("writer", every), ("limited", {"read"}))
        }
        self.tokens: dict[str, tuple[str, float]] = {}
        self.kept: dict[str, Kept] = {}
        for name in world.names(COUNT):
            text, stage = world.value(name), name.partition("/")[0]
            data = json.loads(text) if text.startswith("{") else {"value": text}
            self.kept[name] = Kept(data, {"stage": stage}, "Made by the sandbox")

    def facts(self) -> dict[str, Any]:
        return {"tenant": TENANT, "clients": {who: list(one[:2]) for who, one in self.clients.items()}}

    def planted(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        if what == "read":
            one = self.kept.get(body["name"])
            return {"data": None if one is None or one.gone else one.data}
        raise Refused(404)

    def unknown(self, request: Request) -> Refused:
        return _error(404, "unable to find item with specified identifier")

    @route("POST", "/v1/token")
    def a_token(self, request: Request) -> Any:
        body = request.json
        who = next((who for who, one in self.clients.items() if one[0] == body.get("client_id")), "")
        right = bool(who) and self.clients[who][1] == body.get("client_secret")
        if body.get("grant_type") != "client_credentials" or not right:
            raise _error(401, "unable to authenticate")
        token = secrets.token_urlsafe(60)
        self.tokens[token] = (who, self.now() + 3600)
        return {"accessToken": token, "tokenType": "bearer", "expiresIn": 3600}

    def _may(self, request: Request, action: str) -> None:
        who, until = self.tokens.get(request.bearer, ("", 0.0))
        if not who or self.now() > until:
            raise _error(401, "unauthorized: token is expired")
        if action not in self.clients[who][2]:
            raise _error(403, "Invalid permissions")

    @route("GET", "/v1/secrets")
    def found(self, request: Request) -> Any:
        self._may(request, "list")
        term = request.query.get("searchTerm", "")
        limit = min(int(request.query.get("limit", 25)), 500)
        names = sorted(name for name, one in self.kept.items() if not one.gone and term in name)
        after = base64.b64decode(request.query.get("cursor", "")).decode()
        names = [name for name in names if name > after]
        shown = names[:limit]
        cursor = base64.b64encode(shown[-1].encode()).decode() if len(names) > limit else ""
        data = [self._described(name) for name in shown]
        return {"data": data, "length": len(data), "limit": limit, "cursor": cursor}

    @route("GET", "/v1/secrets/{name:path}")
    def one(self, request: Request) -> Any:
        self._may(request, "read")
        name = request.names["name"]
        if name.endswith("::description"):
            name = name.removesuffix("::description")
            self._there(name)
            return self._described(name)
        return self._described(name) | {"data": self._there(name).data}

    @route("POST", "/v1/secrets/{name:path}")
    def w_made(self, request: Request) -> Any:
        self._may(request, "create")
        name, body = request.names["name"], request.json
        if name in self.kept:
            raise _error(409, "secret already exists at that path")
        self.kept[name] = Kept(
            body.get("data") or {}, body.get("attributes") or {}, body.get("description") or ""
        )
        return Answered(self._described(name) | {"data": self.kept[name].data}, 201)

    @route("PUT", "/v1/secrets/{name:path}")
    def w_changed(self, request: Request) -> Any:
        self._may(request, "update")
        name, body = request.names["name"], request.json
        if name.endswith("/restore"):
            return self._restored(name.removesuffix("/restore"))
        one = self._there(name)
        overwrite = body.get("overwrite", False)
        for part in ("data", "attributes"):
            given = body.get(part) or {}
            setattr(one, part, given if overwrite else getattr(one, part) | given)
        one.version += 1
        return self._described(name)

    def _restored(self, name: str) -> Any:
        one = self.kept.get(name)
        if one is None or not one.gone:
            raise self.unknown(None)  # type: ignore[arg-type]
        one.gone = False
        return self._described(name)

    @route("DELETE", "/v1/secrets/{name:path}")
    def w_marked(self, request: Request) -> Any:
        self._may(request, "delete")
        name = request.names["name"]
        self._there(name).gone = True
        if request.query.get("force") == "true":
            del self.kept[name]
        return {"code": 200, "message": "secret marked for deletion and will be removed in about 72 hours"}

    def _there(self, name: str) -> Kept:
        one = self.kept.get(name.replace(":", "/"))
        if one is None or one.gone:
            raise _error(404, "unable to find item with specified identifier")
        return one

    def _described(self, name: str) -> dict[str, Any]:
        one = self._there(name)
        when = datetime.datetime.fromtimestamp(self.now(), datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "id": f"id-{abs(hash(name))}", "path": name.replace("/", ":"), "attributes": one.attributes,
            "description": one.description, "version": str(one.version), "created": when, "lastModified": when,
            "createdBy": "users:thy-one:owner", "lastModifiedBy": "users:thy-one:owner",
        }  # fmt: skip


VENDOR = DevOpsSecretsVault
