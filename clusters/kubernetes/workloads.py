"""Workloads as the console sees them: containers and the names of their variables, never a variable's value."""

from dataclasses import dataclass
from typing import Any

KINDS = (("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("batch/v1", "CronJob"))
SYSTEM = frozenset({"kube-system", "kube-public", "kube-node-lease"})


@dataclass(frozen=True, slots=True)
class Workload:
    """A Deployment, StatefulSet or CronJob; `containers` as in `clusters.models.Service`."""

    kind: str
    namespace: str
    name: str
    containers: list[dict[str, Any]]


def text(value: Any, longest: int = 1000) -> str:
    """Return what a cluster says as text that a database column takes."""
    return str(value).replace("\x00", "")[:longest]


def pod_spec(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the pod's spec inside a workload."""
    spec = manifest.get("spec") or {}
    if manifest.get("kind") == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    return dict((spec.get("template") or {}).get("spec") or {})


def read(kind: str, manifest: dict[str, Any]) -> Workload:
    """Return a workload as discovered from its object."""
    metadata = manifest["metadata"]
    spec = pod_spec(manifest | {"kind": kind})
    return Workload(
        kind,
        text(metadata["namespace"], 63),
        text(metadata["name"], 253),
        [_container(entry) for entry in spec.get("containers") or []],
    )


def _container(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": text(entry["name"]),
        "image": text(entry.get("image", "")),
        "env": [{"name": text(env["name"]), "source": _source(env)} for env in entry.get("env") or []],
        "mounts": [text(mount["mountPath"]) for mount in entry.get("volumeMounts") or []],
    }


def _source(env: dict[str, Any]) -> str:
    source = env.get("valueFrom") or {}
    for key, word in (("secretKeyRef", "secret"), ("configMapKeyRef", "config map")):
        if key in source:
            return text(f"{word} {source[key].get('name')}/{source[key].get('key')}")
    return "field" if source else "value"
