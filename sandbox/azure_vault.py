"""The Azure stand-in's key vaults over HTTP: names, values and versions, soft delete, RBAC or access policies, a firewall."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.azure_state import App, Refused, State
from sandbox.azure_vault_state import (
    DAYS,
    DELETE,
    GET,
    LIST,
    POLICY,
    RECOVER,
    SET,
    UPDATE,
    Kept,
    Vault,
    Version,
)

AUDIENCE = "https://vault.azure.net"
_MOST = 25_600
_NAME = re.compile(r"[A-Za-z0-9-]{1,127}")


@dataclass(frozen=True, slots=True)
class Request:
    """What came in, below `/vaults/NAME`."""

    state: State
    token: str
    method: str
    path: str
    query: dict[str, str]
    body: dict[str, Any]
    url: str


def refused(status: int, code: str, message: str, inner: str = "", **headers: str) -> Refused:
    made = Refused(status, code, message, **headers)
    if inner:
        made.body["error"]["innererror"] = {"code": inner}
    return made


def answer(request: Request) -> dict[str, Any]:
    """Return the answer to one request.

    :raises Refused: anything but 200
    """
    name, _, rest = request.path.removeprefix("/vaults/").partition("/")
    vault = request.state.vaults.get(name)
    if vault is None:
        raise refused(404, "VaultNotFound", f"The vault '{name}' was not found.")
    app = _signed_in(request, vault)
    if vault.closed:
        raise refused(403, "Forbidden", "Client address is not authorized.", vault.closed)
    if not re.fullmatch(r"7\.\d", request.query.get("api-version", "")):
        raise refused(400, "BadParameter", "api-version was not specified")
    return _routed(_Asked(request, vault, app), rest.strip("/").split("/"))


def _signed_in(request: Request, vault: Vault) -> App:
    challenge = {"WWW-Authenticate": f'Bearer authorization="https://login.microsoftonline.com/{vault.tenant}", '
                 f'resource="{AUDIENCE}"'}  # fmt: skip
    app = request.state.bearer(request.token, AUDIENCE)
    if app is None:
        words = "AKV10000: Request is missing a Bearer or PoP token."
        raise refused(401, "Unauthorized", words, **challenge)
    if app.tenant != vault.tenant:
        raise refused(401, "Unauthorized", "AKV10032: Invalid issuer.", **challenge)
    return app


@dataclass(frozen=True, slots=True)
class _Asked:
    request: Request
    vault: Vault
    app: App

    def require(self, action: str, name: str = "") -> None:
        """:raises Refused: the application may not"""
        vault, who = self.vault, f"appid={self.app.client};oid={self.app.object}"
        if not vault.rbac:
            if POLICY[action] not in vault.policies.get(self.app.object, []):
                words = f"The user, group or application '{who}' does not have secrets {POLICY[action]} permission"
                raise refused(403, "Forbidden", f"{words} on key vault '{vault.name}'.", "ForbiddenByPolicy")
            return
        scope = f"{vault.scope}/secrets/{name}" if name else vault.scope
        if not any(one.covers(self.app.object, action, scope) for one in self.request.state.assignments):
            words = f"Caller is not authorized to perform action on resource.\r\nCaller: {who}\r\nAction: '{action}'"
            raise refused(403, "Forbidden", words, "ForbiddenByRbac")

    @property
    def base(self) -> str:
        return f"{self.request.url}/vaults/{self.vault.name}"


def _routed(asked: _Asked, parts: list[str]) -> dict[str, Any]:
    kind, name = parts[0], parts[1] if len(parts) > 1 else ""
    if name and not _NAME.fullmatch(name):
        raise refused(400, "BadParameter", "The request URI contains an invalid name.")
    key = (asked.request.method, kind, min(len(parts), 3) if "versions" not in parts else 9)
    made = _ROUTES.get(key)
    if made is None:
        raise refused(404, "NotFound", "Operation returned an invalid status code 'NotFound'")
    return made(asked, name, parts[2] if len(parts) > 2 else "")


def _paged(asked: _Asked, bodies: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one page; the next one's address says its own port, as Azure's does."""
    most = min(int(asked.request.query.get("maxresults", 25)), 25)
    start = int(asked.request.query.get("$skiptoken") or 0)
    page: dict[str, Any] = {"value": bodies[start : start + most], "nextLink": None}
    if start + most < len(bodies):
        host = asked.request.state.faults.get("next_host") or asked.request.url
        version = asked.request.query["api-version"]
        following = f"api-version={version}&%24skiptoken={start + most}&maxresults={most}"
        page["nextLink"] = f"{host}{asked.request.path}?{following}"
    return page


def _item(asked: _Asked, name: str, found: Kept, version: Version) -> dict[str, Any]:
    attributes = {
        "enabled": version.enabled, "created": version.at, "updated": version.at,
        "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": DAYS,
    }  # fmt: skip
    body: dict[str, Any] = {"id": f"{asked.base}/secrets/{name}", "attributes": attributes}
    body |= {"tags": version.tags} if version.tags else {}
    body |= {"contentType": version.content_type} if version.content_type else {}
    if found.gone:
        body |= {"recoveryId": f"{asked.base}/deletedsecrets/{name}", "deletedDate": found.gone}
        body["scheduledPurgeDate"] = found.gone + DAYS * 86_400
    return body


def _bundle(asked: _Asked, name: str, found: Kept, version: Version) -> dict[str, Any]:
    body = _item(asked, name, found, version)
    return body | {"id": f"{body['id']}/{version.id}"}


def _list(asked: _Asked, name: str, version: str) -> dict[str, Any]:
    asked.require(LIST)
    held = asked.vault.there
    return _paged(asked, [_item(asked, one, held[one], held[one].versions[-1]) for one in sorted(held)])


def _list_deleted(asked: _Asked, name: str, version: str) -> dict[str, Any]:
    asked.require(LIST)
    held = asked.vault.deleted
    return _paged(asked, [_item(asked, one, held[one], held[one].versions[-1]) for one in sorted(held)])


def _versions(asked: _Asked, name: str, version: str) -> dict[str, Any]:
    asked.require(LIST, name)
    found = asked.vault.there.get(name, Kept([]))
    return _paged(asked, [_bundle(asked, name, found, one) for one in found.versions])


def _found(held: dict[str, Kept], name: str, version: str = "") -> tuple[Kept, Version]:
    found = held.get(name)
    wanted = [one for one in found.versions if version in ("", one.id)] if found else []
    if found is None or not wanted:
        words = f"A secret with (name/id) {name} was not found in this key vault."
        raise refused(404, "SecretNotFound", words)
    return found, wanted[-1]


def _get(asked: _Asked, name: str, version: str) -> dict[str, Any]:
    asked.require(GET, name)
    found, one = _found(asked.vault.there, name, version)
    if not one.enabled:
        words = "Operation get is not allowed on a disabled secret."
        raise refused(403, "Forbidden", words, "SecretDisabled")
    return _bundle(asked, name, found, one) | {"value": one.value}


def _put(asked: _Asked, name: str, version: str) -> dict[str, Any]:
    asked.require(SET, name)
    gone, body = asked.vault.deleted.get(name), asked.request.body
    if gone is not None:
        waits = gone.settled > time.time()
        inner = "ObjectIsBeingDeleted" if waits else "ObjectIsDeletedButRecoverable"
        raise refused(409, "Conflict", f"Secret {name} is currently in a deleted state.", inner)
    if not isinstance(body.get("value"), str) or len(body["value"].encode()) > _MOST:
        raise refused(400, "BadParameter", "The parameter value is missing or too long.")
    made = asked.vault.set(name, body["value"], body.get("tags"), body.get("contentType", ""))
    found = asked.vault.there[name]
    return _bundle(asked, name, found, made) | {"value": made.value}


def _patch(asked: _Asked, name: str, version: str) -> dict[str, Any]:
    asked.require(UPDATE, name)
    found, one = _found(asked.vault.there, name, version)
    body = asked.request.body
    one.tags = dict(body.get("tags", one.tags))
    one.content_type = body.get("contentType", one.content_type)
    one.enabled = (body.get("attributes") or {}).get("enabled", one.enabled)
    return _bundle(asked, name, found, one)


def _delete(asked: _Asked, name: str, version: str) -> dict[str, Any]:
    asked.require(DELETE, name)
    found, one = _found(asked.vault.there, name)
    found.gone = int(time.time())
    found.settled = time.time() + float(asked.request.state.faults.get("deleting_seconds", 0))
    asked.vault.deleted[name] = asked.vault.there.pop(name)
    return _bundle(asked, name, found, one)


def _recover(asked: _Asked, name: str, version: str) -> dict[str, Any]:
    asked.require(RECOVER, name)
    found, one = _found(asked.vault.deleted, name)
    if found.settled > time.time():
        raise refused(409, "Conflict", f"Secret {name} is being deleted.", "ObjectIsBeingDeleted")
    found.gone = 0
    asked.vault.there[name] = asked.vault.deleted.pop(name)
    return _bundle(asked, name, found, one)


# (method, list, how many parts; 9 for versions) → what answers
_ROUTES: dict[tuple[str, str, int], Callable[[_Asked, str, str], dict[str, Any]]] = {
    ("GET", "secrets", 1): _list,
    ("GET", "deletedsecrets", 1): _list_deleted,
    ("GET", "secrets", 9): _versions,
    ("GET", "secrets", 2): _get,
    ("GET", "secrets", 3): _get,
    ("PUT", "secrets", 2): _put,
    ("PATCH", "secrets", 2): _patch,
    ("PATCH", "secrets", 3): _patch,
    ("DELETE", "secrets", 2): _delete,
    ("POST", "deletedsecrets", 3): _recover,
}
