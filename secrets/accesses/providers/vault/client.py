"""The console at Vault: lists names with the access's own identity; never asks for a value."""

import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.views.decorators.debug import sensitive_variables

from accesses.providers.asking import Answer, Api, understood
from accesses.providers.base import Entry, Page, Probe
from accesses.providers.vault import policies as vault_policies
from accesses.providers.vault import wire as vault_wire
from accesses.providers.vault.walking import Walk
from credentials.clouds import errors

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

_LONGEST = 500


def _time(text: Any) -> datetime.datetime | None:
    """Return a time as Vault writes it, or None for an empty one."""
    return datetime.datetime.fromisoformat(str(text)) if text else None


class Reader:
    """One KV engine, version 1 or 2, as somebody who signed in."""

    def __init__(self, access: "Access | AccessDraft", signed_in: Api) -> None:
        configuration = access.configuration
        self._access, self._api = access, signed_in
        self._mount, self._v2 = configuration["mount"], configuration["version"] != "1"
        self._tells_metadata = self._v2
        self._walk: Walk | None = None

    # -- names ---------------------------------------------------------------------------------------
    def page(self, prefix: str = "", cursor: str = "") -> Page:
        """Return at most 100 entries, by the letters of their names. Folders that may not be listed are left out."""
        if not _may_begin_a_name(prefix):
            return Page([])
        # What was listed on the way to this page's beginning is not asked for again.
        if self._walk is None or not cursor or self._walk.prefix != prefix:
            self._walk = Walk(prefix, self._keys)
        with self._api.kept():
            names, following = self._walk.on(cursor)
            return Page([entry for name in names if (entry := self._entry(name))], following)

    def _keys(self, folder: str, is_first: bool) -> list[str]:
        """Return what is in a folder; folders in it end with a slash."""
        kind = "metadata/" if self._v2 else ""
        try:
            answer = self._ask("GET", kind, folder, "list", query={"list": "true"}, quiet=(404,))
        except errors.PermissionMissing:
            if is_first:
                self._check_engine()
                raise
            return []
        if answer.status == 404:
            if code := vault_wire.code_of(answer.body or {}):
                raise self._api.refused(404, answer.body, "list", code)
            if is_first:
                self._check_engine()
            return []
        with understood(vault_wire.VENDOR):
            return [str(key) for key in answer.body["data"]["keys"]]

    def _check_engine(self) -> None:
        """Say so if the engine is another one than configured: an empty one looks the same.

        :raises NotThere: it is of the other version, or no KV engine
        """
        try:
            found = self._api.ask("GET", f"/v1/sys/internal/ui/mounts/{quote(self._mount)}").body["data"]
            kind, version = str(found["type"]), str((found.get("options") or {}).get("version") or "1")
        except (errors.ProviderError, LookupError, TypeError, AttributeError):
            return
        if kind not in ("kv", "generic"):
            raise errors.NotThere(
                f"The secrets engine at {self._mount} is of the kind {kind[:40]}, not KV.",
                "Enter the path of a KV engine.",
            )
        if version != ("2" if self._v2 else "1"):
            raise errors.NotThere(
                f"The secrets engine at {self._mount} is of version {version[:1]}.", "Choose that version."
            )

    def _entry(self, name: str) -> Entry | None:
        """Return a name with its facts, as far as they may be read; None if it is gone meanwhile."""
        plain = Entry(name=name, reference=name, kind="secret")
        if not self._tells_metadata:
            return plain
        try:
            answer = self._ask("GET", "metadata/", name, "read", quiet=(404,))
        except errors.PermissionMissing:
            # Then the others are not asked for either.
            self._tells_metadata = False
            return plain
        return None if answer.status == 404 else _entry(name, answer.body)

    # -- who and what --------------------------------------------------------------------------------
    @cached_property
    def _token(self) -> dict[str, Any]:
        with understood(vault_wire.VENDOR):
            return dict(self._api.ask("GET", "/v1/auth/token/lookup-self").body["data"])

    def whoami(self) -> str:
        """Return the token's display name with its policies."""
        with understood(vault_wire.VENDOR):
            policies = ", ".join(map(str, self._token.get("policies") or ()))
            return f"{self._token['display_name']} (policies {policies})"

    def probe(self, entries: list[Entry]) -> list[Probe]:
        """Return whether values and facts may be read, by what Vault tells of its policies; and when a token ends."""
        found = [self._end()] if self._access.method == "token" else []
        if not entries:
            return found
        kinds = ("data/", "metadata/") if self._v2 else ("",)
        paths = {kind: f"{self._mount}/{kind}{entries[0].name}" for kind in kinds}
        allowed = self._capabilities(list(paths.values()))
        words = {True: "Tested", False: "Denied"}
        for kind, path in paths.items():
            may = bool({"read", "root", "sudo"} & set(allowed[path]))
            found.append(Probe(self._permission("read", kind), may, words[may], entries[0].name))
        return found

    def _capabilities(self, paths: list[str]) -> dict[str, list[str]]:
        answer = self._api.ask("POST", "/v1/sys/capabilities-self", json={"paths": paths})
        with understood(vault_wire.VENDOR):
            return {path: list(answer.body["data"][path]) for path in paths}

    def ends_at(self) -> datetime.datetime | None:
        """Return when a stored token ends; what signs in anew each time has no end."""
        if self._access.method != "token":
            return None
        with understood(vault_wire.VENDOR):
            return _time(self._token.get("expire_time"))

    def _end(self) -> Probe:
        until = self.ends_at()
        if until is None:
            return Probe("Token's end", True, "It has none.")
        return Probe(
            "Token's end", True, f"{until.astimezone(datetime.UTC):%Y-%m-%d %H:%M} UTC. Nobody renews it."
        )

    def statement(self, actions: list[str]) -> str:
        return vault_policies.of(self._access, *actions)

    def _permission(self, capability: str, kind: str) -> str:
        return f"{capability} on {self._mount}/{kind}"

    # -- asking --------------------------------------------------------------------------------------
    @sensitive_variables()
    def _ask(
        self, method: str, kind: str, name: str, capability: str, *, writes: bool = False, **more: Any
    ) -> Answer:
        """Send a request about a name.

        :raises PermissionMissing: no policy allows it, with the policy that would
        """
        permission = self._permission(capability, kind)
        path = quote(f"{self._mount}/{kind}{name}", safe="/")
        policy = vault_policies.of(self._access, permission, writes=writes)
        try:
            return self._api.ask(method, f"/v1/{path}", permission=permission, policy=policy, **more)
        except errors.CredentialRefused:
            if self._is_known():
                raise self._missing(permission, writes=writes) from None
            raise

    def _is_known(self) -> bool:
        """Tell whether Vault knows the token after all: some of its refusals do not tell."""
        try:
            self._api.ask("GET", "/v1/auth/token/lookup-self")
        except errors.ProviderError:
            return False
        return True

    def _missing(self, permission: str, *, writes: bool) -> errors.ProviderError:
        policy = vault_policies.of(self._access, permission, writes=writes)
        return self._api.refused(403, None, permission, policy)


def _may_begin_a_name(prefix: str) -> bool:
    folders = prefix.split("/")[:-1]
    odd = any(part in ("", ".", "..") for part in folders)
    return prefix.isprintable() and len(prefix) <= _LONGEST and not odd


def is_lost(found: dict[str, Any]) -> bool:
    """Tell whether the latest version is deleted or destroyed, by a secret's metadata."""
    latest = (found.get("versions") or {}).get(str(found["current_version"])) or {}
    until = _time(latest.get("deletion_time"))
    return bool(latest.get("destroyed")) or (
        until is not None and until <= datetime.datetime.now(datetime.UTC)
    )


def _entry(name: str, body: Any) -> Entry:
    with understood(vault_wire.VENDOR):
        found = body["data"]
        latest = (found.get("versions") or {}).get(str(found["current_version"])) or {}
        lost = is_lost(found)
        return Entry(
            name=name,
            reference=name,
            kind="secret",
            description="" if latest else "It has no version yet.",
            changed_at=_time(found.get("updated_time")),
            tags={str(key): str(value) for key, value in (found.get("custom_metadata") or {}).items()},
            # Since when it is deleted; nothing in Vault says until when it can be brought back.
            deletes_at=_time(latest.get("deletion_time") or found.get("updated_time")) if lost else None,
        )
