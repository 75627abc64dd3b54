"""The least that identities of the console need at AWS, as exact text to copy."""

from typing import Any

from credentials.clouds.aws import asking

type Statement = dict[str, Any]

# What the console makes in an account begins with this, and it may change nothing else there.
PREFIX = "keyhaven-"

# What stands in a trust policy until it is known who the console is.
PRINCIPAL = "CONSOLE_PRINCIPAL_ARN"

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
_KEYS = (
    "iam:ListAccessKeys",
    "iam:CreateAccessKey",
    "iam:GetAccessKeyLastUsed",
    "iam:UpdateAccessKey",
    "iam:DeleteAccessKey",
)
# What of a role changes who may use it and what it may do.
_CHANGES = ("iam:UpdateAssumeRolePolicy", "iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:DeleteRole")


def clusters(account: str, partition: str = "aws") -> list[Statement]:
    """Return what finding EKS clusters and signing in to them needs. AWS lists all clusters of a region or none."""
    return [
        _allow("FindClusters", ("eks:ListClusters",), "*"),
        _allow("DescribeClusters", ("eks:DescribeCluster",), f"arn:{partition}:eks:*:{account}:cluster/*"),
    ]


def automatic(account: str, partition: str = "aws") -> list[Statement]:
    """Return what automatic access needs: it makes, checks and removes roles of ours in an account."""
    iam = f"arn:{partition}:iam::{account}"
    return [
        _allow("TrustIssuers", _PROVIDERS, f"{iam}:oidc-provider/*"),
        _allow("OwnRoles", _ROLES, f"{iam}:role/{PREFIX}*"),
        # Whether another role needs an issuer is looked up before it is removed; AWS lists all roles or none.
        _allow("WhoTrustsAnIssuer", ("iam:ListRoles",), "*"),
        _allow("CheckPermissions", ("iam:SimulatePrincipalPolicy",), f"{iam}:role/*", f"{iam}:user/*"),
    ]


def not_itself(role_arn: str) -> Statement:
    """Return what keeps a role with our prefix from changing itself, where it may change others with it."""
    return _allow("NotItself", _CHANGES, role_arn) | {"Effect": "Deny"}


def for_aws(account: str, partition: str = "aws", role_arn: str = "") -> str:
    """Return the IAM policy of an identity that the console uses in an account.

    AWS tells everybody who they are, so that sts:GetCallerIdentity needs no statement.
    """
    own = [not_itself(role_arn)] if role_arn else []
    return asking.policy(*clusters(account, partition), *automatic(account, partition), *own)


def for_keys(user_arn: str) -> str:
    """Return what a user needs to be allowed so that the console replaces its access key: itself, and nobody else."""
    return asking.policy(_allow("OwnAccessKeys", _KEYS, user_arn))


def for_console(partition: str = "aws") -> str:
    """Return what the console's own identity needs: to assume roles of ours, of any account that trusts it."""
    return asking.policy(_allow("AssumeRoles", ("sts:AssumeRole",), f"arn:{partition}:iam::*:role/{PREFIX}*"))


def trust(principal: str, external_id: str) -> str:
    """Return the trust policy of a role that lets the console in for one organization."""
    return asking.policy(
        {
            "Effect": "Allow",
            "Principal": {"AWS": principal},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
        }
    )


def _allow(sid: str, actions: tuple[str, ...], *resources: str) -> Statement:
    on: Any = list(resources) if len(resources) > 1 else resources[0]
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": on}
