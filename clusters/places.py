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
    region = (eks[1] if eks else "") or _region(door)
    if eks or "-eks-" in version:
        return Place(Cluster.Kind.EKS, region, issuer=issuer)
    return Place(Cluster.Kind.GKE if "-gke." in version else Cluster.Kind.KUBECONFIG, region, issuer=issuer)


def _region(door: kubernetes.Door) -> str:
    try:
        nodes: list[dict[str, Any]] = door.request("GET", "/api/v1/nodes", limit=1).get("items") or []
    except (kubernetes.Forbidden, kubernetes.NotFound):
        return ""
    labels = [node.get("metadata", {}).get("labels") or {} for node in nodes]
    return next((str(label[REGION_LABEL])[:64] for label in labels if REGION_LABEL in label), "")
