"""The operators that are in a cluster, whoever installed them."""

import re
from dataclasses import dataclass
from typing import Any

from accesses import chart, releases
from clusters import kubernetes
from clusters.models import Cluster

NAME_LABEL = "app.kubernetes.io/name"
CONTROLLER, WEBHOOK = "external-secrets", "external-secrets-webhook"
PARTS = (CONTROLLER, WEBHOOK, "external-secrets-cert-controller")
# Their names are fixed, so that a second operator in a cluster cannot be.
CONFIGURATIONS = ("secretstore-validate", "externalsecret-validate")


@dataclass(frozen=True, slots=True)
class Installed:
    """An operator that is in the cluster; `ours` when this console's chart brought it."""

    namespace: str
    version: str
    ours: bool
    # Where its pod asks in place of AWS.
    endpoint: str = ""

    @property
    def numbers(self) -> tuple[int, ...] | None:
        return releases.numbers(self.version)


def find(door: kubernetes.Door) -> list[Installed]:
    """Return the operators in the cluster, known by their controller's label."""
    found = door.list_all("apps/v1", "Deployment", label_selector=f"{NAME_LABEL}={CONTROLLER}")
    return [
        Installed(
            item["metadata"]["namespace"],
            _version(item),
            labels(item).get(chart.OURS) == "true",
            _endpoint(item),
        )
        for item in found
    ]


def settle_namespace(cluster: Cluster, door: kubernetes.Door) -> None:
    """Note the namespace of an operator that somebody else installed, before anything is told to trust ours.

    Roles name the namespace of the access's ServiceAccount, which is the operator's.

    :raises ClusterError: the cluster does not answer
    """
    if cluster.operator_version:
        return
    there = find(door)
    if len(there) == 1 and there[0].namespace != cluster.operator_namespace:
        cluster.operator_namespace = there[0].namespace
        Cluster.objects.filter(pk=cluster.pk).update(operator_namespace=cluster.operator_namespace)


def labels(item: dict[str, Any]) -> dict[str, str]:
    return item["metadata"].get("labels") or {}


def annotations(item: dict[str, Any]) -> dict[str, str]:
    return item["metadata"].get("annotations") or {}


def _endpoint(deployment: dict[str, Any]) -> str:
    """Return the AWS-compatible endpoint that its variables name; where they differ, what each names."""
    containers = deployment["spec"]["template"]["spec"]["containers"]
    found = {
        one["name"]: str(one.get("value", ""))
        for box in containers
        for one in box.get("env") or ()
        if "name" in one
    }
    named = {name: found.get(name, "") for name in chart.ENDPOINTS}
    if len(set(named.values())) == 1:
        return named[chart.ENDPOINTS[0]]
    return ", ".join(f"{name}={value}" for name, value in named.items() if value)


def _version(deployment: dict[str, Any]) -> str:
    """Return the version by the image's tag, or else by the label."""
    images = [one.get("image", "") for one in deployment["spec"]["template"]["spec"]["containers"]]
    # A sidecar may come first.
    images.sort(key=lambda image: "external-secrets" not in image)
    tag = images[0].partition("@")[0].rpartition(":")[2]
    labelled = labels(deployment).get("app.kubernetes.io/version", "")
    return str(tag if re.match(r"v?\d+\.\d+\.\d+", tag) else labelled or "unknown")
