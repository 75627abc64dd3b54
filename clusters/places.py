"""Where a cluster runs and who signs its tokens, as far as it shows itself."""

import re
from dataclasses import dataclass
from typing import Any

from clusters import kubernetes
from clusters.models import Cluster

_EKS_ISSUER = re.compile(r"https://oidc\.eks\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/id/\w+")
_GKE_ISSUER = re.compile(
    r"https://container\.googleapis\.com/v1/projects/([a-z][a-z0-9:.-]*)/locations/([a-z0-9-]+)/clusters/([a-z0-9-]+)"
)
# With an issuer that clouds reach, and without one.
_AKS_ISSUER = re.compile(
    r"https://([a-z0-9]+)\.oic\.(?:cx\.)?prod-aks\.azure\.(?:com|us|cn)/[0-9a-f-]{36}/[0-9a-f-]{36}/?"
    r"|https://[a-z0-9.-]+\.hcp\.([a-z0-9]+)\.(?:azmk8s\.io|cx\.aks\.containerservice\.azure\.us|cx\.prod\.service\.azk8s\.cn)(?::443)?/?"
)
_AZURE_NODE = re.compile(r"azure:///subscriptions/([0-9a-f-]{36})/resourceGroups/(mc_[^/]+)/", re.IGNORECASE)
AKS_LABEL = "kubernetes.azure.com/cluster"
REGION_LABEL = "topology.kubernetes.io/region"


@dataclass(frozen=True, slots=True)
class Place:
    """The columns of `Cluster` that tell where it is; empty is not known."""

    kind: str = Cluster.Kind.KUBECONFIG
    region: str = ""
    account: str = ""
    cloud_name: str = ""
    issuer: str = ""

    def fields(self) -> dict[str, str]:
        """Return what is known; what somebody entered meanwhile is not emptied."""
        found = {
            "region": self.region,
            "account": self.account,
            "cloud_name": self.cloud_name,
            "issuer": self.issuer,
        }
        return {"kind": self.kind} | {name: value for name, value in found.items() if value}


def find(door: kubernetes.Door, version: str) -> Place:
    """Return where a cluster is, from its issuer, its version and its nodes' labels.

    :raises ClusterError: it does not answer; not being allowed to look is no error
    """
    issuer = door.issuer()
    eks, gke = _EKS_ISSUER.fullmatch(issuer), _GKE_ISSUER.fullmatch(issuer)
    if gke:
        return Place(Cluster.Kind.GKE, gke[2], gke[1], gke[3], issuer)
    if eks:
        return Place(Cluster.Kind.EKS, eks[1], issuer=issuer)
    node = _node(door)
    region = _region(node)
    if "-eks-" in version:
        return Place(Cluster.Kind.EKS, region, issuer=issuer)
    aks = _AKS_ISSUER.fullmatch(issuer)
    if aks or AKS_LABEL in _labels(node):
        return _aks(node, (aks[1] or aks[2] if aks else "") or region, issuer)
    return Place(Cluster.Kind.GKE if "-gke." in version else Cluster.Kind.KUBECONFIG, region, issuer=issuer)


def _aks(node: dict[str, Any], region: str, issuer: str) -> Place:
    """Return where an AKS cluster is; its subscription is told by the address of its machines."""
    machine = _AZURE_NODE.match(str((node.get("spec") or {}).get("providerID") or ""))
    return Place(Cluster.Kind.AKS, region, machine[1].lower() if machine else "", issuer=issuer)


def _node(door: kubernetes.Door) -> dict[str, Any]:
    """Return one of the nodes, or nothing."""
    try:
        nodes: list[dict[str, Any]] = door.request("GET", "/api/v1/nodes", limit=1).get("items") or []
    except (kubernetes.Forbidden, kubernetes.NotFound):
        return {}
    return nodes[0] if nodes else {}


def _labels(node: dict[str, Any]) -> dict[str, str]:
    return (node.get("metadata") or {}).get("labels") or {}


def _region(node: dict[str, Any]) -> str:
    return str(_labels(node).get(REGION_LABEL, ""))[:64]
