"""Who owns which variables, mounts, volumes and annotations of a workload's pods, read from its `managedFields`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from clusters.kubernetes import comparing

# (container, variable) or (container, path of a mount); a path begins with a slash, a variable never does
type Slot = tuple[str, str]

_TO_TEMPLATE = ("f:spec", "f:template")
_TO_JOBS_TEMPLATE = ("f:spec", "f:jobTemplate", *_TO_TEMPLATE)


@dataclass(slots=True)
class Owned:
    """What is ours by server-side apply, and the other managers of each slot and each volume."""

    slots: set[Slot] = field(default_factory=set)
    volumes: set[str] = field(default_factory=set)
    others: dict[Slot, list[str]] = field(default_factory=dict)
    others_volumes: dict[str, list[str]] = field(default_factory=dict)
    # Slots and volumes that would go on reading a Secret without us, since somebody else owns that too.
    kept: set[Slot | str] = field(default_factory=set)
    # Variables that somebody else gives their value, a Secret's or another.
    filled: set[Slot] = field(default_factory=set)


def is_ours(managed: dict[str, Any]) -> bool:
    """Tell whether an entry of `managedFields` is that of our server-side apply."""
    return (
        managed.get("manager") == settings.FIELD_MANAGER
        and managed.get("operation") == "Apply"
        and not managed.get("subresource")
    )


def owned(kind: str, manifest: dict[str, Any]) -> Owned:
    """Return what is whose in a live workload."""
    found = Owned()
    for managed in manifest["metadata"].get("managedFields") or []:
        pod = _pod(kind, managed.get("fieldsV1") or {})
        if is_ours(managed):
            found.slots |= {slot for slot, _ in _slots(pod)}
            found.volumes |= {name for name, _ in _items(pod.get("f:volumes") or {})}
            continue
        who = str(managed.get("manager", ""))
        for slot, inner in _slots(pod):
            found.others.setdefault(slot, []).append(who)
            found.kept |= {slot} if _reads(inner) else set()
            found.filled |= {slot} if _reads(inner) or "f:value" in inner else set()
        for name, inner in _items(pod.get("f:volumes") or {}):
            found.others_volumes.setdefault(name, []).append(who)
            found.kept |= {name} if _reads(inner) else set()
    return found


def _reads(inner: dict[str, Any]) -> bool:
    """Tell whether fields of an entry or a volume say what is read. The map alone (`.`) says nothing."""
    return any(set(inner.get(name) or ()) - {"."} for name in ("f:valueFrom", "f:projected", "f:secret"))


def extract(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return of a live object what we applied, so that applying it again changes nothing."""
    metadata = manifest["metadata"]
    identity = {name: metadata[name] for name in ("name", "namespace") if name in metadata}
    found = {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], "metadata": identity}
    for managed in metadata.get("managedFields") or []:
        if is_ours(managed):
            ours = _extract(manifest, managed.get("fieldsV1") or {})
            found |= ours | {"metadata": identity | ours.get("metadata", {})}
    return found


def _extract(live: Any, node: dict[str, Any]) -> Any:
    if not node:
        return live
    if any(step.startswith("k:") for step in node):
        return list(_extract_items(live or [], node))
    return {
        step[2:]: _extract(live[step[2:]], inner)
        for step, inner in node.items()
        if step.startswith("f:") and step[2:] in live
    }


def _extract_items(live: list[Any], node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for step, inner in node.items():
        if not step.startswith("k:"):
            continue
        keys = json.loads(step[2:])
        item = next((item for item in live if all(item.get(name) == keys[name] for name in keys)), None)
        if item is not None:
            yield keys | _extract(item, inner)


def _pod(kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    for step in (*(_TO_JOBS_TEMPLATE if kind == "CronJob" else _TO_TEMPLATE), "f:spec"):
        fields = fields.get(step) or {}
    return fields


def _items(fields: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (name or path, fields) of a list's items that are keyed by it."""
    for step, inner in fields.items():
        item = comparing.called(step)
        if item is not None:
            yield item[1], inner


def _slots(pod: dict[str, Any]) -> Iterator[tuple[Slot, dict[str, Any]]]:
    for container, inner in _items(pod.get("f:containers") or {}):
        for part in ("f:env", "f:volumeMounts"):
            for name, fields in _items(inner.get(part) or {}):
                yield (container, name), fields
