"""The kinds that the sandbox serves: the built-in ones, and what CRDs add."""

from dataclasses import dataclass
from typing import Any

from sandbox.kubernetes import paths

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind; `schema` is a CRD's openAPIV3Schema, `columns` its printer columns."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    short: tuple[str, ...] = ()
    schema: dict[str, Any] | None = None
    columns: tuple[dict[str, Any], ...] = ()
    verbs: tuple[str, ...] = VERBS

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def keys_of(self, names: tuple[str, ...]) -> tuple[str, ...] | None:
        """Return the merge keys of the list at these field names, or None when it is one value."""
        if self.schema is None or names[0] == "metadata":
            return paths.built_in_keys(names)
        node: dict[str, Any] = self.schema
        for name in names:
            node = node.get("properties", {}).get(name) or node.get("additionalProperties") or {}
            if not isinstance(node, dict):
                return None
            if node.get("type") == "array" and name != names[-1]:
                node = node.get("items", {})
        if node.get("x-kubernetes-list-type") == "map":
            return tuple(node.get("x-kubernetes-list-map-keys", ()))
        return None

    def discovery(self) -> list[dict[str, Any]]:
        """Return the entries of the group's resource list."""
        entry = {
            "name": self.plural,
            "singularName": self.kind.lower(),
            "namespaced": self.namespaced,
            "kind": self.kind,
            "verbs": list(self.verbs),
        }
        if self.short:
            entry["shortNames"] = list(self.short)
        if self.verbs != VERBS:
            return [entry]
        status = {
            "name": f"{self.plural}/status",
            "singularName": "",
            "namespaced": self.namespaced,
            "kind": self.kind,
            "verbs": ["get", "patch", "update"],
        }
        return [entry, status]


def _r(api: str, plural: str, kind: str, namespaced: bool = True, *short: str) -> Resource:
    group, _, version = api.rpartition("/")
    return Resource(group, version, plural, kind, namespaced, short)


def _review(api: str, plural: str, kind: str) -> Resource:
    group, _, version = api.rpartition("/")
    return Resource(group, version, plural, kind, False, verbs=("create",))


_RBAC = "rbac.authorization.k8s.io/v1"

BUILT_IN: tuple[Resource, ...] = (
    _r("v1", "namespaces", "Namespace", False, "ns"),
    _r("v1", "nodes", "Node", False, "no"),
    _r("v1", "secrets", "Secret"),
    _r("v1", "configmaps", "ConfigMap", True, "cm"),
    _r("v1", "serviceaccounts", "ServiceAccount", True, "sa"),
    _r("v1", "services", "Service", True, "svc"),
    _r("v1", "pods", "Pod", True, "po"),
    _r("v1", "events", "Event", True, "ev"),
    _r("v1", "endpoints", "Endpoints", True, "ep"),
    _r("v1", "persistentvolumeclaims", "PersistentVolumeClaim", True, "pvc"),
    _r("apps/v1", "deployments", "Deployment", True, "deploy"),
    _r("apps/v1", "statefulsets", "StatefulSet", True, "sts"),
    _r("apps/v1", "daemonsets", "DaemonSet", True, "ds"),
    _r("apps/v1", "replicasets", "ReplicaSet", True, "rs"),
    _r("batch/v1", "jobs", "Job"),
    _r("batch/v1", "cronjobs", "CronJob", True, "cj"),
    _r(_RBAC, "roles", "Role"),
    _r(_RBAC, "rolebindings", "RoleBinding"),
    _r(_RBAC, "clusterroles", "ClusterRole", False),
    _r(_RBAC, "clusterrolebindings", "ClusterRoleBinding", False),
    _r("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", True, "pdb"),
    _r("coordination.k8s.io/v1", "leases", "Lease"),
    _r("discovery.k8s.io/v1", "endpointslices", "EndpointSlice"),
    _r("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", True, "netpol"),
    _r(
        "admissionregistration.k8s.io/v1",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        False,
    ),
    _r(
        "apiextensions.k8s.io/v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        False,
        "crd",
        "crds",
    ),
    _review("authorization.k8s.io/v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    _review("authorization.k8s.io/v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
    _review("authentication.k8s.io/v1", "selfsubjectreviews", "SelfSubjectReview"),
    _review("authentication.k8s.io/v1", "tokenreviews", "TokenReview"),
)


def from_crd(crd: dict[str, Any]) -> list[Resource]:
    """Return what a CustomResourceDefinition adds, one entry a served version."""
    spec = crd["spec"]
    names = spec["names"]
    return [
        Resource(
            spec["group"],
            version["name"],
            names["plural"],
            names["kind"],
            spec["scope"] == "Namespaced",
            tuple(names.get("shortNames", ())),
            version.get("schema", {}).get("openAPIV3Schema") or {"type": "object"},
            tuple(version.get("additionalPrinterColumns", ())),
        )
        for version in spec["versions"]
        if version.get("served")
    ]
