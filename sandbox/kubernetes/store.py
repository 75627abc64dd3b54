"""The objects, in memory, with a revision for each write and a log that watches read."""

import copy
import datetime
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from sandbox.kubernetes import answers
from sandbox.kubernetes.apply import Owner
from sandbox.kubernetes.resources import BUILT_IN, Resource, from_crd

type Key = tuple[str, str, str, str]
type Manifest = dict[str, Any]

LOG = 5000


def now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Store:
    """Objects by (group, plural, namespace, name). Every method may be called from any thread."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.revision = 1
        self.objects: dict[Key, Manifest] = {}
        self.owners: dict[Key, list[Owner]] = {}
        self.log: deque[tuple[int, str, Key, Manifest]] = deque(maxlen=LOG)
        self.resources: dict[tuple[str, str, str], Resource] = {
            (r.group, r.version, r.plural): r for r in BUILT_IN
        }
        self.after_write: list[Callable[[str, Key, Manifest], None]] = []

    # -- kinds ---------------------------------------------------------------------------------------
    def resource(self, group: str, version: str, plural: str) -> Resource:
        """Return a kind, or refuse as a server does that has never heard of it."""
        found = self.resources.get((group, version, plural))
        if found is None:
            raise answers.Refused(404, "NotFound", "the server could not find the requested resource")
        return found

    def by_kind(self, kind: str) -> Resource:
        return next(resource for resource in self.resources.values() if resource.kind == kind)

    # -- reading -------------------------------------------------------------------------------------
    def find(self, key: Key) -> Manifest | None:
        with self.lock:
            return self.objects.get(key)

    def list_all(self, resource: Resource, namespace: str = "") -> list[Manifest]:
        """Return the objects of a kind, by namespace and name."""
        with self.lock:
            keys = [
                k
                for k in self.objects
                if k[:2] == (resource.group, resource.plural) and namespace in ("", k[2])
            ]
            return [self.objects[key] for key in sorted(keys)]

    def shown(self, key: Key, manifest: Manifest, resource: Resource) -> Manifest:
        """Return a copy for an answer, with the version asked for and with managedFields."""
        copied = copy.deepcopy(manifest)
        copied["apiVersion"] = resource.api_version
        with self.lock:
            owners = self.owners.get(key, [])
            if owners:
                copied["metadata"]["managedFields"] = [owner.entry() for owner in owners]
        return copied

    # -- writing -------------------------------------------------------------------------------------
    def put(self, key: Key, manifest: Manifest, owners: list[Owner] | None = None) -> Manifest:
        """Write an object, new or changed; a write that changes nothing leaves the revision alone."""
        with self.lock:
            old = self.objects.get(key)
            manifest = copy.deepcopy(manifest)
            metadata = manifest["metadata"]
            metadata.pop("managedFields", None)
            if old is None:
                metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": now(), "generation": 1}
            else:
                kept = {name: old["metadata"][name] for name in ("uid", "creationTimestamp", "generation")}
                metadata |= kept | {"resourceVersion": old["metadata"]["resourceVersion"]}
                if manifest == old and (owners is None or owners == self.owners.get(key)):
                    return old
                if manifest.get("spec") != old.get("spec"):
                    metadata["generation"] = old["metadata"]["generation"] + 1
            self.revision += 1
            metadata["resourceVersion"] = str(self.revision)
            self.objects[key] = manifest
            if owners is not None:
                self.owners[key] = owners
            self._note("MODIFIED" if old else "ADDED", key, manifest)
            return manifest

    def remove(self, key: Key) -> None:
        """Delete an object, and what it owns."""
        with self.lock:
            old = self.objects.pop(key, None)
            if old is None:
                return
            self.owners.pop(key, None)
            self.revision += 1
            gone = old | {"metadata": old["metadata"] | {"resourceVersion": str(self.revision)}}
            self._note("DELETED", key, gone)
            uid = old["metadata"]["uid"]
            for other, manifest in list(self.objects.items()):
                if any(
                    ref.get("uid") == uid for ref in manifest["metadata"].get("ownerReferences") or []
                ) or (key[1] == "namespaces" and other[2] == key[3]):
                    self.remove(other)

    def _note(self, event: str, key: Key, manifest: Manifest) -> None:
        if key[1] == "customresourcedefinitions":
            self._serve(event, manifest)
        self.log.append((self.revision, event, key, manifest))
        self.changed.notify_all()
        for act in self.after_write:
            act(event, key, manifest)

    def _serve(self, event: str, crd: Manifest) -> None:
        added = {(r.group, r.version, r.plural): r for r in from_crd(crd)}
        for name in [
            n
            for n in self.resources
            if n[0] == crd["spec"]["group"] and n[2] == crd["spec"]["names"]["plural"]
        ]:
            del self.resources[name]
        if event == "DELETED":
            for key in [
                k for k in self.objects if k[:2] == (crd["spec"]["group"], crd["spec"]["names"]["plural"])
            ]:
                self.remove(key)
        else:
            self.resources |= added

    # -- watching ------------------------------------------------------------------------------------
    def events_since(self, revision: int, seconds: float) -> Iterator[tuple[str, Key, Manifest]]:
        """Yield what happens after a revision, until nothing more comes for `seconds` in all."""
        until = datetime.datetime.now() + datetime.timedelta(seconds=seconds)
        while True:
            with self.lock:
                fresh = [entry for entry in self.log if entry[0] > revision]
                if not fresh:
                    left = (until - datetime.datetime.now()).total_seconds()
                    if left <= 0:
                        return
                    self.changed.wait(min(left, 1))
                    continue
            for number, event, key, manifest in fresh:
                revision = number
                yield event, key, manifest
