"""What a deploy needs the cluster to allow, each with what it is needed for."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from clusters.kubernetes import Door

CORE = ""
CRDS = "apiextensions.k8s.io"
ESO = "external-secrets.io"
RBAC = "rbac.authorization.k8s.io"
ADMISSION = "admissionregistration.k8s.io"
# Stands for the operator's namespace among the names of objects.
OPERATOR = "{operator}"


class Part(StrEnum):
    """What can be given or left out as a whole."""

    READ = "read only"
    DEPLOY = "deploy"
    INSTALL = "install the operator"


@dataclass(frozen=True, slots=True)
class Need:
    """One verb on one resource; an empty namespace means in all of them, no `names` means objects of any name."""

    verb: str
    group: str
    resource: str
    needed_for: str
    in_operator_namespace: bool = False
    part: Part = Part.DEPLOY
    names: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        named = f" {', '.join(self.names)}" if self.names and OPERATOR not in self.names else ""
        return f"{self.verb} {self.resource}" + (f".{self.group}" if self.group else "") + named

    def named(self, operator_namespace: str) -> tuple[str, ...]:
        """Return the names of the objects that it is about, none for any."""
        return tuple(name.replace(OPERATOR, operator_namespace) for name in self.names)


def _each(verbs: str, group: str, resources: str, needed_for: str, **more: Any) -> tuple[Need, ...]:
    """Return a need for each of some verbs on each of some resources."""
    return tuple(
        Need(verb, group, resource, needed_for, **more)
        for resource in resources.split()
        for verb in verbs.split()
    )


_READ: dict[str, Any] = {"part": Part.READ}
_THERE: dict[str, Any] = {"in_operator_namespace": True}
_READING: tuple[Need, ...] = (
    Need("list", "apps", "deployments", "discovering services and finding the operator", **_READ),
    Need("list", "apps", "statefulsets", "discovering services", **_READ),
    Need("list", "batch", "cronjobs", "discovering services", **_READ),
    *_each(
        "list", ESO, "clustersecretstores externalsecrets",
        "telling what is in step, and what others made", **_READ,
    ),
    Need("get", ESO, "externalsecrets", "waiting until a secret is in sync", **_READ),
    *_each("list", ESO, "secretstores clusterexternalsecrets pushsecrets", "finding what others made", **_READ),
    Need("get", CORE, "namespaces", "finding the operator's", names=(OPERATOR,), **_READ),
    Need("list", CORE, "nodes", "telling the region", **_READ),
    Need("list", CORE, "events", "saying why a secret is not in sync", **_READ),
    Need("get", CRDS, "customresourcedefinitions", "telling whether the operator works", **_READ),
    Need("list", CRDS, "customresourcedefinitions", "telling what stays when the operator goes", **_READ),
    Need(
        "get", ADMISSION, "validatingwebhookconfigurations",
        "telling whether the operator works, and whether there is another", **_READ,
    ),
    Need(
        "list", CORE, "serviceaccounts", "finding what is no longer needed", in_operator_namespace=True, **_READ
    ),
    Need(
        "get", CORE, "serviceaccounts", "making one only where there is none", in_operator_namespace=True, **_READ
    ),
)  # fmt: skip
# An apply that makes an object needs `create` besides `patch`.
_DEPLOYING: tuple[Need, ...] = (
    *_each("patch", "apps", "deployments statefulsets", "giving services their variables"),
    Need("patch", "batch", "cronjobs", "giving services their variables"),
    *_each("create patch", ESO, "clustersecretstores", "creating stores"),
    *_each("create patch", ESO, "externalsecrets", "creating external secrets"),
    Need("delete", ESO, "externalsecrets", "removing what is no longer linked"),
    Need("delete", ESO, "clustersecretstores", "removing the stores of removed accesses"),
    *_each("create patch", CORE, "secrets", "giving the operator its credentials", **_THERE),
    Need("list", CORE, "secrets", "finding what is no longer needed; metadata only", **_THERE),
    Need("delete", CORE, "secrets", "removing credentials of removed accesses", **_THERE),
    Need("create", CORE, "serviceaccounts/token", "listing names as the cluster would", **_THERE),
    *_each("create patch", CORE, "serviceaccounts", "signing in without keys", **_THERE),
    Need("delete", CORE, "serviceaccounts", "removing those of removed accesses", **_THERE),
)
_INSTALL: dict[str, Any] = {"part": Part.INSTALL}
_HOOKS = ("secretstore-validate", "externalsecret-validate")
# What the chart binds to the operator's own identities, and what it adds to the cluster's own roles.
_BOUND = ("external-secrets-controller", "external-secrets-cert-controller")
_ROLES = (*_BOUND, "external-secrets-view", "external-secrets-edit", "external-secrets-servicebindings")
_HELM = "installing the operator"
_LEADER = "installing the operator: only who holds a right may give it, and its Role holds this"
# Read off the chart of the operator: what Helm asks for each of its kinds. It never needs to delete a CRD.
_INSTALLING: tuple[Need, ...] = (
    Need("create", CORE, "namespaces", _HELM, **_INSTALL),
    Need("create", CRDS, "customresourcedefinitions", _HELM, **_INSTALL),
    Need("patch", CRDS, "customresourcedefinitions", "upgrading the operator", **_INSTALL),
    Need("create", ADMISSION, "validatingwebhookconfigurations", _HELM, **_INSTALL),
    *_each(
        "patch delete", ADMISSION, "validatingwebhookconfigurations", "upgrading or uninstalling the operator",
        names=_HOOKS, **_INSTALL,
    ),
    Need("create", RBAC, "clusterroles", _HELM, **_INSTALL),
    Need("create", RBAC, "clusterrolebindings", _HELM, **_INSTALL),
    Need(
        "escalate", RBAC, "clusterroles",
        "installing the operator: its role holds more than Keyhaven does, such as reading Secrets", **_INSTALL,
    ),
    Need(
        "bind", RBAC, "clusterroles", "installing the operator: giving it its own roles", names=_BOUND, **_INSTALL
    ),
    *_each("get patch delete", RBAC, "clusterroles", "upgrading or uninstalling the operator", names=_ROLES, **_INSTALL),
    *_each(
        "get patch delete", RBAC, "clusterrolebindings", "upgrading or uninstalling the operator",
        names=_BOUND, **_INSTALL,
    ),
    *_each("get create patch delete", RBAC, "roles rolebindings", _HELM, **_THERE, **_INSTALL),
    *_each("get create patch delete", CORE, "services", _HELM, **_THERE, **_INSTALL),
    *_each("get create delete", "apps", "deployments", _HELM, **_THERE, **_INSTALL),
    *_each("get update", CORE, "secrets", "keeping Helm's record of the release", **_THERE, **_INSTALL),
    *_each(
        "get update patch", CORE, "configmaps", _LEADER, names=("external-secrets-controller",),
        **_THERE, **_INSTALL,
    ),
    Need("create", CORE, "configmaps", _LEADER, **_THERE, **_INSTALL),
    *_each("get create update patch", "coordination.k8s.io", "leases", _LEADER, **_THERE, **_INSTALL),
)  # fmt: skip
NEEDS: tuple[Need, ...] = (*_READING, *_DEPLOYING, *_INSTALLING)


def review(door: Door, operator_namespace: str) -> list[dict[str, Any]]:
    """Ask the cluster about every need and return `[{"label", "allowed", "needed_for"}]`.

    :raises ClusterError: the cluster does not answer
    """

    def ask(need: Need) -> dict[str, Any]:
        namespace = operator_namespace if need.in_operator_namespace else ""
        # One name stands for all of them: they are given together.
        name = (*need.named(operator_namespace), "")[0]
        allowed = door.allowed(need.verb, need.group, need.resource, namespace, name)
        return {"label": need.label, "allowed": allowed, "needed_for": need.needed_for}

    with ThreadPoolExecutor(8, thread_name_prefix="review") as pool:
        return list(pool.map(ask, NEEDS))
