"""Writing to Vault: what can be written, and how a value becomes a secret's fields."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.views.decorators.debug import sensitive_variables

from accesses.providers.asking import understood
from accesses.providers.references import NotReadable
from accesses.providers.vault import policies as vault_policies
from accesses.providers.vault import references as vault_references
from accesses.providers.vault import wire as vault_wire
from accesses.providers.vault.client import Reader, is_lost
from accesses.providers.writing import Writing
from credentials.clouds import errors

if TYPE_CHECKING:
    from accesses.models import Access

FIELD = "value"
# Of custom metadata, as Vault limits it.
MOST_TAGS, LONGEST_TAG, LONGEST_VALUE = 64, 128, 512
_AS_FIELDS = (
    "A value that is a JSON object becomes the secret's fields; any other text is kept in one field, value. To read that one, "
    "link it as NAME#value. "
)


def _name(access: "Access", name: str) -> str:
    """Return a name as a path below the engine.

    :raises NotReadable: it is none, or the operator would take it for another one
    """
    path, mount = vault_references.clean(name), access.configuration["mount"]
    if path.startswith(f"{mount}/"):
        raise NotReadable(f"A name cannot begin with {mount}/: the operator takes that for the engine.")
    return path


def _check_tags(tags: Mapping[str, str]) -> None:
    """Refuse what is no custom metadata.

    :raises NotReadable: why
    """
    if len(tags) > MOST_TAGS:
        raise NotReadable(f"Vault keeps {MOST_TAGS} tags of a secret at most; these are {len(tags)}.", "tags")
    for name, value in tags.items():
        if not 1 <= len(name.encode()) <= LONGEST_TAG or not 1 <= len(value.encode()) <= LONGEST_VALUE:
            raise NotReadable(
                f"The tag {name[:40]} is not one of Vault: its name has 1 to {LONGEST_TAG} bytes, its value 1 to "
                f"{LONGEST_VALUE}.",
                "tags",
            )


VERSION_2 = Writing(
    policy=vault_policies.text(writes=True),
    # Below what Vault takes with every storage.
    most_bytes=500_000,
    name=_name,
    check_tags=_check_tags,
    text_field="value",
    note=_AS_FIELDS
    + "A deleted secret keeps its versions, and can be restored until somebody destroys them in Vault.",
)
VERSION_1 = replace(
    VERSION_2,
    policy=vault_policies.text(version="1", writes=True),
    versions=False,
    restores=False,
    tags=False,
    note=_AS_FIELDS
    + "Version 1 of the engine has no versions and no tags: a new value replaces the old one, and what is "
    "deleted is gone.",
)


def of(access: "Access") -> Writing:
    """Return how an access is written to: its engine's version decides."""
    own = VERSION_1 if access.configuration.get("version") == "1" else VERSION_2
    return replace(own, policy=vault_policies.of(access, writes=True))


def _not_json(text: str) -> Any:
    raise ValueError(text)


@sensitive_variables()
def fields(value: str) -> str:
    """Return a secret's fields as raw JSON: an object as it was typed, or one field."""
    try:
        found = json.loads(value, parse_constant=_not_json)
    except (ValueError, RecursionError):
        found = None
    return value if isinstance(found, dict) else json.dumps({FIELD: value})


class Client(Reader):
    """One KV engine, as somebody who may write to it."""

    @sensitive_variables()
    def create(self, name: str, value: str, tags: Mapping[str, str]) -> str:
        """Make a secret; a JSON object becomes its fields, other text its field `value`."""
        if tags:
            # Before the value is there: what may not be tagged is not made either.
            self._check_tagging(name)
        if not self._v2:
            self._replace(name, value, there=False)
            return name
        self._write("create", name, value, 0)
        if tags:
            self.tag(name, tags)
        return name

    @sensitive_variables()
    def put(self, name: str, value: str) -> None:
        """Give a secret a new version; with version 1 of the engine its value is replaced."""
        if not self._v2:
            self._replace(name, value, there=True)
            return
        current = self._current(name)
        try:
            self._write("update", name, value, current)
        except errors.AlreadyThere:
            raise errors.Raced("Somebody else wrote this secret at the same time.") from None

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        """Add to its custom metadata."""
        self._only_version_2("has no custom metadata")
        with understood(vault_wire.VENDOR):
            custom = dict(self._metadata(name).get("custom_metadata") or {}) | dict(tags)
        self._ask("POST", "metadata/", name, "update", json={"custom_metadata": custom}, writes=True)

    def delete(self, name: str) -> None:
        """Delete the latest version; all versions stay, for as long as nobody destroys them."""
        if self._v2:
            self._current(name)
        elif not self._is_listed(name):
            raise _not_there()
        self._ask("DELETE", "data/" if self._v2 else "", name, "delete", writes=True)

    def restore(self, name: str) -> None:
        """Bring back the latest version."""
        self._only_version_2("keeps nothing of what was deleted")
        found = self._metadata(name)
        with understood(vault_wire.VENDOR):
            current = int(found["current_version"])
            lost = is_lost(found)
        if not lost or found["versions"][str(current)].get("destroyed"):
            raise errors.NotThere("There is nothing to bring back.", "Look at its versions in Vault.")
        self._ask("POST", "undelete/", name, "update", json={"versions": [current]}, writes=True)

    def _check_tagging(self, name: str) -> None:
        self._only_version_2("has no custom metadata")
        path = f"{self._mount}/metadata/{name}"
        allowed = set(self._capabilities([path])[path])
        if not ({"create", "update"} <= allowed or "root" in allowed):
            needed = self._permission("create and update", "metadata/")
            raise self._missing(needed, writes=True)

    def _only_version_2(self, why: str) -> None:
        if not self._v2:
            raise errors.NotPossibleHere(
                f"Version 1 of the KV engine {why}.", "Upgrade the engine: vault kv enable-versioning."
            )

    def _current(self, name: str) -> int:
        """Return the number of the latest version.

        :raises NotThere: there is none, or it is deleted
        """
        found = self._metadata(name)
        with understood(vault_wire.VENDOR):
            if is_lost(found):
                raise errors.NotThere("This secret is deleted.", "Restore it first.")
            return int(found["current_version"])

    def _metadata(self, name: str) -> dict[str, Any]:
        answer = self._ask("GET", "metadata/", name, "read", quiet=(404,))
        if answer.status == 404:
            raise _not_there()
        with understood(vault_wire.VENDOR):
            return dict(answer.body["data"])

    def _is_listed(self, name: str) -> bool:
        """Tell whether version 1 has a secret, without reading it."""
        folder = name[: name.rfind("/") + 1]
        return name in (f"{folder}{key}" for key in self._keys(folder, True))

    @sensitive_variables()
    def _write(self, capability: str, name: str, value: str, version: int) -> None:
        body = f'{{"data": {fields(value)}, "options": {{"cas": {version}}}}}'
        self._send(capability, "data/", name, body)

    @sensitive_variables()
    def _replace(self, name: str, value: str, *, there: bool) -> None:
        """Write a value with version 1, which cannot tell by itself what it replaces."""
        if self._is_listed(name) is not there:
            raise _not_there() if there else errors.AlreadyThere("Vault has a secret of this name.")
        self._send("update" if there else "create", "", name, fields(value))

    @sensitive_variables()
    def _send(self, capability: str, kind: str, name: str, body: str) -> None:
        headers = {"Content-Type": "application/json"}
        self._ask(
            "POST", kind, name, capability, data=body.encode(errors="replace"), headers=headers, writes=True
        )


def _not_there() -> errors.NotThere:
    return errors.NotThere("Vault has no secret of this name.", "Check the name and the root engine.")
