"""What a deploy needs the cluster to allow, each with what it is needed for."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from clusters.kubernetes import Door

CORE = ""
CRDS = "apiextensions.k8s.io"
ESO = "external-secrets.io"


@dataclass(frozen=True, slots=True)
class Need:
    """One verb on one resource; an empty namespace means in all of them."""

    verb: str
    group: str
    resource: str
    needed_for: str
    in_operator_namespace: bool = False

    @property
    def label(self) -> str:
        return f"{self.verb} {self.resource}" + (f".{self.group}" if self.group else "")


NEEDS: tuple[Need, ...] = (
    Need("list", "apps", "deployments", "discovering services and finding the operator"),
    Need("list", "apps", "statefulsets", "discovering services"),
    Need("list", "batch", "cronjobs", "discovering services"),
    Need("patch", "apps", "deployments", "giving services their variables"),
    Need("patch", "apps", "statefulsets", "giving services their variables"),
    Need("patch", "batch", "cronjobs", "giving services their variables"),
    Need("patch", ESO, "clustersecretstores", "creating stores"),
    Need("patch", ESO, "externalsecrets", "creating external secrets"),
    Need("list", ESO, "clustersecretstores", "telling what is in step"),
    Need("list", ESO, "externalsecrets", "telling what is in step"),
    Need("get", ESO, "externalsecrets", "waiting until a secret is in sync"),
    Need("delete", ESO, "externalsecrets", "removing what is no longer linked"),
    Need("patch", CORE, "secrets", "giving the operator its credentials", in_operator_namespace=True),
    Need("delete", ESO, "clustersecretstores", "removing the stores of removed accesses"),
    Need(
        "list", CORE, "secrets", "finding what is no longer needed; metadata only", in_operator_namespace=True
    ),
    Need("delete", CORE, "secrets", "removing credentials of removed accesses", in_operator_namespace=True),
    Need(
        "create",
        CORE,
        "serviceaccounts/token",
        "listing names as the cluster would",
        in_operator_namespace=True,
    ),
    Need("patch", CORE, "serviceaccounts", "signing in without keys", in_operator_namespace=True),
    Need("list", CORE, "serviceaccounts", "finding what is no longer needed", in_operator_namespace=True),
    Need("delete", CORE, "serviceaccounts", "removing those of removed accesses", in_operator_namespace=True),
    Need("get", CORE, "serviceaccounts", "making one only where there is none", in_operator_namespace=True),
    Need("get", CORE, "namespaces", "finding the operator's"),
    Need("list", CORE, "nodes", "telling the region"),
    Need("list", CORE, "events", "saying why a secret is not in sync"),
    Need("get", CRDS, "customresourcedefinitions", "telling whether the operator works"),
    Need(
        "get",
        "admissionregistration.k8s.io",
        "validatingwebhookconfigurations",
        "telling whether the operator works, and whether there is another",
    ),
    Need("create", CORE, "namespaces", "installing the operator"),
    Need("create", CRDS, "customresourcedefinitions", "installing the operator"),
    Need("create", "rbac.authorization.k8s.io", "clusterroles", "installing the operator"),
)


def review(door: Door, operator_namespace: str) -> list[dict[str, Any]]:
    """Ask the cluster about every need and return `[{"label", "allowed", "needed_for"}]`.

    :raises ClusterError: the cluster does not answer
    """

    def ask(need: Need) -> dict[str, Any]:
        namespace = operator_namespace if need.in_operator_namespace else ""
        allowed = door.allowed(need.verb, need.group, need.resource, namespace)
        return {"label": need.label, "allowed": allowed, "needed_for": need.needed_for}

    with ThreadPoolExecutor(8, thread_name_prefix="review") as pool:
        return list(pool.map(ask, NEEDS))
