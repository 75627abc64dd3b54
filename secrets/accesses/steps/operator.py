"""The step that finds or installs the External Secrets Operator and waits until it works."""

import re
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from accesses import manifests
from accesses.steps import waiting
from clusters import addons, helm, kubernetes
from clusters.models import Cluster

NAME_LABEL = "app.kubernetes.io/name"
PARTS = ("external-secrets", "external-secrets-webhook", "external-secrets-cert-controller")
RELEASE = "external-secrets"
# Older ones let a template mint ServiceAccount tokens (CVE-2026-42876).
OLDEST = (2, 4, 1)
CRDS = ("clustersecretstores", "externalsecrets")

VALUES: dict[str, Any] = {
    "crds": {"annotations": {"helm.sh/resource-policy": "keep"}},
    "concurrent": 5,
    "rbac": {"aggregateToEdit": False},
    "processClusterExternalSecret": False,
    "processPushSecret": False,
    "processClusterPushSecret": False,
    "processClusterGenerator": False,
    "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
    "metrics": {"service": {"enabled": True}},
}


@dataclass(frozen=True, slots=True)
class Installed:
    """An operator that is in the cluster."""

    namespace: str
    version: str

    @property
    def numbers(self) -> tuple[int, ...] | None:
        found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", self.version)
        return tuple(int(number) for number in found.groups()) if found else None


def find(door: kubernetes.Door) -> list[Installed]:
    """Return the operators in the cluster, known by their controller's label."""
    found = door.list_all("apps/v1", "Deployment", label_selector=f"{NAME_LABEL}={PARTS[0]}")
    return [Installed(item["metadata"]["namespace"], _version(item)) for item in found]


def _version(deployment: dict[str, Any]) -> str:
    labelled = (deployment["metadata"].get("labels") or {}).get("app.kubernetes.io/version", "")
    containers = deployment["spec"]["template"]["spec"]["containers"]
    tag = containers[0].get("image", "").partition("@")[0].rpartition(":")[2]
    return str(tag if re.match(r"v?\d+\.\d+\.\d+", tag) else labelled or "unknown")


class Operator:
    """Adopts an operator that is there, installs the pinned chart where there is none, waits until it works."""

    slug = "operator"
    label = "Operator"
    order = 30

    def plan(self, run: addons.Run) -> list[addons.Change]:
        action: Any = "unchanged" if find(run.door) else "create"
        return [addons.Change(action, "Release", RELEASE, settings.OPERATOR_NAMESPACE)]

    def apply(self, run: addons.Run) -> str:
        installed = find(run.door)
        if len(installed) > 1:
            where = ", ".join(f"{one.version} in {one.namespace}" for one in installed)
            raise addons.StepFailed(
                f"The cluster has {len(installed)} operators: {where}.",
                "Remove all but one; two of them fight over the same objects.",
            )
        done = "Adopted" if installed else "Installed"
        one = installed[0] if installed else self._install(run)
        _refuse_old(one)
        Cluster.objects.filter(pk=run.cluster.pk).update(
            operator_namespace=one.namespace, operator_version=one.version
        )
        run.cluster.operator_namespace, run.cluster.operator_version = one.namespace, one.version
        _wait(run, one)
        return f"{done} External Secrets Operator {one.version} in {one.namespace}"

    def _install(self, run: addons.Run) -> Installed:
        run.log("info", f"No operator found; installing chart {settings.OPERATOR_CHART_VERSION}.")
        try:
            helm.install_or_upgrade(
                run.cluster.kubeconfig,
                release=RELEASE,
                namespace=settings.OPERATOR_NAMESPACE,
                chart=settings.OPERATOR_CHART,
                version=settings.OPERATOR_CHART_VERSION,
                values=VALUES,
                timeout=settings.OPERATOR_TIMEOUT,
            )
        except helm.HelmFailed as error:
            raise addons.StepFailed(error.reason, error.remedy) from error
        found = find(run.door)
        if not found:
            raise addons.StepFailed(
                "The chart was installed, but there is no operator in it.",
                "Check OPERATOR_CHART: it must be the chart of the External Secrets Operator.",
            )
        return found[0]


def _refuse_old(one: Installed) -> None:
    if one.numbers is None:
        raise addons.StepFailed(
            f"The operator in {one.namespace} does not say its version.",
            f"Keyhaven works with {'.'.join(map(str, OLDEST))} or newer; give its image a version tag.",
        )
    if one.numbers < OLDEST:
        raise addons.StepFailed(
            f"The operator in {one.namespace} is {one.version}; older than 2.4.1 are not safe (CVE-2026-42876).",
            "Upgrade it, one minor version at a time, then deploy again.",
        )


def _wait(run: addons.Run, one: Installed) -> None:
    """Wait until the CRDs are served, the parts are available and the API server reaches the webhook."""
    missing: list[str] = []

    def settled() -> bool:
        missing[:] = _not_established(run.door) + _not_available(run.door, one.namespace)
        return not missing

    if not waiting.until(run, settings.OPERATOR_TIMEOUT, settled):
        raise addons.StepFailed(
            f"The operator is not ready after {settings.OPERATOR_TIMEOUT} s: {', '.join(missing)}.",
            f"Look at the pods in {one.namespace}.",
        )
    run.log("info", "Its kinds are served and its parts are available.")
    last: list[kubernetes.ClusterError] = []

    def accepted() -> bool:
        try:
            run.door.apply(_probe(), dry_run=True)
        except (kubernetes.WebhookFailed, kubernetes.KindMissing) as error:
            last[:] = [error]
            return False
        return True

    if not waiting.until(run, settings.OPERATOR_TIMEOUT, accepted):
        raise addons.StepFailed(last[0].reason, last[0].remedy)
    run.log("info", "The API server reaches its webhook.")


def _not_established(door: kubernetes.Door) -> list[str]:
    missing = []
    for plural in CRDS:
        name = f"{plural}.external-secrets.io"
        crd = door.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", name)
        conditions = ((crd or {}).get("status") or {}).get("conditions") or []
        if not any(one["type"] == "Established" and one["status"] == "True" for one in conditions):
            missing.append(f"the kind {name}")
    return missing


def _not_available(door: kubernetes.Door, namespace: str) -> list[str]:
    missing = []
    for item in door.list_all("apps/v1", "Deployment", namespace):
        labels = item["metadata"].get("labels") or {}
        conditions = (item.get("status") or {}).get("conditions") or []
        available = any(one["type"] == "Available" and one["status"] == "True" for one in conditions)
        current = (item.get("status") or {}).get("observedGeneration") == item["metadata"].get("generation")
        if labels.get(NAME_LABEL) in PARTS and not (available and current):
            missing.append(f"the deployment {item['metadata']['name']}")
    return missing


def _probe() -> dict[str, Any]:
    """Return a store that is only ever sent as a dry run: it proves the way through the webhook."""
    return {
        "apiVersion": manifests.API,
        "kind": "ClusterSecretStore",
        "metadata": {"name": "keyhaven-probe"},
        "spec": {
            "conditions": [{"namespaces": ["keyhaven-probe"]}],
            "provider": {"fake": {"data": [{"key": "probe", "value": "probe"}]}},
        },
    }
