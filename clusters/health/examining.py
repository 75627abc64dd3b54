"""Looking whether a cluster is well: does it answer, what may we do, its version, its nodes, what signs in."""

import datetime
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.core.cache import cache
from django.utils import timezone

from clusters import endings, kubernetes, services
from clusters.health import findings
from clusters.health.findings import Finding
from clusters.models import Cluster, Health

# The operator's kinds need the first; what is older or newer than what it is tested with is said (docs/clusters.md).
LEAST, TESTED = (1, 30), ((1, 33), (1, 36))
# What we may do is asked for so often, in seconds; the rest each time.
WHOLE_EVERY = 1800

type Examine = Callable[[Cluster, kubernetes.Door], list[Finding]]
_more: dict[str, Examine] = {}


@dataclass(slots=True)
class Seen:
    """How a cluster is now; `facts` are numbers that may change without anything being better or worse."""

    level: Health.Level
    findings: list[Finding] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


def register(name: str, examine: Examine) -> None:
    """Have apps above this one say how what they bring to a cluster is; `examine` raises nothing but `ClusterError`."""
    _more[name] = examine


def examine(cluster: Cluster) -> Seen:
    """Look at a cluster now, and keep on it whether it answers."""
    began = time.monotonic()
    door = _reach(cluster)
    took = round((time.monotonic() - began) * 1000)
    outside = [credential(cluster), *sign_in(cluster)]
    kept = [one for one in outside if one is not None]
    if door is None:
        level = Health.Level.DENIED if cluster.status == Cluster.Status.DENIED else Health.Level.UNREACHABLE
        return Seen(level, [_unreached(cluster), *kept])
    found, facts = _inside(cluster, door)
    every = [Finding("reachable", "ok", "Reachable", "It answers."), *found, *kept]
    return Seen(
        findings.amount_to(every), every, facts | {"answered_in_ms": took, "version": cluster.version}
    )


def _reach(cluster: Cluster) -> kubernetes.Door | None:
    """Open the door and keep what came of it; now and then with all that a test of the connection finds."""
    try:
        door = kubernetes.connect(cluster)
        if cluster.status != Cluster.Status.READY or cache.add(
            f"health-whole:{cluster.pk}", 1, timeout=WHOLE_EVERY
        ):
            services.check(cluster, door)
            # Its cloud may have moved it meanwhile.
            return kubernetes.connect(cluster) if cluster.status == Cluster.Status.READY else None
        cluster.version, cluster.seen_at = door.version(), timezone.now()
    except kubernetes.ClusterError as error:
        services.failed(cluster, error)
        return None
    Cluster.objects.filter(pk=cluster.pk).update(version=cluster.version, seen_at=cluster.seen_at)
    return door


def _unreached(cluster: Cluster) -> Finding:
    label = "Access" if cluster.status == Cluster.Status.DENIED else "Reachable"
    return Finding("reachable", "bad", label, cluster.status_reason)


def _inside(cluster: Cluster, door: kubernetes.Door) -> tuple[list[Finding], dict[str, Any]]:
    nodes, facts = _nodes(door)
    found = [version(cluster.version), permissions(cluster), nodes]
    for name, more in sorted(_more.items()):
        try:
            found += more(cluster, door)
        except kubernetes.ClusterError as error:
            found.append(Finding(name, "unknown", name.capitalize(), error.reason, error.remedy))
    return found, facts


def version(text: str) -> Finding:
    """Say whether the operator works on this version of Kubernetes, for example `v1.36.2-eks-3abbec1`."""
    label, numbers = "Kubernetes version", re.match(r"v?(\d+)\.(\d+)", text)
    if numbers is None:
        return Finding("version", "unknown", label, f"{text or 'Unknown'} is no version.")
    minor = (int(numbers[1]), int(numbers[2]))
    level, said, remedy = _supported(minor)
    return Finding("version", level, label, f"{_dotted(minor)} {said}", remedy)


def _supported(minor: tuple[int, int]) -> tuple[findings.Level, str, str]:
    first, last = TESTED
    if minor < LEAST:
        return (
            "bad",
            "is too old for the External Secrets Operator.",
            f"Upgrade the cluster to {_dotted(first)} or newer: API servers before {_dotted(LEAST)} ignore what the "
            "operator's kinds rely on.",
        )
    if minor < first:
        said = "works, but the operator is not tested with it any more."
        return "warning", said, f"Upgrade the cluster to {_dotted(first)} or newer."
    if minor > last:
        said = f"is newer than what the operator is tested with ({_dotted(last)})."
        return "warning", said, "Look for a newer operator on the add-ons page."
    return "ok", "is supported by the External Secrets Operator.", ""


def _dotted(minor: tuple[int, int]) -> str:
    return f"{minor[0]}.{minor[1]}"


def permissions(cluster: Cluster) -> Finding:
    """Say whether the cluster lets us do what deploys need, as it was asked last."""
    denied = [entry["label"] for entry in cluster.permissions if not entry["allowed"]]
    if not denied:
        return Finding(
            "permissions", "ok", "Permissions", f"All {len(cluster.permissions)} that deploys need."
        )
    shown = ", ".join(denied[:3]) + (f" and {len(denied) - 3} more" if len(denied) > 3 else "")
    return Finding(
        "permissions",
        "warning",
        "Permissions",
        f"{len(denied)} of {len(cluster.permissions)} are denied: {shown}.",
        "The overview lists each with what it is for.",
    )


def _nodes(door: kubernetes.Door) -> tuple[Finding, dict[str, Any]]:
    """Say how many nodes are ready."""
    try:
        items = door.list_all("v1", "Node")
    except kubernetes.Forbidden:
        return Finding("nodes", "unknown", "Nodes", "We may not list them.", "Allow list nodes."), {}
    bad = sorted(item["metadata"]["name"] for item in items if not _is_ready(item))
    facts = {"nodes": len(items), "nodes_ready": len(items) - len(bad)}
    if not items:
        return Finding("nodes", "unknown", "Nodes", "None, or none that is shown."), facts
    if not bad:
        return Finding("nodes", "ok", "Nodes", "All are ready."), facts
    shown = ", ".join(bad[:3]) + (f" and {len(bad) - 3} more" if len(bad) > 3 else "")
    level: findings.Level = "bad" if len(bad) == len(items) else "warning"
    return Finding(
        "nodes",
        level,
        "Nodes",
        f"Not ready: {shown}.",
        "kubectl describe node tells why; pods move elsewhere.",
    ), facts


def _is_ready(node: dict[str, Any]) -> bool:
    """A node is ready unless it says that it is not: a cluster without kubelets says nothing."""
    conditions = (node.get("status") or {}).get("conditions") or []
    return all(one.get("status") == "True" for one in conditions if one.get("type") == "Ready")


def credential(cluster: Cluster) -> Finding | None:
    """Say whether the cluster's cloud credential works, and when it ends."""
    own = cluster.credential
    if own is None:
        return None
    label = "Cloud credential"
    if own.check_error:
        return Finding("credential", "bad", label, f"{own.name}: {own.check_error}", own.check_remedy)
    return _ending("credential", label, own.name, own.expires_at, "Rotate it before then.") or Finding(
        "credential", "ok", label, f"{own.name} works."
    )


def sign_in(cluster: Cluster) -> list[Finding]:
    """Say when what signs in to the cluster ends, if it does and nobody renews it."""
    if cluster.renews:
        return []
    remedy = "Replace the kubeconfig before then, or let Keyhaven renew a token of its own."
    found = _ending("kubeconfig", "Kubeconfig", "What signs in", cluster.signs_in_until, remedy)
    return [found] if found else []


def _ending(slug: str, label: str, what: str, at: datetime.datetime | None, remedy: str) -> Finding | None:
    state = endings.Ending(at).state if at else "ends"
    if at is None or state == "ends":
        return None
    day = f"{at:%Y-%m-%d %H:%M} UTC"
    if state == "ended":
        return Finding(slug, "bad", label, f"{what} ended on {day}.", remedy.replace(" before then", ""))
    return Finding(slug, "warning", label, f"{what} ends on {day}.", remedy)
