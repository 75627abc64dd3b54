"""Secrets of Kubernetes, in the sandbox's cluster."""

import base64
import json
from typing import Any

from accesses import trials
from accesses.models import Access
from clusters import kubeconfig
from sandbox import world as demo
from tests.accesses.worlds import Sandbox, World

METHODS = ("token", "service-account")
SPACE = "vault"
COUNT = 230
READS = {
    "apiGroups": [""],
    "resources": ["secrets"],
    "verbs": ["get", "list", "watch"],
    "namespaces": [SPACE],
}
WRITES = READS | {"verbs": ["create", "patch", "delete"]}


def seed(kube: Any) -> list[str]:
    """Put Secrets into the cluster, each with labels, and one each of the kinds that are left out; return the names."""
    names = demo.names(COUNT)
    kube.load([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}])
    for name in names:
        labels = {one["Key"]: one["Value"] for one in demo.tags(name)}
        kube.load([secret(name.replace("/", "-"), demo.value(name), labels)])
    kube.load([secret("helm", "x", {}) | {"type": "helm.sh/release.v1"}])
    return sorted(name.replace("/", "-") for name in names)


def secret(name: str, value: str, labels: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": name, "namespace": SPACE, "labels": labels},
        "data": {"value": base64.b64encode(value.encode()).decode()},
    }  # fmt: skip


def value_of(kube: Any, name: str) -> str:
    """Return what a Secret holds: the one value, or all of it as JSON."""
    data = kube.get("Secret", name, SPACE)["data"]
    found = {key: base64.b64decode(text).decode() for key, text in data.items()}
    return found["value"] if set(found) == {"value"} else json.dumps(found)


def configuration(kube: Any, **fields: str) -> dict[str, str]:
    return {"address": kube.url, "ca": kube.ca_pem.strip(), "namespace": SPACE} | fields


def bound(kube: Any, access: Any, *rules: dict[str, Any]) -> None:
    """Give an access's ServiceAccount rights in the namespace."""
    rules = tuple({key: value for key, value in one.items() if key != "namespaces"} for one in rules)
    account = {
        "kind": "ServiceAccount", "name": access.service_account, "namespace": access.cluster.operator_namespace,
    }  # fmt: skip
    group, metadata = "rbac.authorization.k8s.io", {"name": access.service_account, "namespace": SPACE}
    role = {"apiGroup": group, "kind": "Role", "name": access.service_account}
    kube.load(
        [
            {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata, "rules": list(rules)},
            {
                "apiVersion": f"{group}/v1", "kind": "RoleBinding", "metadata": metadata, "roleRef": role,
                "subjects": [account],
            },
        ]
    )  # fmt: skip


def _nowhere(monkeypatch: Any) -> None:
    for access in Access.objects.all():
        access.configuration["address"] = "https://127.0.0.1:9"
        access.save()


def world(sandbox: Sandbox, method: str) -> World:
    kube = sandbox.fixture("sandbox_cluster")
    names = seed(kube)
    slow = ("/namespaces/vault/secrets", 429, "not now")
    common: dict[str, Any] = {
        "names": names, "permission": f"list secrets in {SPACE}", "slow": lambda: kube.faults.answer(*slow),
        "value": lambda name: value_of(kube, name),
    }  # fmt: skip
    if method == "token":
        found = {name: {"token": kube.add_user(name, list(rules)).token} for name, rules in (
            ("vault-reader", [READS]), ("vault-writer", [READS, WRITES]), ("vault-nobody", []),
        )}  # fmt: skip
        return World(
            method=method, configuration=configuration(kube), good=found["vault-reader"], wrong={"token": "w" * 40},
            limited=found["vault-nobody"], writer=found["vault-writer"], nowhere=_nowhere,
            over=lambda: kube.identities.users.pop("vault-reader"), **common,
        )  # fmt: skip

    def prepare(access: Any) -> None:
        access.cluster.kubeconfig = kubeconfig.reduce(kube.kubeconfig())
        access.cluster.save()
        trials.ensure_service_account(access)
        if access.configuration["namespace"] == SPACE:
            bound(kube, access, READS, WRITES)

    # No credential can be wrong here: an API server refuses the cluster's own token only if its keys were changed.
    kube.faults.answer("/namespaces/refused/", 401, "Unauthorized")

    def away(monkeypatch: Any) -> None:
        kube.faults.answer("/secrets", 503, "not now")

    return World(
        method=method, configuration={"namespace": SPACE}, good={}, wrong={}, limited={}, writer={}, nowhere=away,
        prepare=prepare, wrong_configuration={"namespace": "refused"}, limited_configuration={"namespace": "shop"}, **common | {"permission": "list secrets in shop"},
    )  # fmt: skip
