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
