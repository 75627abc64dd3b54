"""The kinds of cluster that the sandbox plays, and what tells them apart: version, issuer, nodes."""

import secrets
import uuid
from dataclasses import dataclass
from typing import Any

_EKS_REGION, _GKE_REGION, _AKS_REGION, _KAPSULE_REGION = "eu-west-3", "europe-west9", "westeurope", "fr-par"
GOOGLE_PROJECT = "acme-prod"
AZURE_TENANT, AZURE_SUBSCRIPTION = (
    "7a1e0c52-5d3b-4f60-9c8e-0b6f2d9a4e11",
    "3f5c7b19-2e84-4d6a-a07b-91c4e8d2f530",
)
_HOST = "kubernetes.io/hostname"
_REGION, _ZONE = "topology.kubernetes.io/region", "topology.kubernetes.io/zone"


@dataclass(frozen=True, slots=True)
class Flavour:
    """One kind of cluster."""

    suffix: str
    nodes: tuple[dict[str, Any], ...]

    @property
    def version(self) -> str:
        return f"v1.36.2{self.suffix}"

    def manifests(self) -> list[dict[str, Any]]:
        """Return its nodes."""
        status = {"nodeInfo": {"kubeletVersion": self.version, "architecture": "amd64"}}
        return [{"apiVersion": "v1", "kind": "Node", "status": status} | node for node in self.nodes]


def _node(name: str, provider_id: str = "", labels: dict[str, str] | None = None) -> dict[str, Any]:
    spec = {"providerID": provider_id} if provider_id else {}
    return {"metadata": {"name": name, "labels": {_HOST: name} | (labels or {})}, "spec": spec}


def _eks(name: str, zone: str, instance: str) -> dict[str, Any]:
    labels = {_REGION: _EKS_REGION, _ZONE: zone, "eks.amazonaws.com/nodegroup": "general"}
    return _node(name, f"aws:///{zone}/{instance}", labels)


def _gke(name: str, zone: str) -> dict[str, Any]:
    labels = {_REGION: _GKE_REGION, _ZONE: zone, "cloud.google.com/gke-nodepool": "default-pool"}
    return _node(name, f"gce://{GOOGLE_PROJECT}/{zone}/{name}", labels)


def _aks(number: int) -> dict[str, Any]:
    group, pool = f"MC_platform-prod_prod_{_AKS_REGION}", "aks-nodepool1-31415926-vmss"
    labels = {
        _REGION: _AKS_REGION,
        _ZONE: f"{_AKS_REGION}-{number + 1}",
        "kubernetes.azure.com/cluster": group,
    }
    where = f"/subscriptions/{AZURE_SUBSCRIPTION}/resourceGroups/{group.lower()}"
    machine = f"{where}/providers/Microsoft.Compute/virtualMachineScaleSets/{pool}/virtualMachines/{number}"
    return _node(f"{pool}00000{number}", f"azure://{machine}", labels)


def _kapsule(number: int) -> dict[str, Any]:
    zone, machine = f"{_KAPSULE_REGION}-{number}", f"0c7a4e52-3f1b-4d86-9a05-6e2b8d1f7c3{number}"
    labels = {_REGION: _KAPSULE_REGION, _ZONE: zone, "k8s.scaleway.com/pool-name": "default"}
    return _node(f"scw-shop-default-{machine}", f"scaleway://instance/{zone}/{machine}", labels)


_EKS_NODES = (
    _eks("ip-10-0-1-17", "eu-west-3a", "i-0a1b2c3d4e5f60718"),
    _eks("ip-10-0-2-23", "eu-west-3b", "i-0f9e8d7c6b5a40312"),
)
# Nodes as EKS labels them, but nobody said which machines they are.
_NO_CLOUD = tuple(node | {"spec": {}} for node in _EKS_NODES)
KINDS: dict[str, Flavour] = {
    "eks": Flavour("-eks-3abbec1", _EKS_NODES),
    "gke": Flavour(
        "-gke.1498000",
        (
            _gke("gke-prod-default-pool-5d1c8f0b-2xkq", "europe-west9-a"),
            _gke("gke-prod-default-pool-5d1c8f0b-9wzt", "europe-west9-b"),
        ),
    ),
    "aks": Flavour("", (_aks(0), _aks(1))),
    "kapsule": Flavour("", (_kapsule(1), _kapsule(2))),
    "plain": Flavour("", (_node("node-1"), _node("node-2"))),
    "sandbox": Flavour("-sandbox", _NO_CLOUD),
}


def issuer_of(kind: str, url: str) -> str:
    """Return who signs the tokens of a new cluster's ServiceAccounts; without a cloud it is the cluster itself."""
    match kind:
        case "eks":
            return f"https://oidc.eks.{_EKS_REGION}.amazonaws.com/id/{secrets.token_hex(16).upper()}"
        case "gke":
            where = f"projects/{GOOGLE_PROJECT}/locations/{_GKE_REGION}/clusters/prod"
            return f"https://container.googleapis.com/v1/{where}"
        case "aks":
            return f"https://{_AKS_REGION}.oic.prod-aks.azure.com/{AZURE_TENANT}/{uuid.uuid4()}/"
    return url
