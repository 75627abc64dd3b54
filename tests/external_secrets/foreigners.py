"""What others make in a cluster: the operator's kinds, stores, external secrets, and workloads that use their Secrets."""

import copy
from typing import Any

from tests.external_secrets.operator import CRD

API = "external-secrets.io/v1"
_PLURALS = {
    "ClusterSecretStore": "clustersecretstores", "SecretStore": "secretstores", "ExternalSecret": "externalsecrets",
    "ClusterExternalSecret": "clusterexternalsecrets",
}  # fmt: skip


def crds(version: str = "v1") -> list[dict[str, Any]]:
    made = []
    for kind, plural in _PLURALS.items():
        crd = copy.deepcopy(CRD)
        crd["metadata"]["name"] = f"{plural}.external-secrets.io"
        names = {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"}
        scope = "Cluster" if kind.startswith("Cluster") else "Namespaced"
        crd["spec"] |= {"names": names, "scope": scope}
        crd["spec"]["versions"][0]["name"] = version
        made.append(crd)
    return made


def store(
    name: str = "legacy", provider: dict[str, Any] | None = None, namespace: str = "", api: str = API
) -> dict[str, Any]:
    kind = "SecretStore" if namespace else "ClusterSecretStore"
    aws = {"aws": {"service": "SecretsManager", "region": "eu-west-3"}}
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    ready = {"type": "Ready", "status": "True", "reason": "Valid", "message": "store validated"}
    spec = {"provider": provider or aws}
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": metadata,
        "spec": spec,
        "status": {"conditions": [ready]},
    }


def external(
    name: str, *data: dict[str, Any], namespace: str = "shop", api: str = API, **spec: Any
) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace} | spec.pop("metadata", {})
    status = spec.pop("status", {})
    whole = {"secretStoreRef": {"kind": "ClusterSecretStore", "name": "legacy"}, "refreshInterval": "30m"}
    whole |= ({"data": list(data)} if data else {}) | spec
    made = {"apiVersion": api, "kind": "ExternalSecret", "metadata": metadata, "spec": whole}
    return made | ({"status": status} if status else {})


def entry(secret_key: str, key: str, **remote: Any) -> dict[str, Any]:
    return {"secretKey": secret_key, "remoteRef": {"key": key} | remote}


def variable(name: str, secret: str, key: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def workload(
    name: str = "api",
    *containers: dict[str, Any],
    kind: str = "Deployment",
    namespace: str = "shop",
    **pod: Any,
) -> dict[str, Any]:
    found = [{"name": "web", "image": "shop/api:1"} | one for one in containers or ({},)]
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": found, **pod}}
    spec: dict[str, Any] = {"selector": {"matchLabels": {"app": name}}, "template": template}
    api = "apps/v1"
    if kind == "CronJob":
        api, spec = "batch/v1", {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}}
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}
