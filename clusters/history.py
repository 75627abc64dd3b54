"""The pages of what the audit log's events of clusters, services and deploys are about."""

from typing import Any

from accounts.audit.objects import Kind
from accounts.roles import Permission


def _cluster(name: str) -> tuple[str, dict[str, Any]]:
    return "clusters:overview", {"cluster": name}


def _deploy(cluster: str, number: str) -> tuple[str, dict[str, Any]]:
    return "clusters:deploy", {"cluster": cluster, "number": number}


KINDS = (
    Kind("clusters.Cluster", Permission.CLUSTER_VIEW, ("name",), _cluster),
    Kind("clusters.Deploy", Permission.DEPLOY_VIEW, ("cluster__name", "number"), _deploy),
)
