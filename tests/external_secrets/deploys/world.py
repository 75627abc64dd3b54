"""What the tests of the three steps look at."""

from typing import Any

WRITES = ("POST", "PUT", "PATCH", "DELETE")
VALUE = "canary-value-5c1d"


def deployment(
    name: str, env: list[dict[str, Any]] | None = None, kind: str = "Deployment"
) -> dict[str, Any]:
    containers = [
        {"name": "web", "image": "shop/api:1", "env": env or [{"name": "LOG_LEVEL", "value": "info"}]},
        {"name": "proxy", "image": "proxy:1"},
    ]
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": containers}}
    spec: dict[str, Any] = {"selector": {"matchLabels": {"app": name}}, "template": template}
    if kind == "CronJob":
        spec = {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}}
    return {
        "apiVersion": "batch/v1" if kind == "CronJob" else "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "shop"},
        "spec": spec,
    }


def env_of(kube, name="api", container="web", kind="Deployment"):
    manifest = kube.get(kind, name, "shop")
    spec = manifest["spec"]["jobTemplate"]["spec"] if kind == "CronJob" else manifest["spec"]
    found = next(one for one in spec["template"]["spec"]["containers"] if one["name"] == container)
    return {
        entry["name"]: entry.get("value") or entry["valueFrom"]["secretKeyRef"]
        for entry in found.get("env", [])
    }


def writes(kube, since):
    return [one for one in list(kube.requests)[since:] if one[0] in WRITES and "dryRun" not in one[1]]


def rich(kind: str = "Deployment", name: str = "rich") -> dict[str, Any]:
    """Return a workload with two containers, an init container, volumes, mounts and sets of variables of its own."""
    manifest = deployment(name, kind=kind)
    pod = pod_of(manifest)
    web, proxy = pod["containers"]
    web["volumeMounts"] = [
        {"name": "config", "mountPath": "/etc/nginx", "readOnly": True},
        {"name": "cache", "mountPath": "/var/cache/app"},
    ]
    web["envFrom"] = [
        {"configMapRef": {"name": "settings"}},
        {"secretRef": {"name": "legacy"}, "prefix": "OLD_"},
    ]
    proxy["volumeMounts"] = [{"name": "config", "mountPath": "/etc/envoy"}]
    pod["initContainers"] = [
        {"name": "migrate", "image": "shop/api:1", "volumeMounts": [{"name": "cache", "mountPath": "/work"}]}
    ]
    pod["volumes"] = [{"name": "config", "configMap": {"name": "nginx"}}, {"name": "cache", "emptyDir": {}}]
    return manifest


def pod_of(manifest: dict[str, Any]) -> dict[str, Any]:
    spec = manifest["spec"]["jobTemplate"]["spec"] if manifest["kind"] == "CronJob" else manifest["spec"]
    pod: dict[str, Any] = spec["template"]["spec"]
    return pod


def mounts_of(kube, name="api", container="web", kind="Deployment"):
    """Return what is mounted in a container: by path the volume."""
    pod = pod_of(kube.get(kind, name, "shop") | {"kind": kind})
    volumes = {one["name"]: one for one in pod.get("volumes", [])}
    found = next(one for one in pod["containers"] if one["name"] == container)
    return {one["mountPath"]: volumes[one["name"]] for one in found.get("volumeMounts", [])}


def fields_of(kube, kind, name):
    """Return the managed fields of everybody but us."""
    resource = kube.store.by_kind(kind)
    shown = kube.api.operations.get(resource, "shop", name)
    entries = shown["metadata"]["managedFields"]
    return [one for one in entries if one["manager"] != "keyhaven"], [
        one["fieldsV1"] for one in entries if one["manager"] == "keyhaven"
    ]
