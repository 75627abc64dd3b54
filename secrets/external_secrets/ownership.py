"""What a live workload has in its containers, and whose it is, read from its `managedFields`."""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from clusters.kubernetes import Door, fields, workloads
from clusters.kubernetes.workloads import KINDS, SYSTEM, pod_spec
from external_secrets.wanted import Place, Slot

__all__ = ["Live", "Place", "Slot", "read", "read_all"]

# Volumes whose files cannot be added to: a mount inside such a mount keeps the pod from starting.
_READ_ONLY = ("secret", "configMap", "projected", "downwardAPI")


@dataclass(frozen=True, slots=True)
class Live:
    """A live workload: its variables by name and its mounts by path, and which of them we own by server-side apply."""

    kind: str
    containers: tuple[str, ...]
    entries: dict[Slot, dict[str, Any]]
    ours: frozenset[Slot]
    owners: dict[Slot, list[str]]
    # Variables of ours that others have the name of and no more: we took them over.
    hollow: frozenset[Slot]
    # By name, and the names of ours.
    volumes: dict[str, dict[str, Any]]
    our_volumes: frozenset[str]
    volume_owners: dict[str, list[str]]
    # Of the pods' template.
    annotations: dict[str, str]
    # Secrets that something needs which is not ours, or not ours alone.
    borrowed: frozenset[str]
    # The whole object, as the API server gave it.
    manifest: dict[str, Any] = field(repr=False)

    @property
    def own(self) -> set[Slot]:
        """What the workload sets itself."""
        return set(self.entries) - self.ours

    @property
    def has_ours(self) -> bool:
        return bool(self.ours or self.our_volumes)

    @property
    def secrets(self) -> set[str]:
        """The Secrets that what is ours needs."""
        found = {self.secret_of(slot) for slot in self.ours}
        for name in self.our_volumes:
            found |= set(_of_volume(self.volumes.get(name, {})))
        return found - {""}

    def secret_of(self, slot: Slot) -> str:
        """Return the Secret that a variable takes its value from, or an empty string."""
        return _reference(self.entries.get(slot, {}))[0]

    def has(self, slot: Slot, secret: str, key: str) -> bool:
        """Tell whether a variable takes its value from that Secret."""
        return _reference(self.entries.get(slot, {})) == (secret, key)

    def has_file(self, container: str, directory: str, secret: str) -> bool:
        """Tell whether a volume of ours that is mounted in or below a directory has files of that Secret."""
        return any(
            secret in _of_volume(self.volumes.get(str(entry.get("name")), {}))
            for (where, path), entry in self.entries.items()
            if where == container and (where, path) in self.ours and f"{path}/".startswith(f"{directory}/")
        )

    def secret_at(self, container: str, path: str) -> str:
        """Return the Secret whose file, or whose whole directory, a volume of ours has at a path, or nothing."""
        for (where, point), mount in self.entries.items():
            if where != container or (where, point) not in self.ours or not point.startswith("/"):
                continue
            for source in self._sources(str(mount.get("name"))):
                secret, home = (
                    source.get("secret") or {},
                    posixpath.dirname(point) if "subPath" in mount else point,
                )
                files = [f"{home}/{item['path']}" for item in secret.get("items") or []]
                if path in (files or [point]):
                    return str(secret.get("name", ""))
        return ""

    def _sources(self, volume: str) -> list[dict[str, Any]]:
        return (self.volumes.get(volume, {}).get("projected") or {}).get("sources") or []

    def is_read_only(self, slot: Slot) -> bool:
        """Tell whether nothing can be mounted inside a mount."""
        mount = self.entries.get(slot, {})
        volume = self.volumes.get(str(mount.get("name")), {})
        return bool(mount.get("readOnly")) or any(kind in volume for kind in _READ_ONLY)

    def source_of(self, slot: Slot) -> str:
        """Return what is mounted, such as `config map nginx`."""
        return workloads.volume_source(self.volumes.get(str(self.entries.get(slot, {}).get("name")), {}))


def _reference(entry: dict[str, Any]) -> tuple[str, str]:
    source = (entry.get("valueFrom") or {}).get("secretKeyRef") or {}
    return str(source.get("name", "")), str(source.get("key", ""))


def _of_volume(volume: dict[str, Any]) -> Iterator[str]:
    """Yield the Secrets that a volume takes files from."""
    if "secret" in volume:
        yield str((volume["secret"] or {}).get("secretName", ""))
    for source in (volume.get("projected") or {}).get("sources") or []:
        if "secret" in source:
            yield str((source["secret"] or {}).get("name", ""))


def _borrowed(spec: dict[str, Any], owned: fields.Owned) -> Iterator[str]:
    for part in ("initContainers", "containers"):
        for container in spec.get(part) or []:
            for entry in container.get("env") or []:
                slot = (container["name"], entry["name"])
                if part == "initContainers" or slot not in owned.slots or slot in owned.kept:
                    yield _reference(entry)[0]
            for source in container.get("envFrom") or []:
                yield str((source.get("secretRef") or {}).get("name", ""))
    for volume in spec.get("volumes") or []:
        if volume["name"] not in owned.volumes or volume["name"] in owned.kept:
            yield from _of_volume(volume)


def _template(kind: str, manifest: dict[str, Any]) -> dict[str, Any]:
    spec = manifest.get("spec") or {}
    if kind == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    return dict(spec.get("template") or {})


def read(kind: str, manifest: dict[str, Any]) -> Live:
    """Return what a workload has and whose it is."""
    manifest = manifest | {"kind": kind}
    spec = pod_spec(manifest)
    containers = spec.get("containers") or []
    owned = fields.owned(kind, manifest)
    return Live(
        kind=kind,
        containers=tuple(container["name"] for container in containers),
        entries={
            (container["name"], entry[key]): entry
            for container in containers
            for part, key in (("env", "name"), ("volumeMounts", "mountPath"))
            for entry in container.get(part) or []
        },
        ours=frozenset(owned.slots),
        owners=owned.others,
        hollow=frozenset(
            slot for slot in owned.slots & owned.others.keys() - owned.filled if not slot[1].startswith("/")
        ),
        volumes=workloads.volumes_of(manifest),
        our_volumes=frozenset(owned.volumes),
        volume_owners=owned.others_volumes,
        annotations=(_template(kind, manifest).get("metadata") or {}).get("annotations") or {},
        borrowed=frozenset(name for name in _borrowed(spec, owned) if name),
        manifest=manifest,
    )


def read_one(door: Door, place: Place) -> Live | None:
    """Return a workload as it is now, None when it is gone. Listing is what the console is allowed to anyway."""
    kind, namespace, name = place
    api_version = next(api for api, known in KINDS if known == kind)
    there = door.list_all(api_version, kind, namespace)
    return next((read(kind, item) for item in there if item["metadata"]["name"] == name), None)


def read_all(door: Door) -> dict[Place, Live]:
    """Return every workload of the cluster with three requests; the cluster's own namespaces are left out."""
    return {
        (kind, item["metadata"]["namespace"], item["metadata"]["name"]): read(kind, item)
        for api_version, kind in KINDS
        for item in door.list_all(api_version, kind)
        if item["metadata"]["namespace"] not in SYSTEM
    }
