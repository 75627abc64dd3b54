"""What plays the External Secrets Operator in the sandbox: it reads with each store's own credentials,
writes Secrets, and sets the operator's own conditions, messages and events.
"""

import base64
import copy
import hashlib
import json
import threading
import time
from typing import Any

from sandbox.kubernetes import Cluster, store
from sandbox.kubernetes.operations import Options
from sandbox.reading import Reader
from sandbox.reading_values import Failed, Missing

type Manifest = dict[str, Any]

GROUP = "external-secrets.io"
MANAGED = "reconcile.external-secrets.io/managed"
HASH = "reconcile.external-secrets.io/data-hash"
CONTROLLER = "external-secrets"
RETAINED = "secret retained due to DeletionPolicy=Retain"


def _ready(status: str, reason: str, message: str, old: Manifest | None) -> Manifest:
    for condition in ((old or {}).get("status") or {}).get("conditions") or []:
        if (condition["status"], condition["reason"], condition["message"]) == (status, reason, message):
            return dict(condition)
    return {
        "type": "Ready",
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": store.now(),
    }


def version_of(manifest: Manifest) -> str:
    """Return what the operator compares to see whether an ExternalSecret changed."""
    metadata = manifest["metadata"]
    words = json.dumps([metadata.get("labels") or {}, metadata.get("annotations") or {}], sort_keys=True)
    return f"{metadata['generation']}-{hashlib.sha256(words.encode()).hexdigest()[:16]}"


def seconds_of(interval: str) -> float:
    """Return a Go duration such as `1h0m0s` in seconds."""
    total, number = 0.0, ""
    for letter in interval:
        if letter in "hms":
            total += float(number or 0) * {"h": 3600, "m": 60, "s": 1}[letter]
            number = ""
        else:
            number += letter
    return total


class Reconciler:
    """Looks at the cluster a few times a second, as long as an operator is installed in it."""

    def __init__(self, cluster: Cluster, aws_url: str, google_url: str = "") -> None:
        self.cluster, self.reader = cluster, Reader(cluster, aws_url, google_url)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="sandbox-reconciler")
        # (namespace, name, uid) → (version, when to look again, how often it failed)
        self._due: dict[tuple[str, str, str], tuple[str, float, int]] = {}
        # uid of a store → what its last event said
        self._said: dict[str, str] = {}

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join(timeout=15)

    def _run(self) -> None:
        while not self._ended.wait(0.2):
            if self._installed():
                for kind in ("ClusterSecretStore", "SecretStore"):
                    for manifest in self.cluster.list(kind):
                        self._store(kind, copy.deepcopy(manifest))
                for manifest in self.cluster.list("ExternalSecret"):
                    self._external_secret(copy.deepcopy(manifest))

    def _installed(self) -> bool:
        for manifest in self.cluster.list("Deployment"):
            labels = manifest["metadata"].get("labels") or {}
            if labels.get("app.kubernetes.io/name") == CONTROLLER:
                return bool((manifest.get("status") or {}).get("availableReplicas"))
        return False

    # -- stores --------------------------------------------------------------------------------------
    def _store(self, kind: str, manifest: Manifest) -> None:
        uid = manifest["metadata"]["uid"]
        try:
            self.reader.check(manifest)
        except Failed as error:
            condition = _ready("False", "InvalidProviderConfig", "unable to create client", manifest)
            if self._said.get(uid) != str(error):
                self._event(manifest | {"kind": kind}, "Warning", "InvalidProviderConfig", str(error))
            self._said[uid] = str(error)
        else:
            self._said.pop(uid, None)
            condition = _ready("True", "Valid", "store validated", manifest)
        status = {"capabilities": "ReadWrite", "conditions": [condition]}
        if manifest.get("status") != status:
            self._write_status(kind, manifest, status)

    # -- external secrets ----------------------------------------------------------------------------
    def _external_secret(self, manifest: Manifest) -> None:
        metadata = manifest["metadata"]
        key = (metadata["namespace"], metadata["name"], metadata["uid"])
        version = version_of(manifest)
        seen, due, failures = self._due.get(key, ("", 0.0, 0))
        if seen == version and time.monotonic() < due and self._intact(manifest):
            return
        try:
            data = self._read(manifest)
            said = self._settle(manifest, data)
        except Failed as error:
            self._due[key] = (version, time.monotonic() + min(2.0**failures, 420), failures + 1)
            self._event(manifest, "Warning", "UpdateFailed", str(error))
            condition = _ready(
                "False", "SecretSyncedError", "could not get secret data from provider", manifest
            )
            self._write_status(
                "ExternalSecret", manifest, (manifest.get("status") or {}) | {"conditions": [condition]}
            )
            return
        wait = seconds_of(manifest["spec"].get("refreshInterval", "1h0m0s"))
        self._due[key] = (version, time.monotonic() + wait, 0)
        target = (manifest["spec"].get("target") or {}).get("name") or metadata["name"]
        status = {
            "binding": {"name": target},
            "conditions": [_ready(*said, manifest)],
            "refreshTime": store.now(),
            "syncedResourceVersion": version,
        }
        self._write_status("ExternalSecret", manifest, status)

    def _intact(self, manifest: Manifest) -> bool:
        """Tell whether the target is as we wrote it; a failed one has no target to look at."""
        conditions = (manifest.get("status") or {}).get("conditions") or [{}]
        if conditions[0].get("status") != "True" or conditions[0].get("message") == RETAINED:
            return True
        target = (manifest["spec"].get("target") or {}).get("name") or manifest["metadata"]["name"]
        secret = self.cluster.get("Secret", target, manifest["metadata"]["namespace"])
        annotations = ((secret or {}).get("metadata") or {}).get("annotations") or {}
        return secret is not None and annotations.get(HASH) == _hash(secret.get("data") or {})

    def _read(self, manifest: Manifest) -> dict[str, str]:
        """Return the data of the target; what is gone upstream is left out, unless it is to be retained."""
        spec = manifest["spec"]
        keep = (spec.get("target") or {}).get("deletionPolicy", "Retain") == "Retain"
        data: dict[str, str] = {}
        for at, entry in enumerate(spec.get("dataFrom") or []):
            kind = "find" if "find" in entry else "extract"
            act = self.reader.find if kind == "find" else self.reader.keys
            data |= self._one(manifest, entry, f"spec.dataFrom[{at}]", keep, act, entry[kind]) or {}
        for at, entry in enumerate(spec.get("data") or []):
            wanted = entry["remoteRef"]
            text = self._one(manifest, entry, f"spec.data[{at}]", keep, self.reader.value, wanted)
            data |= {} if text is None else {entry["secretKey"]: text}
        return data

    def _one(
        self, manifest: Manifest, entry: Manifest, where: str, keep: bool, act: Any, wanted: Manifest
    ) -> Any:
        """Return what an entry reads, from its own store or the one of all; None when it is gone and may be."""
        own = (entry.get("sourceRef") or {}).get("storeRef") or {}
        try:
            return act(self._find_store(manifest, own), wanted)
        except Missing as error:
            if keep:
                raise Failed(f"error processing {where}: {error}") from None
            self._event(
                manifest,
                "Normal",
                "MissingProviderSecret",
                f"secret does not exist at provider using {where}",
            )
            return None
        except Failed as error:
            raise Failed(f"error processing {where}: {error}") from None

    def _settle(self, manifest: Manifest, data: dict[str, str]) -> tuple[str, str, str]:
        """Write the target, or do what the deletion policy says where nothing was found; return the condition."""
        target = manifest["spec"].get("target") or {}
        policy = target.get("deletionPolicy", "Retain")
        if data or policy == "Merge":
            self._write_secret(manifest, data)
            return "True", "SecretSynced", "secret synced"
        if policy == "Retain":
            return "True", "SecretSynced", RETAINED
        if target.get("creationPolicy", "Owner") != "Owner":
            raise Failed("unable to delete secret: deletionPolicy=Delete needs creationPolicy=Owner")
        namespace, name = (
            manifest["metadata"]["namespace"],
            target.get("name") or manifest["metadata"]["name"],
        )
        if self.cluster.get("Secret", name, namespace) is not None:
            resource = self.cluster.store.by_kind("Secret")
            self.cluster.api.operations.delete(resource, namespace, name, dry_run=False)
        return "False", "SecretDeleted", "secret deleted due to DeletionPolicy=Delete"

    def _find_store(self, manifest: Manifest, own: Manifest) -> Manifest:
        namespace = manifest["metadata"]["namespace"]
        reference = own or manifest["spec"].get("secretStoreRef") or {}
        kind, name = reference.get("kind", "SecretStore"), reference.get("name", "")
        found = self.cluster.get(kind, name, namespace if kind == "SecretStore" else "")
        if found is None:
            raise Failed(f'could not get {kind} "{name}", {kind}.{GROUP} "{name}" not found')
        allowed = found["spec"].get("conditions")
        open_to = [name for condition in allowed or [] for name in condition.get("namespaces", ())]
        if kind == "ClusterSecretStore" and allowed and namespace not in open_to:
            raise Failed(
                f'using cluster store "{name}" is not allowed from namespace "{namespace}": denied by spec.condition'
            )
        conditions = (found.get("status") or {}).get("conditions") or [{}]
        if conditions[0].get("status") != "True":
            raise Failed(f'{kind} "{name}" is not ready')
        return found

    # -- writing -------------------------------------------------------------------------------------
    def _write_secret(self, manifest: Manifest, data: dict[str, str]) -> None:
        metadata = manifest["metadata"]
        target = manifest["spec"].get("target") or {}
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
        owner = {
            "apiVersion": f"{GROUP}/v1", "kind": "ExternalSecret", "name": metadata["name"], "uid": metadata["uid"],
            "controller": True, "blockOwnerDeletion": True,
        }  # fmt: skip
        name, namespace = target.get("name") or metadata["name"], metadata["namespace"]
        labels = (metadata.get("labels") or {}) | {MANAGED: "true"}
        secret: Manifest = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name, "namespace": namespace, "labels": labels, "annotations": {HASH: _hash(encoded)},
                "ownerReferences": [owner] if target.get("creationPolicy", "Owner") == "Owner" else [],
            },
            "type": "Opaque",
            "data": encoded,
        }  # fmt: skip
        operations, resource = self.cluster.api.operations, self.cluster.store.by_kind("Secret")
        if self.cluster.get("Secret", name, namespace) is None:
            operations.create(resource, namespace, secret, Options(manager=CONTROLLER))
        else:
            operations.replace(resource, namespace, name, secret, Options(manager=CONTROLLER))

    def _write_status(self, kind: str, manifest: Manifest, status: Manifest) -> None:
        metadata = manifest["metadata"]
        resource = self.cluster.store.by_kind(kind)
        if self.cluster.get(kind, metadata["name"], metadata.get("namespace", "")) is not None:
            namespace = metadata.get("namespace", "")
            self.cluster.api.operations.status(resource, namespace, metadata["name"], {"status": status})

    def _event(self, manifest: Manifest, kind: str, reason: str, message: str) -> None:
        metadata = manifest["metadata"]
        namespace = metadata.get("namespace") or "default"
        about = {
            "apiVersion": manifest["apiVersion"], "kind": manifest["kind"], "name": metadata["name"],
            "namespace": metadata.get("namespace", ""), "uid": metadata["uid"],
        }  # fmt: skip
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{metadata['name']}.", "namespace": namespace},
            "involvedObject": about,
            "type": kind,
            "reason": reason,
            "message": message,
            "source": {"component": CONTROLLER},
            "firstTimestamp": store.now(),
            "lastTimestamp": store.now(),
            "count": 1,
        }
        self.cluster.load([event])


def _hash(data: dict[str, str]) -> str:
    return hashlib.sha3_224(json.dumps(data, sort_keys=True).encode()).hexdigest()
