"""How the sandbox's operator reads from 1Password: fields and files of items, through the store's Connect server.

A service account's store is accepted, as the operator accepts it, and reads nothing: nobody plays 1Password's own cloud.
"""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from sandbox import reading_values
from sandbox.kubernetes import Cluster
from sandbox.reading import Manifest, secret_value
from sandbox.reading_values import Failed

# The operator takes fields itself, by their labels.
own_fields = True
_TIMEOUT = 5
_ID = re.compile(r"[\da-z]{26}")


class _Connect:
    """The Connect server of one store."""

    def __init__(self, cluster: Cluster, manifest: Manifest) -> None:
        self._spec = manifest["spec"]["provider"].get("onepassword")
        if self._spec is None:
            raise Failed("unable to create client: the sandbox has no cloud of 1Password's")
        selector = self._spec["auth"]["secretRef"]["connectTokenSecretRef"]
        self._token = secret_value(cluster, selector, manifest["metadata"].get("namespace", ""))
        vaults = self._spec["vaults"]
        self.names = sorted(vaults, key=lambda name: int(vaults[name]))

    def get(self, path: str, **query: str) -> bytes:
        address = f"{self._spec['connectHost']}{path}" + (
            f"?{urllib.parse.urlencode(query)}" if query else ""
        )
        request = urllib.request.Request(address, headers={"Authorization": f"Bearer {self._token}"})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310
                found: bytes = answer.read()
                return found
        except urllib.error.HTTPError as error:
            raise Failed(f"status {error.code}: {_message(error)}") from None
        except OSError:
            raise Failed("unable to connect to the 1Password Connect server") from None

    def json(self, path: str, **query: str) -> Any:
        return json.loads(self.get(path, **query))

    def vault(self, name: str) -> str:
        if _ID.fullmatch(name):
            return str(self.json(f"/v1/vaults/{name}")["id"])
        found = self.json("/v1/vaults", filter=f'name eq "{name}"')
        if len(found) != 1:
            raise Failed(f'Found {len(found)} vaults with title "{name}"')
        return str(found[0]["id"])

    def item(self, key: str) -> dict[str, Any]:
        for name in self.names:
            vault = self.vault(name)
            if _ID.fullmatch(key):
                return dict(self.json(f"/v1/vaults/{vault}/items/{key}"))
            found = self.json(f"/v1/vaults/{vault}/items", filter=f'title eq "{key}"')
            if len(found) > 1:
                raise Failed(f"expected one 1Password Item matching: '{key}', got {len(found)}")
            if found:
                return dict(self.json(f"/v1/vaults/{vault}/items/{found[0]['id']}"))
        raise Failed(f"key not found in 1Password Vaults: {key} in: {self.names}")

    def file(self, item: dict[str, Any], name: str) -> str:
        for one in item.get("files", ()):
            if name in ("", one["name"]):
                path = f"/v1/vaults/{item['vault']['id']}/items/{item['id']}/files/{one['id']}/content"
                return self.get(path).decode()
        raise Failed(f"error finding 1Password Document: '{item['title']}', '{name}'")


def check(cluster: Cluster, manifest: Manifest) -> None:
    """Resolve each vault, which proves the token for it; of a service account nothing is proven.

    :raises Failed: a vault is not there, or not for this token
    """
    if "onepassword" in manifest["spec"]["provider"]:
        connect = _Connect(cluster, manifest)
        for name in connect.names:
            connect.vault(name)


def value(cluster: Cluster, manifest: Manifest, reference: Manifest) -> str:
    """Return a field of an item, the one labelled password where none is named, or a file of it.

    :raises Failed: there is no such item or field, or more than one, or it is not for this token
    """
    if reference.get("version"):
        raise Failed("'remoteRef.version' is not implemented in the 1Password provider")
    connect = _Connect(cluster, manifest)
    item = connect.item(reference["key"])
    kind, name = _kind(item, reference.get("property") or "")
    if kind == "file":
        return connect.file(item, name)
    return _field(item, name or "password")


def keys(cluster: Cluster, manifest: Manifest, reference: Manifest) -> dict[str, str]:
    """Return every field of an item by its label, or every file of a document by its name.

    :raises Failed: as `value`
    """
    connect = _Connect(cluster, manifest)
    item = connect.item(reference["key"])
    kind, _ = _kind(item, "")
    if kind == "file":
        return {one["name"]: connect.file(item, one["name"]) for one in item.get("files", ())}
    return {one["label"]: _field(item, one["label"]) for one in item["fields"]}


def find(cluster: Cluster, manifest: Manifest, wanted: Manifest) -> dict[str, str]:
    """Return the fields that match, of the items of a title or with tags; of fields alike the first one.

    :raises Failed: they are not for this token
    """
    connect = _Connect(cluster, manifest)
    found: dict[str, str] = {}
    for name in connect.names:
        vault = connect.vault(name)
        for one in connect.json(f"/v1/vaults/{vault}/items"):
            if not _wanted(one, wanted):
                continue
            item = connect.json(f"/v1/vaults/{vault}/items/{one['id']}")
            labels = [field["label"] for field in item["fields"]]
            for label in reading_values.matching(labels, wanted):
                found.setdefault(label, _field(item, label))
    return found


def _wanted(item: dict[str, Any], wanted: Manifest) -> bool:
    if wanted.get("tags"):
        return set(wanted["tags"]) <= set(item.get("tags") or ())
    return wanted.get("path") in (None, "", item["title"])


def _kind(item: dict[str, Any], name: str) -> tuple[str, str]:
    for kind in ("field", "file"):
        if name.startswith(f"{kind}/"):
            return kind, name.removeprefix(f"{kind}/")
    return ("file" if item.get("category") == "DOCUMENT" else "field"), name


def _field(item: dict[str, Any], label: str) -> str:
    found = [one for one in item["fields"] if one["label"] == label]
    if len(found) != 1:
        words = f"'{label}' in '{item['title']}', got {len(found)}"
        raise Failed(f"expected one 1Password ItemField matching: {words}")
    return str(found[0].get("value", ""))


def _message(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read())["message"])
    except (OSError, ValueError, LookupError, TypeError):
        return "no message"
