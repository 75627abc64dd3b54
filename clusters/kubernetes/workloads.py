"""Workloads as the console sees them: containers, names of variables and paths of mounts, never a variable's value."""

from dataclasses import dataclass
from typing import Any

from clusters.kubernetes import fields

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


def volumes_of(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the volumes of a workload's pods by name, those that a StatefulSet claims for each of them too."""
    claims = (manifest.get("spec") or {}).get("volumeClaimTemplates") or []
    found: dict[str, dict[str, Any]] = {
        claim["metadata"]["name"]: {"persistentVolumeClaim": {}} for claim in claims
    }
    return found | {volume["name"]: volume for volume in pod_spec(manifest).get("volumes") or []}


def read(kind: str, manifest: dict[str, Any]) -> Workload:
    """Return a workload as discovered from its object."""
    metadata = manifest["metadata"]
    spec = pod_spec(manifest | {"kind": kind})
    ours = fields.owned(kind, manifest).slots
    volumes = volumes_of(manifest | {"kind": kind})
    return Workload(
        kind,
        text(metadata["namespace"], 63),
        text(metadata["name"], 253),
        [_container(entry, volumes, ours) for entry in spec.get("containers") or []],
    )


def _container(entry: dict[str, Any], volumes: dict[str, Any], ours: set[fields.Slot]) -> dict[str, Any]:
    name = text(entry["name"])
    env = [
        {"name": text(env["name"]), "source": _source(env)} | _mark((name, env["name"]) in ours)
        for env in entry.get("env") or []
    ]
    mounts = [
        {"path": text(mount["mountPath"]), "source": volume_source(volumes.get(mount["name"]) or {})}
        | _mark((name, mount["mountPath"]) in ours)
        for mount in entry.get("volumeMounts") or []
    ]
    return {
        "name": name,
        "image": text(entry.get("image", "")),
        "env": env,
        "env_from": [text(_set(one)) for one in entry.get("envFrom") or []],
        "mounts": mounts,
    }


def _mark(ours: bool) -> dict[str, Any]:
    return {"ours": True} if ours else {}


def _set(source: dict[str, Any]) -> str:
    """Return where a whole set of variables comes from, with what their names begin with."""
    prefix = source.get("prefix", "")
    for key, word in (("secretRef", "secret"), ("configMapRef", "config map")):
        if key in source:
            return f"{word} {(source[key] or {}).get('name')}" + (f" as {prefix}*" if prefix else "")
    return "unknown"


def volume_source(volume: dict[str, Any]) -> str:
    """Return what a volume is: `secret NAME`, `config map NAME`, or the kind that it has, such as `emptyDir`."""
    for key, word, name in (("secret", "secret", "secretName"), ("configMap", "config map", "name")):
        if key in volume:
            return text(f"{word} {(volume[key] or {}).get(name)}")
    return text(next((key for key in volume if key != "name"), "unknown"))


def _source(env: dict[str, Any]) -> str:
    source = env.get("valueFrom") or {}
    for key, word in (("secretKeyRef", "secret"), ("configMapKeyRef", "config map")):
        if key in source:
            return text(f"{word} {source[key].get('name')}/{source[key].get('key')}")
    return "field" if source else "value"
