"""The proof that the operator works: it makes a Secret of a store that holds nothing real, and all of it goes again."""

import time
from typing import Any

from django.utils import timezone

from accesses import causes, manifests
from accesses.installed import Installed
from clusters import addons, kubernetes, waiting
from clusters.kubernetes import conditions
from clusters.models import Cluster

LABEL = "It makes a Secret"
HOW = "A test store and an external secret in its own namespace become ready; then they are deleted."
STORE, EXTERNAL = "ClusterSecretStore", "ExternalSecret"
# One proof's external secret is never like another's, so that the operator cannot take it for one that it has seen.
PROVED_AT = "keyhaven.io/proof"
_KEY = "proof"


def name_of(cluster: Cluster) -> str:
    """Return the name of everything that a proof makes."""
    return f"keyhaven-proof-{cluster.pk.hex[:8]}"


def prove(run: addons.Run, one: Installed, until: float) -> None:
    """Have the operator make a Secret, by a time of `time.monotonic()`, and clear up.

    What a failed proof made stays to be looked at, until the next deploy.

    :raises StepFailed: the operator does not do its work
    """
    name = name_of(run.cluster)
    run.log("info", f"Proving that it works, with a test store and an external secret named {name}.")
    if not waiting.until(run, _left(until), lambda: not clear(run, one.namespace)):
        raise addons.StepFailed(
            f"What an earlier proof made, {name}, is marked for deletion and does not go.",
            f"Look at the operator's log in {one.namespace}, and at the finalizers of {name}.",
        )
    for kind, manifest in ((STORE, _store(run.cluster, one)), (EXTERNAL, _external(run.cluster, one))):
        run.checkpoint()
        run.door.apply(manifest)
        _wait(run, one, kind, until)
    if _secret_is_missing(run, one):
        raise addons.StepFailed(
            f"The operator says that it made the Secret {name} in {one.namespace}, but it is not there.",
            f"Look at the operator's log in {one.namespace}.",
        )
    clear(run, one.namespace)
    run.log("info", f"{LABEL}. The test objects are deleted.")


def clear(run: addons.Run, namespace: str) -> int:
    """Delete what a proof left, and return how many objects were still there; the Secret goes with its owner."""
    found = 0
    for kind, space in ((EXTERNAL, namespace), (STORE, None)):
        if _live(run, kind, space) is not None:
            found += 1
            run.checkpoint()
            run.door.hasty().delete(manifests.API, kind, name_of(run.cluster), space)
    return found


def clear_leftovers(run: addons.Run, namespace: str) -> None:
    """Delete what a proof left that broke off or failed; while the webhook is down, it cannot be."""
    try:
        left = clear(run, namespace)
    except kubernetes.WebhookFailed:
        run.log("warning", f"{name_of(run.cluster)} of an earlier proof stays until the webhook answers.")
        return
    if left:
        run.log("info", f"Removed what an earlier proof left: {name_of(run.cluster)}.")


def _live(run: addons.Run, kind: str, space: str | None) -> dict[str, Any] | None:
    """Return what a proof of ours made; what others call by that name is not looked at."""
    owner = f"{manifests.selector(run.cluster)},{manifests.OWNER}={run.cluster.pk}"
    try:
        found = run.door.list_all(manifests.API, kind, space, owner)
    except kubernetes.KindMissing:
        return None
    return next((item for item in found if item["metadata"]["name"] == name_of(run.cluster)), None)


def _wait(run: addons.Run, one: Installed, kind: str, until: float) -> None:
    name, space = name_of(run.cluster), one.namespace if kind == EXTERNAL else None
    said: dict[str, Any] = {}

    def ready() -> bool:
        said.update(conditions.ready(_live(run, kind, space)))
        return said.get("status") == "True"

    if waiting.until(run, _left(until), ready):
        return
    why = (
        f"it says “{causes.clean(str(said['message']))}”"
        if said.get("message")
        else "it has not looked at it"
    )
    where = f" -n {space}" if space else ""
    raise addons.StepFailed(
        f"The operator does not work: the {kind} {name}, which a proof made, is not ready, and {why}.",
        f"Look at the log of the operator's pods in {one.namespace}, and at "
        f"“kubectl describe {kind.lower()} {name}{where}”. The next deploy deletes it.",
    )


def _secret_is_missing(run: addons.Run, one: Installed) -> bool:
    try:
        return run.door.get("v1", "Secret", name_of(run.cluster), one.namespace) is None
    except kubernetes.Forbidden:
        run.log("info", "Looking for the Secret is not allowed; the operator says that it made it.")
        return False


def _left(until: float) -> float:
    return max(0, until - time.monotonic())


def _metadata(cluster: Cluster) -> dict[str, Any]:
    return {"name": name_of(cluster), "labels": manifests.labels(cluster, cluster.pk)}


def _store(cluster: Cluster, one: Installed) -> dict[str, Any]:
    return {
        "apiVersion": manifests.API,
        "kind": STORE,
        "metadata": _metadata(cluster),
        "spec": {
            "conditions": [{"namespaces": [one.namespace]}],
            "provider": {"fake": {"data": [{"key": _KEY, "value": "not a secret"}]}},
        },
    }


def _external(cluster: Cluster, one: Installed) -> dict[str, Any]:
    return {
        "apiVersion": manifests.API,
        "kind": EXTERNAL,
        "metadata": _metadata(cluster)
        | {"namespace": one.namespace, "annotations": {PROVED_AT: timezone.now().isoformat()}},
        "spec": {
            "refreshInterval": "1h0m0s",
            "secretStoreRef": {"kind": STORE, "name": name_of(cluster)},
            "target": {"name": name_of(cluster), "creationPolicy": "Owner", "deletionPolicy": "Retain"},
            "data": [{"secretKey": _KEY, "remoteRef": {"key": _KEY}}],
        },
    }
