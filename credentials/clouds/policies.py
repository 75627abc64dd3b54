"""The least that the console's own identities need, as exact text to copy."""

import json

from credentials.clouds import aws

# What the console makes in an account begins with this, and it may change nothing else there.
PREFIX = "keyhaven-"

_PROVIDERS = (
    "iam:CreateOpenIDConnectProvider",
    "iam:GetOpenIDConnectProvider",
    "iam:AddClientIDToOpenIDConnectProvider",
    "iam:TagOpenIDConnectProvider",
)
_ROLES = (
    "iam:CreateRole",
    "iam:GetRole",
    "iam:TagRole",
    "iam:UpdateAssumeRolePolicy",
    "iam:PutRolePolicy",
    "iam:GetRolePolicy",
    "iam:ListRolePolicies",
    "iam:ListAttachedRolePolicies",
    "iam:DeleteRolePolicy",
    "iam:DeleteRole",
)


def for_aws(account: str, partition: str = "aws") -> str:
    """Return the IAM policy with which the console makes and checks roles in an account.

    STS tells everybody who they are, so that sts:GetCallerIdentity needs no statement.
    """
    iam = f"arn:{partition}:iam::{account}"
    return aws.policy(
        {
            "Sid": "FindIssuers",
            "Effect": "Allow",
            "Action": ["iam:ListOpenIDConnectProviders"],
            "Resource": "*",
        },
        {
            "Sid": "TrustIssuers",
            "Effect": "Allow",
            "Action": list(_PROVIDERS),
            "Resource": f"{iam}:oidc-provider/*",
        },
        {"Sid": "OwnRoles", "Effect": "Allow", "Action": list(_ROLES), "Resource": f"{iam}:role/{PREFIX}*"},
        {
            "Sid": "CheckPermissions",
            "Effect": "Allow",
            "Action": ["iam:SimulatePrincipalPolicy"],
            "Resource": [f"{iam}:role/*", f"{iam}:user/*"],
        },
    )


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
