"""Whether the operator in a cluster works: is it there, does each of its parts run, do its kinds answer."""

from typing import Any

from accesses import installed
from clusters import kubernetes
from clusters.health.findings import Finding
from clusters.models import Cluster

LABEL = "Operator"


def examine(cluster: Cluster, door: kubernetes.Door) -> list[Finding]:
    """Say how the External Secrets Operator of a cluster is.

    :raises ClusterError: the cluster does not answer
    """
    found = installed.find(door)
    if not found:
        return [_missing(cluster)]
    if len(found) > 1:
        spaces = ", ".join(sorted(one.namespace for one in found))
        return [
            Finding(
                "operator",
                "bad",
                LABEL,
                f"There are {len(found)}, in {spaces}: they fight for the same objects.",
                "Keep one of them and uninstall the others.",
            )
        ]
    parts = door.list_all("apps/v1", "Deployment", found[0].namespace)
    stopped = sorted(_name(part) for part in parts if _is_part(part) and not _runs(part))
    if stopped:
        return [
            Finding(
                "operator",
                "bad",
                LABEL,
                f"Not running: {', '.join(stopped)}. Secrets stay as they are and are not refreshed.",
                f"kubectl -n {found[0].namespace} get pods tells why.",
            )
        ]
    return [Finding("operator", "ok", LABEL, f"External Secrets Operator {found[0].version} runs.")]


def _missing(cluster: Cluster) -> Finding:
    if not cluster.operator_version:
        return Finding("operator", "unknown", LABEL, "None is installed yet; the first deploy installs it.")
    return Finding(
        "operator",
        "bad",
        LABEL,
        f"Version {cluster.operator_version} was here and is gone. Secrets are not refreshed any more.",
        "Deploy to install it again, or see who removed it.",
    )


def _name(item: dict[str, Any]) -> str:
    return str(item["metadata"]["name"])


def _is_part(item: dict[str, Any]) -> bool:
    return installed.labels(item).get(installed.NAME_LABEL) in installed.PARTS


def _runs(item: dict[str, Any]) -> bool:
    """A Deployment runs when it says Available, or does not say anything yet."""
    conditions = (item.get("status") or {}).get("conditions") or []
    return all(one.get("status") == "True" for one in conditions if one.get("type") == "Available")
