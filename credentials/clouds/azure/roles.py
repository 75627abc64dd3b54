"""The least that the console's identity needs at Azure, as exact text to copy."""

import json

READING = (
    "Microsoft.Resources/subscriptions/read",
    "Microsoft.ContainerService/managedClusters/read",
)
# Where a cluster's address and CA are: what Azure hands out as a user's kubeconfig.
CONNECTING = "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action"
ACTIONS = (*READING, CONNECTING)
# How the federated credential is called in the app registration.
FEDERATED = "keyhaven"
APP = "keyhaven-console"
# Stands for a subscription that is not known yet.
UNKNOWN = "SUBSCRIPTION_ID"


def name(subscription: str) -> str:
    """Return what the custom role is called: such names are unique in a tenant, which may have many subscriptions."""
    return f"Keyhaven console {subscription[:8]}".strip()


def definition(subscription: str) -> str:
    """Return the custom role, as `az role definition create --role-definition` takes it."""
    return json.dumps(
        {
            "Name": name(subscription),
            "IsCustom": True,
            "Description": "Finds AKS clusters and reads where they answer; changes nothing.",
            "Actions": list(ACTIONS),
            "NotActions": [],
            "DataActions": [],
            "NotDataActions": [],
            "AssignableScopes": [f"/subscriptions/{subscription or UNKNOWN}"],
        },
        indent=2,
    )


def federated_credential(issuer: str, subject: str, audience: str) -> str:
    """Return the federated credential, as `az ad app federated-credential create --parameters` takes it."""
    return json.dumps(
        {"name": FEDERATED, "issuer": issuer, "subject": subject, "audiences": [audience]}, indent=2
    )
