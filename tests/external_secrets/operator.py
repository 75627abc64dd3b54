"""An operator for the sandbox cluster that reads from a dictionary, and fails or sleeps when told to.

The sandbox's own reconciler reads from a secret manager; here a test decides what each name answers.
"""

import base64
import hashlib
import json
import threading
from typing import Any

from sandbox.kubernetes import Cluster
from sandbox.kubernetes.operations import Options
from sandbox.kubernetes.store import now

DATA_HASH = "reconcile.external-secrets.io/data-hash"
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "externalsecrets.external-secrets.io"},
    "spec": {
        "group": "external-secrets.io",
        "scope": "Namespaced",
        "names": {
            "kind": "ExternalSecret",
            "plural": "externalsecrets",
            "singular": "externalsecret",
            "listKind": "ExternalSecretList",
        },
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                        },
                    }
                },
            }
        ],
    },
}


def _hash(item: dict[str, Any]) -> str:
    """Return what the operator's mark of a reading ends with: it changes with every label and annotation."""
    metadata = item["metadata"]
    words = json.dumps([metadata.get("labels"), metadata.get("annotations")], sort_keys=True)
    return hashlib.sha256(words.encode()).hexdigest()[:8]


class Operator:
    """Looks at every ExternalSecret that is new, changed or forced; `upstream` maps names to values or errors."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.upstream: dict[str, str | Exception] = {}
        self.asleep = False
        self._seen: dict[str, tuple[Any, ...]] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        cluster.load([CRD])

    def __enter__(self) -> "Operator":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._ended.wait(0.02):
            if not self.asleep:
                self.look()

    def look(self) -> None:
        for item in self.cluster.list("ExternalSecret"):
            metadata = item["metadata"]
            forced = (metadata.get("annotations") or {}).get("force-sync")
            mark = (metadata["generation"], forced)
            if self._seen.get(metadata["uid"]) != mark:
                self._seen[metadata["uid"]] = mark
                self._reconcile(item)

    def again(self) -> None:
        """Forget what was seen, as when every refresh interval ends at once."""
        self._seen.clear()
        self.look()

    def _reconcile(self, item: dict[str, Any]) -> None:
        whole = item["spec"].get("dataFrom")
        if whole and "find" in whole[0]:
            self._find(item, whole[0]["find"])
            return
        data = item["spec"]["data"][0] if not whole else {"remoteRef": whole[0]["extract"]}
        value = self.upstream.get(data["remoteRef"]["key"], KeyError("Secret does not exist"))
        if isinstance(value, Exception):
            self._warn(item, f"error processing spec.data[0], err: {value.args[0]}")
            self._status(item, "False", "SecretSyncedError", "could not get secret data from provider")
            return
        self._write_secret(item, json.loads(value) if whole else {data["secretKey"]: value})
        self._status(item, "True", "SecretSynced", "secret synced")

    def _find(self, item: dict[str, Any], find: dict[str, Any]) -> None:
        """Take all below a path; by tags everything, whatever they are."""
        found = {
            name.replace("/", "_"): value
            for name, value in self.upstream.items()
            if isinstance(value, str) and name.startswith(find.get("path", ""))
        }
        self._write_secret(item, found)
        self._status(item, "True", "SecretSynced", "secret synced")

    def _status(self, item: dict[str, Any], status: str, reason: str, message: str) -> None:
        condition = {"type": "Ready", "status": status, "reason": reason, "message": message}
        found = {"conditions": [condition | {"lastTransitionTime": now()}]}
        if status == "True":
            found |= {
                "refreshTime": now(),
                "syncedResourceVersion": f"{item['metadata']['generation']}-{_hash(item)}",
            }
        metadata = item["metadata"]
        store = self.cluster.store
        key = ("external-secrets.io", "externalsecrets", metadata["namespace"], metadata["name"])
        with store.lock:
            live = store.find(key)
            if live is not None:
                store.put(key, live | {"status": (live.get("status") or {}) | found})

    def _write_secret(self, item: dict[str, Any], data: dict[str, str]) -> None:
        metadata = item["metadata"]
        name, namespace = item["spec"]["target"]["name"], metadata["namespace"]
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        there = self.cluster.get("Secret", name, namespace)
        if there is not None and there["data"] == encoded:
            return
        owner = {
            "apiVersion": item["apiVersion"],
            "kind": item["kind"],
            "name": metadata["name"],
            "uid": metadata["uid"],
        }
        made = {
            "name": name,
            "namespace": namespace,
            "labels": metadata.get("labels") or {},
            "annotations": {DATA_HASH: hashlib.sha256(repr(sorted(encoded.items())).encode()).hexdigest()},
            "ownerReferences": [owner],
        }
        secret = {"apiVersion": "v1", "kind": "Secret", "data": encoded, "metadata": made}
        operations, resource = self.cluster.api.operations, self.cluster.store.by_kind("Secret")
        options = Options(manager=f"externalsecrets.external-secrets.io/{name}")
        if there is None:
            operations.create(resource, namespace, secret, options)
        else:
            operations.replace(resource, namespace, name, secret, options)

    def _warn(self, item: dict[str, Any], message: str) -> None:
        metadata = item["metadata"]
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{metadata['name']}.{len(self.cluster.list('Event'))}",
                "namespace": metadata["namespace"],
            },
            "type": "Warning",
            "reason": "UpdateFailed",
            "message": message,
            "lastTimestamp": now(),
            "involvedObject": {"kind": "ExternalSecret", "name": metadata["name"]},
        }
        self.cluster.load([event])
