"""What has to be so before the operator is called ready: each check with what it looks at and why."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from accesses import manifests
from accesses.installed import (
    CONFIGURATIONS,
    NAME_LABEL,
    PARTS,
    WEBHOOK,
    Installed,
    labels,
)
from clusters import addons, kubernetes, waiting

CRDS = ("clustersecretstores", "externalsecrets")
_ADMISSION = ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration")
_TOLD = "operator.told"

# What is missing, in words; None: it could not be looked at, and the log says why.
type Missing = list[str] | None


@dataclass(frozen=True, slots=True)
class Check:
    """One check. The log says its label, with a full stop, once it is passed; the operator's page goes by that."""

    label: str
    how: str
    missing: Callable[[addons.Run, Installed], Missing]

    @property
    def said(self) -> str:
        return f"{self.label}."


def not_served(run: addons.Run, one: Installed) -> Missing:
    missing = []
    for plural in CRDS:
        name = f"{plural}.external-secrets.io"
        crd = run.door.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", name) or {}
        conditions = (crd.get("status") or {}).get("conditions") or []
        versions = (crd.get("spec") or {}).get("versions") or []
        if not any(one["type"] == "Established" and one["status"] == "True" for one in conditions):
            missing.append(f"the kind {name}")
        elif not any(one["name"] == "v1" and one.get("served") for one in versions):
            missing.append(f"version v1 of the kind {name}")
    return missing


def not_available(run: addons.Run, one: Installed) -> Missing:
    missing = []
    for item in run.door.list_all("apps/v1", "Deployment", one.namespace):
        conditions = (item.get("status") or {}).get("conditions") or []
        available = any(one["type"] == "Available" and one["status"] == "True" for one in conditions)
        current = (item.get("status") or {}).get("observedGeneration") == item["metadata"].get("generation")
        if labels(item).get(NAME_LABEL) in PARTS and not (available and current):
            missing.append(f"the deployment {item['metadata']['name']}")
    return missing


def _configurations(run: addons.Run, one: Installed) -> dict[str, dict[str, Any] | None] | None:
    """Return both webhook configurations by name, or None: not to be seen, or switched off by who installed it."""
    try:
        found = {name: run.door.get(*_ADMISSION, name) for name in CONFIGURATIONS}
    except kubernetes.Forbidden:
        _once(run, "Whether its webhooks are in order is unknown: reading them is not allowed.")
        return None
    if not one.ours and not any(found.values()):
        _once(run, "Its webhook is switched off: mistakes show later, when it reads an external secret.")
        return None
    return found


def no_certificate(run: addons.Run, one: Installed) -> Missing:
    if _configurations(run, one) is None:
        return None
    deployments = run.door.list_all("apps/v1", "Deployment", one.namespace, f"{NAME_LABEL}={WEBHOOK}")
    # The chart names both alike.
    name = deployments[0]["metadata"]["name"] if deployments else WEBHOOK
    try:
        secret = run.door.get("v1", "Secret", name, one.namespace)
    except kubernetes.Forbidden:
        _once(run, f"Whether its webhook has a certificate is unknown: reading Secret {name} is not allowed.")
        return None
    return [] if secret and _has_key(secret, "tls.crt") else [f"the certificate in the Secret {name}"]


def _has_key(secret: dict[str, Any], key: str) -> bool:
    """Tell by who owns which field whether a Secret has a key; its data is never looked at."""
    owners = secret["metadata"].get("managedFields") or []
    return not owners or any(
        f"f:{key}" in ((entry.get("fieldsV1") or {}).get("f:data") or {}) for entry in owners
    )


def no_authority(run: addons.Run, one: Installed) -> Missing:
    found = _configurations(run, one)
    if found is None:
        return None
    missing = [f"the webhook configuration {name}" for name, item in found.items() if item is None]
    for name, item in found.items():
        hooks = (item or {}).get("webhooks") or []
        if item and not (hooks and all((hook.get("clientConfig") or {}).get("caBundle") for hook in hooks)):
            missing.append(f"the authority of the webhook {name}")
    return missing


def _once(run: addons.Run, message: str) -> None:
    """Warn, once a run: these checks are asked again and again."""
    told: set[str] = run.facts.setdefault(_TOLD, set())
    if message not in told:
        told.add(message)
        run.log("warning", message)


def unreached(run: addons.Run, one: Installed) -> Missing:
    """Send a store as a dry run: it proves the way through the webhook.

    :raises WebhookFailed: or KindMissing: not yet
    """
    run.door.hasty().apply(_probe(), dry_run=True)
    return []


CHECKS: tuple[Check, ...] = (
    Check("Its kinds are served", "The CRDs are established and serve version v1.", not_served),
    Check("Its parts are available", "Every deployment of it runs as it is configured.", not_available),
    Check("Its webhook has a certificate", "The webhook's Secret has one; it is not read.", no_certificate),
    Check("The API server trusts its webhooks", "Each webhook has a CA bundle.", no_authority),
)
REACH = Check("The API server reaches its webhook", "A store is sent through it as a dry run.", unreached)
ALL = (*CHECKS, REACH)


def wait(run: addons.Run, one: Installed, until: float) -> None:
    """Wait for every check until a time of `time.monotonic()`.

    :raises StepFailed: with what is missing
    """
    missing: list[str] = []
    unknown: list[Check] = []

    def settled() -> bool:
        answers = [(check, check.missing(run, one)) for check in CHECKS]
        found = [word for _, words in answers for word in words or ()]
        if found and found != missing:
            run.log("info", f"Waiting for {', '.join(found)}.")
        missing[:], unknown[:] = found, [check for check, words in answers if words is None]
        return not found

    if not waiting.until(run, _left(until), settled):
        raise addons.StepFailed(
            f"The operator is not ready after {settings.OPERATOR_TIMEOUT} s: {', '.join(missing)}.",
            f"Look at the pods in {one.namespace}.",
        )
    _say(run, [check for check in CHECKS if check not in unknown])
    last: list[kubernetes.ClusterError] = []

    def accepted() -> bool:
        try:
            return not REACH.missing(run, one)
        except (kubernetes.WebhookFailed, kubernetes.KindMissing) as error:
            if not last:
                run.log("info", "Waiting for its webhook.")
            last[:] = [error]
            return False

    if not waiting.until(run, _left(until), accepted):
        raise addons.StepFailed(last[0].reason, last[0].remedy)
    _say(run, [REACH])


def _left(until: float) -> float:
    return max(0, until - time.monotonic())


def _say(run: addons.Run, checks: Sequence[Check]) -> None:
    for check in checks:
        run.log("info", check.said)


def _probe() -> dict[str, Any]:
    """Return a store that is only ever sent as a dry run."""
    return {
        "apiVersion": manifests.API,
        "kind": "ClusterSecretStore",
        "metadata": {"name": "keyhaven-probe"},
        "spec": {
            "conditions": [{"namespaces": ["keyhaven-probe"]}],
            "provider": {"fake": {"data": [{"key": "probe", "value": "probe"}]}},
        },
    }
