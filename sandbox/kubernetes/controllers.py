"""The controllers that a cluster needs to look alive: CRDs become established, workloads become ready."""

import threading
from typing import Any

from sandbox.kubernetes import store

WORKLOADS = ("deployments", "statefulsets", "daemonsets")


class Controllers:
    """Sets status soon after a write, from a thread of its own."""

    def __init__(self, objects: store.Store) -> None:
        self.store = objects
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="sandbox-controllers")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join(timeout=3)

    def _run(self) -> None:
        seen = -1
        while not self._ended.is_set():
            if self.store.revision != seen:
                seen = self.store.revision
                self._settle()
            self._ended.wait(0.05)

    def _settle(self) -> None:
        with self.store.lock:
            for key, manifest in list(self.store.objects.items()):
                wanted = self._status(key, manifest)
                if wanted is not None and manifest.get("status") != wanted:
                    self.store.put(key, manifest | {"status": wanted})

    def _status(self, key: store.Key, manifest: dict[str, Any]) -> dict[str, Any] | None:
        match key[1]:
            case "customresourcedefinitions":
                return _established(manifest)
            case "namespaces":
                return {"phase": "Active"}
            case plural if plural in WORKLOADS:
                return _available(manifest)
        return None


def _condition(kind: str, old: dict[str, Any], reason: str) -> dict[str, Any]:
    for condition in old.get("conditions") or []:
        if condition["type"] == kind and condition["status"] == "True":
            return dict(condition)
    return {
        "type": kind,
        "status": "True",
        "reason": reason,
        "message": "",
        "lastTransitionTime": store.now(),
    }


def _established(manifest: dict[str, Any]) -> dict[str, Any]:
    old = manifest.get("status") or {}
    spec = manifest["spec"]
    return {
        "acceptedNames": spec["names"],
        "storedVersions": [version["name"] for version in spec["versions"] if version.get("storage")],
        "conditions": [
            _condition("NamesAccepted", old, "NoConflicts"),
            _condition("Established", old, "InitialNamesAccepted"),
        ],
    }


def _available(manifest: dict[str, Any]) -> dict[str, Any]:
    old = manifest.get("status") or {}
    replicas = (manifest.get("spec") or {}).get("replicas", 1)
    return {
        "observedGeneration": manifest["metadata"]["generation"],
        "replicas": replicas,
        "readyReplicas": replicas,
        "updatedReplicas": replicas,
        "availableReplicas": replicas,
        "conditions": [
            _condition("Available", old, "MinimumReplicasAvailable"),
            _condition("Progressing", old, "NewReplicaSetAvailable"),
        ],
    }
