"""What lets the service principal into an AKS cluster, as steps for a person, and why a cluster refuses its token."""

import re
import shlex

from credentials.clouds import admitting
from credentials.clouds.base import Card, Facts, Found, Listing, Obstacle

# Who says what may be done in a cluster: Azure and then the cluster's own bindings, or those alone.
AZURE, KUBERNETES = "azure", "kubernetes"
_USER, _ADMIN = (
    "Azure Kubernetes Service Cluster User Role",
    "Azure Kubernetes Service RBAC Cluster Admin",
)
# Our own manifest of the least that deploys need (clusters/joining).
_DOCS = (
    "Kubernetes RBAC with Entra ID, in the AKS documentation",
    "https://learn.microsoft.com/azure/aks/azure-ad-rbac",
)


def admission(facts: Facts, found: Found) -> tuple[Card, ...]:
    """Return the steps by which somebody who manages a cluster lets the identity in."""
    scope = found.locator.get("id", "")
    first, second = _read(facts, scope), _bind(facts, scope)
    return (first, second, _assign(facts, scope)) if found.facts.get("decides") == AZURE else (first, second)


def _read(facts: Facts, scope: str) -> Card:
    return Card(
        "Let the identity read where the cluster answers",
        "The role that the credential's page shows has it for the whole subscription. Where that was not assigned, this "
        "role has it for one cluster; it gives no right inside of it.",
        (Listing("Command", _assigned(_USER, facts, scope)),),
    )


def _bind(facts: Facts, scope: str) -> Card:
    parts = re.search(r"/resourceGroups/([^/]+)/.+/([^/]+)$", scope, re.IGNORECASE)
    group, name = parts.groups() if parts else ("RESOURCE_GROUP", "CLUSTER")
    subscription = shlex.quote(facts.get("subscription", ""))
    kubectl = (
        f"az aks get-credentials --resource-group {shlex.quote(group)} --name {shlex.quote(name)} \\\n"
        f"  --subscription {subscription} && kubelogin convert-kubeconfig -l azurecli"
    )
    return Card(
        "Say what it may do in the cluster",
        "Keyhaven's manifest gives it what deploys need and no more, each rule with its reason. The cluster knows it by its "
        "object ID, not by its client ID. Apply it as somebody who manages the cluster.",
        (
            Listing("Sign kubectl in, as somebody who manages the cluster", kubectl),
            Listing("Apply the manifest", _apply(facts)),
        ),
        _DOCS,
    )


def _apply(facts: Facts) -> str:
    if facts.get("object"):
        return admitting.apply(user=facts["object"])
    return _looked_up(facts) + admitting.apply_for_word("user", "$OBJECT_ID")


def _assign(facts: Facts, scope: str) -> Card:
    return Card(
        "Or let Azure say what it may do",
        "This cluster asks Azure first (Azure RBAC). Azure has no smaller role of its own that may install the operator. "
        "A new assignment works after some minutes.",
        (Listing("Instead, everything, by a role of Azure", _assigned(_ADMIN, facts, scope)),),
    )


def _assigned(role: str, facts: Facts, scope: str) -> str:
    return "\n".join(
        [
            f"{_looked_up(facts)}az role assignment create --role {shlex.quote(role)} \\",
            f"  --assignee-object-id {_principal(facts)} --assignee-principal-type ServicePrincipal \\",
            f"  --scope {shlex.quote(scope)}",
        ]
    )


def _principal(facts: Facts) -> str:
    """Return the service principal's object ID for a shell, which looks it up where the console does not know it."""
    return shlex.quote(facts["object"]) if facts.get("object") else '"$OBJECT_ID"'


def _looked_up(facts: Facts) -> str:
    if facts.get("object"):
        return ""
    return f"OBJECT_ID=$(az ad sp show --id {shlex.quote(facts.get('client', ''))} --query id -o tsv)\n"


def refused(facts: Facts, locator: dict[str, str]) -> Obstacle:
    """Return why a cluster refuses a good token of the identity."""
    name = locator.get("id", "").rpartition("/")[2]
    return Obstacle(
        f"The cluster {name} does not take tokens of the tenant {facts.get('tenant', '')}.",
        "Check at Azure that the cluster still signs in with Entra ID, and with this tenant; or give it a kubeconfig.",
    )
