"""The step that finds or installs the External Secrets Operator and waits until it works."""

import re
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import timezone

from accesses import manifests
from accesses.models import OperatorState
from clusters import addons, helm, kubernetes, waiting
from clusters.models import Cluster

NAME_LABEL = "app.kubernetes.io/name"
# On everything that our own release makes: who finds it again knows that nobody else looks after it.
OURS = "keyhaven.io/installed"
PARTS = ("external-secrets", "external-secrets-webhook", "external-secrets-cert-controller")
RELEASE = "external-secrets"
# Their names are fixed, so that a second operator in a cluster cannot be.
WEBHOOKS = ("secretstore-validate", "externalsecret-validate")
# Older ones let a template mint ServiceAccount tokens (CVE-2026-42876).
OLDEST = (2, 4, 1)
CRDS = ("clustersecretstores", "externalsecrets")
UPGRADE = "Upgrade it, one minor version at a time, then deploy again."
_SMALL = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}}

VALUES: dict[str, Any] = {
    "commonLabels": {OURS: "true"},
    # Without it, uninstalling the chart would delete every store, external secret and synced Secret.
    "crds": {"annotations": {"helm.sh/resource-policy": "keep"}},
    "concurrent": 5,
    # Else everybody who may edit a namespace may make stores.
    "rbac": {"aggregateToEdit": False},
    "processClusterExternalSecret": False,
    "processPushSecret": False,
    "processClusterPushSecret": False,
    "processClusterGenerator": False,
    "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
    "webhook": {"resources": _SMALL},
    "certController": {"resources": _SMALL},
    "metrics": {"service": {"enabled": True}},
}


@dataclass(frozen=True, slots=True)
class Installed:
    """An operator that is in the cluster; `ours` when this console's chart brought it."""

    namespace: str
    version: str
    ours: bool

    @property
    def numbers(self) -> tuple[int, ...] | None:
        found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", self.version)
        return tuple(int(number) for number in found.groups()) if found else None


def find(door: kubernetes.Door) -> list[Installed]:
    """Return the operators in the cluster, known by their controller's label."""
    found = door.list_all("apps/v1", "Deployment", label_selector=f"{NAME_LABEL}={PARTS[0]}")
    return [
        Installed(item["metadata"]["namespace"], _version(item), _labels(item).get(OURS) == "true")
        for item in found
    ]


def _labels(item: dict[str, Any]) -> dict[str, str]:
    return item["metadata"].get("labels") or {}


def _version(deployment: dict[str, Any]) -> str:
    """Return the version by the image's tag, or else by the label."""
    images = [one.get("image", "") for one in deployment["spec"]["template"]["spec"]["containers"]]
    # A sidecar may come first.
    images.sort(key=lambda image: "external-secrets" not in image)
    tag = images[0].partition("@")[0].rpartition(":")[2]
    labelled = _labels(deployment).get("app.kubernetes.io/version", "")
    return str(tag if re.match(r"v?\d+\.\d+\.\d+", tag) else labelled or "unknown")


class Operator:
    """Adopts an operator that is there, installs the pinned chart where there is none, waits until it works."""

    slug = "operator"
    label = "Operator"
    order = 30

    def wanted(self, cluster: Cluster) -> list[addons.Manifest]:
        return []

    def plan(self, run: addons.Run) -> list[addons.Change]:
        installed = find(run.door)
        if installed:
            return [addons.Change("unchanged", "Release", RELEASE, installed[0].namespace)]
        return [addons.Change("create", "Release", RELEASE, settings.OPERATOR_NAMESPACE)]

    def apply(self, run: addons.Run) -> str:
        installed = find(run.door)
        if len(installed) > 1:
            where = ", ".join(f"{one.version} in {one.namespace}" for one in installed)
            raise addons.StepFailed(
                f"The cluster has {len(installed)} operators: {where}.",
                "Remove all but one; two of them fight over the same objects.",
            )
        one = installed[0] if installed else self._install(run)
        _refuse_old(one)
        if installed:
            run.log("info", f"Found {one.version} in {one.namespace}; {_whose(one)}.")
        _keep(run.cluster, one)
        _wait(run, one)
        done = "Found" if installed and one.ours else "Adopted" if installed else "Installed"
        return f"{done} External Secrets Operator {one.version} in {one.namespace}"

    def _install(self, run: addons.Run) -> Installed:
        _refuse_strangers(run)
        run.log(
            "info",
            f"No operator found; installing chart {settings.OPERATOR_CHART_VERSION} "
            f"into {settings.OPERATOR_NAMESPACE}.",
        )
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
        run.checkpoint()
        found = find(run.door)
        if not found:
            raise addons.StepFailed(
                "The chart was installed, but there is no operator in it.",
                "Check OPERATOR_CHART: it must be the chart of the External Secrets Operator.",
            )
        run.log("info", f"The chart is installed: {found[0].version}.")
        return found[0]


def _whose(one: Installed) -> str:
    return "this console installed it" if one.ours else "adopting it as it is"


def _keep(cluster: Cluster, one: Installed) -> None:
    Cluster.objects.filter(pk=cluster.pk).update(
        operator_namespace=one.namespace, operator_version=one.version
    )
    cluster.operator_namespace, cluster.operator_version = one.namespace, one.version
    OperatorState.objects.update_or_create(
        cluster=cluster, defaults={"adopted": not one.ours, "seen_at": timezone.now()}
    )


def _refuse_strangers(run: addons.Run) -> None:
    """Refuse to install beside webhooks of an operator that does not show itself by its label."""
    for name in WEBHOOKS:
        try:
            hook = run.door.get("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", name)
        except kubernetes.Forbidden:
            run.log(
                "warning",
                "Whether another operator is hidden here is unknown: reading webhooks is not allowed.",
            )
            return
        said = ((hook or {}).get("metadata") or {}).get("annotations") or {}
        ours = said.get("meta.helm.sh/release-name") == RELEASE and (
            said.get("meta.helm.sh/release-namespace") == settings.OPERATOR_NAMESPACE
        )
        if hook and not ours:
            raise addons.StepFailed(
                f"The cluster has the webhook {name}, but no Deployment labelled {NAME_LABEL}={PARTS[0]}.",
                "Give the operator's Deployment that label, or remove what is left of it; then deploy again.",
            )


def _refuse_old(one: Installed) -> None:
    oldest = ".".join(map(str, OLDEST))
    if one.numbers is None:
        raise addons.StepFailed(
            f"The operator in {one.namespace} does not say its version.",
            f"Keyhaven works with {oldest} or newer; give its image a version tag.",
        )
    if one.numbers < OLDEST:
        raise addons.StepFailed(
            f"The operator in {one.namespace} is {one.version}; older than {oldest} are not safe (CVE-2026-42876).",
            UPGRADE,
        )


def _wait(run: addons.Run, one: Installed) -> None:
    """Wait until the CRDs are served, the parts are available and the API server reaches the webhook."""
    end = time.monotonic() + settings.OPERATOR_TIMEOUT
    missing: list[str] = []

    def settled() -> bool:
        found = _not_served(run.door) + _not_available(run.door, one.namespace)
        if found and found != missing:
            run.log("info", f"Waiting for {', '.join(found)}.")
        missing[:] = found
        return not found

    if not waiting.until(run, settings.OPERATOR_TIMEOUT, settled):
        raise addons.StepFailed(
            f"The operator is not ready after {settings.OPERATOR_TIMEOUT} s: {', '.join(missing)}.",
            f"Look at the pods in {one.namespace}.",
        )
    run.log("info", "Its kinds are served and its parts are available.")
    last: list[kubernetes.ClusterError] = []

    def accepted() -> bool:
        try:
            run.door.hasty().apply(_probe(), dry_run=True)
        except (kubernetes.WebhookFailed, kubernetes.KindMissing) as error:
            if not last:
                run.log("info", "Waiting for its webhook.")
            last[:] = [error]
            return False
        return True

    if not waiting.until(run, max(0, end - time.monotonic()), accepted):
        raise addons.StepFailed(last[0].reason, last[0].remedy)
    run.log("info", "The API server reaches its webhook.")


def _not_served(door: kubernetes.Door) -> list[str]:
    missing = []
    for plural in CRDS:
        name = f"{plural}.external-secrets.io"
        crd = door.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", name) or {}
        conditions = (crd.get("status") or {}).get("conditions") or []
        versions = (crd.get("spec") or {}).get("versions") or []
        if not any(one["type"] == "Established" and one["status"] == "True" for one in conditions):
            missing.append(f"the kind {name}")
        elif not any(one["name"] == "v1" and one.get("served") for one in versions):
            missing.append(f"version v1 of the kind {name}")
    return missing


def _not_available(door: kubernetes.Door, namespace: str) -> list[str]:
    missing = []
    for item in door.list_all("apps/v1", "Deployment", namespace):
        conditions = (item.get("status") or {}).get("conditions") or []
        available = any(one["type"] == "Available" and one["status"] == "True" for one in conditions)
        current = (item.get("status") or {}).get("observedGeneration") == item["metadata"].get("generation")
        if _labels(item).get(NAME_LABEL) in PARTS and not (available and current):
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
