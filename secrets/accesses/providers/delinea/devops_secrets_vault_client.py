"""Delinea DevOps Secrets Vault's REST API: signing in, listing, and writing. A value is never asked for."""

import datetime
import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.debug import sensitive_variables

from accesses.providers.asking import Api, Refusal, understood
from accesses.providers.base import Entry, Page, Probe
from credentials.clouds import errors

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

VENDOR = "DevOps Secrets Vault"
LIST, READ, CREATE, UPDATE, DELETE = "list", "read", "create", "update", "delete"
# One request asks for so many names; where a prefix is asked for, so many requests are made for one page.
ASKED, REQUESTS = 100, 5
# A token is for an hour; so many seconds before its end it is renewed.
EARLY = 60
# For so long a deleted secret can be brought back.
KEPT = datetime.timedelta(hours=72)
# The key of a value that is no JSON object: a secret there is always one.
FIELD = "value"
REFUSALS = (
    Refusal(
        401, errors.CredentialRefused, "DevOps Secrets Vault does not know the token, any more.",
        "Try again; if that does not help, replace the client's secret.",
    ),
    Refusal(
        403, errors.PermissionMissing, "No policy lets the client {permission} there.",
        "Add the action {permission} to a policy of the client's role.",
    ),
    Refusal(404, errors.NotThere, "DevOps Secrets Vault has nothing there.", "Check the tenant and the path."),
    Refusal(409, errors.AlreadyThere, "There is a secret at that path already."),
    Refusal(400, errors.NotValid, "DevOps Secrets Vault does not take the request.", "Check the path."),
)  # fmt: skip
_NOT_SIGNED_IN = (
    errors.CredentialRefused, "DevOps Secrets Vault refuses the client.",
    "Check the client ID and its secret, the tenant and the region; a client can end by its lifetime or by its uses.",
)  # fmt: skip
SIGN_IN = tuple(Refusal(status, *_NOT_SIGNED_IN) for status in (400, 401, 403, 404))


def address(place: Mapping[str, str]) -> str:
    """Return where a tenant is: of Delinea's cloud, unless the access has an address of its own."""
    return place.get("address") or f"https://{place['tenant']}.secretsvaultcloud.{place['tld']}"


class Session:
    """Signs requests with a token of the client, which is renewed before it ends."""

    def __init__(self, access: "Access | AccessDraft") -> None:
        self._place, self._credential = access.configuration, access.credential
        self._token, self._until = "", 0.0

    @sensitive_variables()
    def headers(self) -> Mapping[str, str]:
        """Return what signs a request.

        :raises CredentialRefused: there is no secret, or it is refused
        """
        if time.monotonic() >= self._until:
            self._sign_in()
        return {"Authorization": f"Bearer {self._token}"}

    @sensitive_variables()
    def _sign_in(self) -> None:
        secret = self._credential.get("client_secret")
        if not secret:
            raise errors.CredentialRefused("There is no client secret.", "Enter the client's secret.")
        asked = {
            "grant_type": "client_credentials", "client_id": self._place["client_id"], "client_secret": secret,
        }  # fmt: skip
        answer = Api(VENDOR, address(self._place), SIGN_IN).ask("POST", "/v1/token", json=asked)
        with understood(VENDOR):
            self._token = str(answer.body["accessToken"])
            self._until = time.monotonic() + max(int(answer.body.get("expiresIn", 3600)) - EARLY, 0)


class Client:
    """Lists paths with the access's own client, and writes where that may."""

    def __init__(self, access: "Access | AccessDraft", signed_in: Session) -> None:
        self._client = access.configuration["client_id"]
        self._api = Api(VENDOR, address(access.configuration), REFUSALS, headers=signed_in.headers)

    def __repr__(self) -> str:
        return f"<DevOps Secrets Vault at {self._api.address}>"

    def page(self, prefix: str = "", cursor: str = "") -> Page:
        """Return at most 100 entries, in the vault's order; it searches anywhere in a path, so the rest is left out here."""
        word = max(prefix.split("/"), key=len)
        for _ in range(REQUESTS):
            query = {"limit": ASKED, "searchTerm": word, "cursor": cursor}
            answer = self._api.ask(
                "GET", "/v1/secrets", query={name: one for name, one in query.items() if one},
                permission=LIST, policy=self.statement([LIST]),
            )  # fmt: skip
            with understood(VENDOR):
                found = [_entry(one) for one in answer.body["data"] or ()][:ASKED]
                cursor = str(answer.body.get("cursor") or "")
            kept = [entry for entry in found if entry.name.startswith(prefix)]
            if kept or not cursor:
                return Page(kept, cursor)
        return Page([], cursor)

    def whoami(self) -> str:
        """Return the client; that it signs in, any other request tells."""
        return f"client {self._client}"

    def probe(self, entries: list[Entry]) -> list[Probe]:
        """Return that reading was not tried: the vault tells nothing about it without the value."""
        return [Probe(READ, None, "Only reading a value would tell", one.name) for one in entries[:1]]

    def statement(self, actions: list[str]) -> str:
        """Return a policy that allows these actions on every secret, as the vault's command line takes it."""
        return policy(*actions)

    # -- writing -----------------------------------------------------------------------------------------------
    @sensitive_variables()
    def create(self, name: str, value: str, tags: Mapping[str, str]) -> str:
        """Make a secret; tags are its attributes."""
        if self._ask("GET", f"{_path(name)}::description", READ, quiet=(404,)).status != 404:
            raise errors.AlreadyThere(f"There is a secret {name} already.")
        self._ask("POST", _path(name), CREATE, {"data": _data(value), "attributes": dict(tags)})
        return name

    @sensitive_variables()
    def put(self, name: str, value: str) -> None:
        """Replace the whole value; attributes and the description stay."""
        found = self._ask("GET", f"{_path(name)}::description", READ).body
        with understood(VENDOR):
            attributes, description = dict(found.get("attributes") or {}), str(found.get("description") or "")
        body = {"data": _data(value), "attributes": attributes, "description": description, "overwrite": True}
        self._ask("PUT", _path(name), UPDATE, body)

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        """Add or change attributes."""
        self._ask("PUT", _path(name), UPDATE, {"attributes": dict(tags), "data": {}, "overwrite": False})

    def delete(self, name: str) -> datetime.datetime | None:
        """Mark a secret for deletion; return until when it can be brought back."""
        self._ask("DELETE", f"{_path(name)}?force=false", DELETE)
        return timezone.now() + KEPT

    def restore(self, name: str) -> None:
        """Bring back what was marked."""
        self._ask("PUT", f"{_path(name)}/restore", UPDATE)

    @sensitive_variables()
    def _ask(
        self, method: str, path: str, permission: str, body: Any = None, quiet: tuple[int, ...] = ()
    ) -> Any:
        return self._api.ask(
            method, path, json=body, permission=permission, policy=self.statement([permission]), quiet=quiet
        )


def _path(name: str) -> str:
    return f"/v1/secrets/{quote(name, safe='/')}"


def _data(value: str) -> dict[str, Any]:
    """Return a value as the vault keeps one: a JSON object as it is, all else under one key."""
    try:
        found = json.loads(value)
    except ValueError:
        found = None
    return found if isinstance(found, dict) and found else {FIELD: value}


def _entry(found: Any) -> Entry:
    attributes = found.get("attributes") or {}
    when = parse_datetime(str(found.get("lastModified") or ""))
    name = str(found["path"]).replace(":", "/")
    return Entry(
        name=name,
        reference=name,
        kind="secret",
        description=str(found.get("description") or ""),
        changed_at=when,
        tags={str(key): str(one) for key, one in attributes.items() if not isinstance(one, dict | list)},
    )


def policy(*actions: str) -> str:
    """Return a policy that allows actions on every secret."""
    return "\n".join(
        [
            "path: secrets",
            "permissionDocument:",
            "- effect: allow",
            "  subjects: ['roles:keyhaven']",
            f"  actions: [{', '.join(actions)}]",
            "  resources: ['secrets:<.*>']",
        ]
    )
