"""Whose environment entries are whose in a live workload, read from its `managedFields`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from clusters.kubernetes import Door
from clusters.kubernetes.workloads import KINDS, SYSTEM, pod_spec

# (kind, namespace, name)
type Place = tuple[str, str, str]
# (container, variable)
type Slot = tuple[str, str]

_TO_POD = ("f:spec", "f:template", "f:spec", "f:containers")
_TO_JOBS_POD = ("f:spec", "f:jobTemplate", *_TO_POD)


@dataclass(frozen=True, slots=True)
class Live:
    """A live workload's environment: every entry, and which of them we own by server-side apply."""

    containers: frozenset[str]
    entries: dict[Slot, dict[str, Any]]
    ours: frozenset[Slot]
    owners: dict[Slot, list[str]]
    # The whole object, as the API server gave it.
    manifest: dict[str, Any]

    def secret_of(self, slot: Slot) -> str:
        """Return the Secret that an entry takes its value from, or an empty string."""
        source = (self.entries.get(slot, {}).get("valueFrom") or {}).get("secretKeyRef") or {}
        return str(source.get("name", ""))


def _named(fields: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (name, fields) of a list's items that are keyed by their name."""
    for key, inner in fields.items():
        if key.startswith("k:"):
            name = json.loads(key[2:]).get("name")
            if name is not None:
                yield str(name), inner


def _slots(kind: str, fields: dict[str, Any]) -> Iterator[Slot]:
    for step in _TO_JOBS_POD if kind == "CronJob" else _TO_POD:
        fields = fields.get(step) or {}
    for container, inner in _named(fields):
        for variable, _ in _named(inner.get("f:env") or {}):
            yield container, variable


def read(kind: str, manifest: dict[str, Any]) -> Live:
    """Return a workload's environment and its owners."""
    found = pod_spec(manifest | {"kind": kind}).get("containers") or []
    ours: set[Slot] = set()
    owners: dict[Slot, list[str]] = {}
    for managed in manifest["metadata"].get("managedFields") or []:
        manager = str(managed.get("manager", ""))
        applied = managed.get("operation") == "Apply" and not managed.get("subresource")
        slots = set(_slots(kind, managed.get("fieldsV1") or {}))
        if manager == settings.FIELD_MANAGER and applied:
            ours |= slots
            continue
        for slot in slots:
            owners.setdefault(slot, []).append(manager)
    return Live(
        containers=frozenset(container["name"] for container in found),
        entries={
            (container["name"], entry["name"]): entry
            for container in found
            for entry in container.get("env") or []
        },
        ours=frozenset(ours),
        owners=owners,
        manifest=manifest | {"kind": kind},
    )


def read_all(door: Door) -> dict[Place, Live]:
    """Return every workload of the cluster with three requests; the cluster's own namespaces are left out."""
    return {
        (kind, item["metadata"]["namespace"], item["metadata"]["name"]): read(kind, item)
        for api_version, kind in KINDS
        for item in door.list_all(api_version, kind)
        if item["metadata"]["namespace"] not in SYSTEM
    }
