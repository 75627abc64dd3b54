"""The Kubernetes objects that links become: an ExternalSecret each, and our entries of a workload's environment."""

from typing import Any

from accesses import manifests as marks
from external_secrets.models import ExternalSecret

# What marks our objects is said once.
API, MANAGED_BY, CLUSTER, US = marks.API, marks.MANAGED_BY, marks.CLUSTER, marks.US
KIND = "ExternalSecret"

API_VERSIONS = {"Deployment": "apps/v1", "StatefulSet": "apps/v1", "CronJob": "batch/v1"}


def interval(seconds: int) -> str:
    """Return a duration as the operator writes it back: `1h0m0s`."""
    return f"{seconds // 3600}h{seconds % 3600 // 60}m{seconds % 60}s"


def external_secret(link: ExternalSecret) -> dict[str, Any]:
    """Return the ExternalSecret of a link; its target Secret has the same name and the variable as its key."""
    reference = {"key": link.key}
    reference |= {"property": link.json_field} if link.json_field else {}
    reference |= {"version": link.version} if link.version else {}
    return {
        "apiVersion": API,
        "kind": KIND,
        "metadata": {
            "name": link.object_name,
            "namespace": link.namespace,
            "labels": marks.labels(link.cluster, link.pk),
        },
        "spec": {
            "refreshInterval": interval(link.refresh_seconds),
            "secretStoreRef": {"kind": "ClusterSecretStore", "name": link.store_name},
            # Retain: a name that vanishes upstream must not take a running service's value away.
            "target": {"name": link.object_name, "creationPolicy": "Owner", "deletionPolicy": "Retain"},
            "data": [{"secretKey": link.secret_key, "remoteRef": reference}],
        },
    }


def entry(variable: str, secret: str) -> dict[str, Any]:
    """Return one environment entry that takes its value from a Secret."""
    return {"name": variable, "valueFrom": {"secretKeyRef": {"key": variable, "name": secret}}}


def workload(
    kind: str, namespace: str, name: str, entries: dict[tuple[str, str], dict[str, Any]]
) -> dict[str, Any]:
    """Return the part of a workload that is ours: entries by (container, variable), and nothing else.

    Without entries it is the body that takes everything of ours away.
    """
    body: dict[str, Any] = {
        "apiVersion": API_VERSIONS[kind],
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
    }
    containers: dict[str, list[dict[str, Any]]] = {}
    for (container, _), one in sorted(entries.items()):
        containers.setdefault(container, []).append(one)
    if containers:
        spec = {"containers": [{"name": name, "env": env} for name, env in containers.items()]}
        template: dict[str, Any] = {"template": {"spec": spec}}
        body["spec"] = {"jobTemplate": {"spec": template}} if kind == "CronJob" else template
    return body
