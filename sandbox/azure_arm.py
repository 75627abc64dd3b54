"""The Azure stand-in's Resource Manager: subscriptions, and AKS clusters."""

import base64
import re
from dataclasses import dataclass
from typing import Any

from sandbox.azure_state import (
    CONNECT,
    READ_CLUSTERS,
    READ_SUBSCRIPTION,
    SUBSCRIPTION,
    TENANT,
    App,
    Refused,
    State,
)

_SUBSCRIPTION = re.compile(r"/subscriptions/([^/]+)", re.IGNORECASE)
_AKS = r"/providers/Microsoft\.ContainerService/managedClusters"
_LIST = re.compile(rf"/subscriptions/([^/]+){_AKS}", re.IGNORECASE)
_ONE = re.compile(
    rf"(/subscriptions/([^/]+)/resourceGroups/[^/]+{_AKS}/[^/]+)(/listClusterUserCredential)?", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Request:
    """What came in: who asks, with what query, of whom."""

    state: State
    app: App
    query: dict[str, str]
    url: str


def answer(request: Request, method: str, path: str) -> dict[str, Any]:
    """Return the answer to one request.

    :raises Refused: anything but 200
    """
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", request.query.get("api-version", "")):
        raise Refused(400, "MissingApiVersionParameter")
    if method == "GET" and (found := _SUBSCRIPTION.fullmatch(path)):
        return _subscription(request, found[1])
    if method == "GET" and (found := _LIST.fullmatch(path)):
        return _clusters(request, path, found[1])
    if found := _ONE.fullmatch(path):
        wanted = "POST" if found[3] else "GET"
        if method == wanted:
            return _cluster(request, found[1], found[2], bool(found[3]))
    raise Refused(404, "ResourceNotFound")


def _known(request: Request, subscription: str) -> dict[str, str]:
    found = request.state.subscriptions.get(subscription)
    if found is None:
        raise Refused(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")
    if found["tenantId"] != request.app.tenant:
        raise Refused(401, "InvalidAuthenticationTokenTenant", "The access token is from the wrong issuer.")
    return found


def _subscription(request: Request, subscription: str) -> dict[str, Any]:
    found, scope = _known(request, subscription), f"/subscriptions/{subscription}"
    request.state.require(request.app, READ_SUBSCRIPTION, scope)
    return {"id": scope, "subscriptionId": subscription, **found}


def _clusters(request: Request, path: str, subscription: str) -> dict[str, Any]:
    _known(request, subscription)
    request.state.require(request.app, READ_CLUSTERS, f"/subscriptions/{subscription}")
    size = int(request.state.faults.get("page_size", 100))
    start = int(request.query.get("$skiptoken") or 0)
    prefix = f"/subscriptions/{subscription}/".lower()
    found = [body for key, (body, _) in sorted(request.state.clusters.items()) if key.startswith(prefix)]
    page: dict[str, Any] = {"value": found[start : start + size]}
    if start + size < len(found):
        base = request.state.faults.get("next_host") or request.url
        version = request.query["api-version"]
        page["nextLink"] = f"{base}{path}?api-version={version}&%24skiptoken={start + size}"
    return page


def _cluster(request: Request, path: str, subscription: str, credential: bool) -> dict[str, Any]:
    _known(request, subscription)
    request.state.require(request.app, CONNECT if credential else READ_CLUSTERS, path)
    if path.lower() not in request.state.clusters:
        raise Refused(404, "ResourceNotFound", f"The Resource '{path}' was not found.")
    body, kubeconfig = request.state.clusters[path.lower()]
    if not credential:
        return body
    value = base64.b64encode(kubeconfig.encode()).decode()
    return {"kubeconfigs": [{"name": "clusterUser", "value": value}]}


def register(state: State, given: dict[str, Any]) -> dict[str, Any]:
    """Let AKS know a cluster; `properties` and `location` are put over what a good one has."""
    name, subscription = given["name"], given.get("subscription", SUBSCRIPTION)
    group = given.get("group", "platform-prod")
    where = f"/subscriptions/{subscription}/resourceGroups/{group}"
    path = f"{where}/providers/Microsoft.ContainerService/managedClusters/{name}"
    region = given.get("location", "westeurope")
    body = {
        "id": path, "name": name, "type": "Microsoft.ContainerService/ManagedClusters", "location": region,
        "properties": {
            "provisioningState": "Succeeded", "powerState": {"code": "Running"},
            "kubernetesVersion": "1.36", "currentKubernetesVersion": "1.36.2",
            "fqdn": f"{name}-dns-1a2b3c4d.hcp.{region}.azmk8s.io",
            "nodeResourceGroup": f"MC_{group}_{name}_{region}", "disableLocalAccounts": True,
            "aadProfile": {"managed": True, "enableAzureRBAC": False, "tenantID": TENANT},
            "oidcIssuerProfile": {"enabled": True, "issuerURL": given.get("issuer", "")},
            **given.get("properties", {}),
        },
    }  # fmt: skip
    state.clusters[path.lower()] = (body, given.get("kubeconfig", ""))
    return {"id": path}
