"""The least that the console's own identities need, as exact text to copy."""

import json
from typing import Any

from credentials.clouds import aws

# What the console makes in an account begins with this, and it may change nothing else there.
PREFIX = "keyhaven-"

_PROVIDERS = (
    "iam:CreateOpenIDConnectProvider",
    "iam:TagOpenIDConnectProvider",
    "iam:GetOpenIDConnectProvider",
    "iam:AddClientIDToOpenIDConnectProvider",
    "iam:DeleteOpenIDConnectProvider",
)
_ROLES = (
    "iam:CreateRole",
    "iam:TagRole",
    "iam:GetRole",
    "iam:UpdateAssumeRolePolicy",
    "iam:PutRolePolicy",
    "iam:GetRolePolicy",
    "iam:ListRolePolicies",
    "iam:ListAttachedRolePolicies",
    "iam:DeleteRolePolicy",
    "iam:DeleteRole",
)


def for_aws(account: str, partition: str = "aws") -> str:
    """Return the IAM policy with which the console makes, checks and removes roles in an account.

    AWS tells everybody who they are, so that sts:GetCallerIdentity needs no statement.
    """
    iam = f"arn:{partition}:iam::{account}"
    return aws.policy(
        _allow("TrustIssuers", _PROVIDERS, f"{iam}:oidc-provider/*"),
        _allow("OwnRoles", _ROLES, f"{iam}:role/{PREFIX}*"),
        # Whether another role needs an issuer is looked up before it is removed; AWS lists all roles or none.
        _allow("WhoTrustsAnIssuer", ("iam:ListRoles",), "*"),
        _allow("CheckPermissions", ("iam:SimulatePrincipalPolicy",), f"{iam}:role/*", f"{iam}:user/*"),
    )


def _allow(sid: str, actions: tuple[str, ...], *resources: str) -> dict[str, Any]:
    on: Any = list(resources) if len(resources) > 1 else resources[0]
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": on}


def for_google(project: str) -> str:
    """Return a custom role of a project, as `gcloud iam roles create --file` takes it."""
    return json.dumps(
        {
            "title": "Keyhaven",
            "description": f"Makes and checks the service accounts of clusters in {project}.",
            "stage": "GA",
            "includedPermissions": [
                "iam.serviceAccounts.create",
                "iam.serviceAccounts.delete",
                "iam.serviceAccounts.get",
                "iam.serviceAccounts.getIamPolicy",
                "iam.serviceAccounts.setIamPolicy",
                "resourcemanager.projects.get",
                "resourcemanager.projects.getIamPolicy",
                "resourcemanager.projects.setIamPolicy",
            ],
        },
        indent=2,
    )
