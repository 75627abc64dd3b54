"""What lets the service principal into an AKS cluster, as cards."""

import shlex

from credentials.clouds.base import Card, Facts, Found, Listing

_USER, _ADMIN = (
    "Azure Kubernetes Service Cluster User Role",
    "Azure Kubernetes Service RBAC Cluster Admin",
)


def admission(facts: Facts, found: Found) -> tuple[Card, ...]:
    """Return the steps for one cluster: where it answers, then what may be done in it, in one of two ways."""
    scope, who = found.locator.get("id", ""), facts.get("object", "")
    find_out = (
        "" if who else f"OBJECT_ID=$(az ad sp show --id {shlex.quote(facts['client'])} --query id -o tsv)\n"
    )
    principal = shlex.quote(who) if who else '"$OBJECT_ID"'
    return (
        Card(
            "Let it read where the cluster answers",
            f"The role that this credential's page shows is enough. Without it, assign {_USER} on the cluster.",
            (Listing("the role assignment", find_out + _assigned(_USER, principal, scope)),),
        ),
        Card(
            "See how the cluster decides what may be done",
            "With true, the cluster asks Azure: take the third step. With nothing or false, it asks its own role "
            "bindings: take the fourth.",
            (
                Listing(
                    "the question",
                    f"az aks show --ids {shlex.quote(scope)} --query aadProfile.enableAzureRBAC -o tsv",
                ),
            ),
        ),
        Card(
            "With Azure RBAC: assign a role on the cluster",
            "Azure has no smaller role of its own that may install the operator. A new assignment works after some "
            "minutes.",
            (Listing("the role assignment", find_out + _assigned(_ADMIN, principal, scope)),),
        ),
        Card(
            "With Kubernetes RBAC: bind the service principal's object ID",
            "Its name in the cluster is its object ID, not its client ID. Run this with a kubeconfig of an "
            "administrator; in place of cluster-admin, a ClusterRole with the least rights does.",
            (
                Listing(
                    "the binding",
                    f"{find_out}kubectl create clusterrolebinding keyhaven --clusterrole=cluster-admin --user={principal}",
                ),
            ),
        ),
    )


def _assigned(role: str, principal: str, scope: str) -> str:
    return "\n".join(
        [
            f"az role assignment create --role {shlex.quote(role)} \\",
            f"  --assignee-object-id {principal} --assignee-principal-type ServicePrincipal \\",
            f"  --scope {shlex.quote(scope)}",
        ]
    )
