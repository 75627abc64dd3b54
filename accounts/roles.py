"""Permissions and the built-in roles that hold them."""

from collections.abc import Iterable
from enum import StrEnum

from django.db import models


class Permission(StrEnum):
    """One allowed act, written `resource:act`."""

    ORGANIZATION_VIEW = "organization:view"
    MEMBER_VIEW = "member:view"
    AUDIT_VIEW = "audit:view"
    CREDENTIAL_VIEW = "credential:view"
    CREDENTIAL_MANAGE = "credential:manage"
    CLUSTER_VIEW = "cluster:view"
    CLUSTER_MANAGE = "cluster:manage"
    ACCESS_VIEW = "access:view"
    ACCESS_MANAGE = "access:manage"
    SECRET_BROWSE = "secret:browse"
    SECRET_WRITE = "secret:write"
    EXTERNAL_SECRET_VIEW = "external_secret:view"
    EXTERNAL_SECRET_MANAGE = "external_secret:manage"
    DEPLOY_VIEW = "deploy:view"
    DEPLOY_RUN = "deploy:run"
    MEMBER_MANAGE = "member:manage"
    ROLE_MANAGE = "role:manage"
    TOKEN_MANAGE = "token:manage"
    AUDIT_MANAGE = "audit:manage"
    NOTIFICATION_MANAGE = "notification:manage"
    ORGANIZATION_MANAGE = "organization:manage"

    @property
    def sentence(self) -> str:
        """The act in words, for the role matrix and for refusals."""
        return SENTENCES[self]


SENTENCES: dict[Permission, str] = {
    Permission.ORGANIZATION_VIEW: "See the organization",
    Permission.MEMBER_VIEW: "See members and roles",
    Permission.AUDIT_VIEW: "Review the audit log",
    Permission.CREDENTIAL_VIEW: "See cloud credentials",
    Permission.CREDENTIAL_MANAGE: "Add, change and remove cloud credentials",
    Permission.CLUSTER_VIEW: "See clusters and services",
    Permission.CLUSTER_MANAGE: "Connect, change and remove clusters",
    Permission.ACCESS_VIEW: "See secret manager accesses",
    Permission.ACCESS_MANAGE: "Add, change and remove secret manager accesses",
    Permission.SECRET_BROWSE: "Browse the names of secrets",
    Permission.SECRET_WRITE: "Create, change, delete and restore secrets in secret managers",
    Permission.EXTERNAL_SECRET_VIEW: "See which secrets a service uses",
    Permission.EXTERNAL_SECRET_MANAGE: "Link secrets to services and remove links",
    Permission.DEPLOY_VIEW: "See deploys and their logs",
    Permission.DEPLOY_RUN: "Deploy a cluster",
    Permission.MEMBER_MANAGE: "Invite, change and remove members",
    Permission.ROLE_MANAGE: "Make, change and remove custom roles",
    Permission.TOKEN_MANAGE: "Make and revoke the organization's API tokens",
    Permission.AUDIT_MANAGE: "Set how long the audit log is kept and where it is forwarded",
    Permission.NOTIFICATION_MANAGE: "Set who is told of deploys, failures and expiring credentials",
    Permission.ORGANIZATION_MANAGE: "Change, hand over and delete the organization, and how its members sign in",
}

# What a role that is limited to clusters may hold: everything else concerns the whole organization.
OF_A_CLUSTER = frozenset(
    {
        Permission.CLUSTER_VIEW,
        Permission.CLUSTER_MANAGE,
        Permission.ACCESS_VIEW,
        Permission.ACCESS_MANAGE,
        Permission.SECRET_BROWSE,
        Permission.SECRET_WRITE,
        Permission.EXTERNAL_SECRET_VIEW,
        Permission.EXTERNAL_SECRET_MANAGE,
        Permission.DEPLOY_VIEW,
        Permission.DEPLOY_RUN,
    }
)
# What a role that is limited to namespaces, or to names of secrets, may hold: a deploy and its log, an access and a
# cluster's settings concern every namespace.
OF_A_NAMESPACE = frozenset(
    {
        Permission.CLUSTER_VIEW,
        Permission.SECRET_BROWSE,
        Permission.SECRET_WRITE,
        Permission.EXTERNAL_SECRET_VIEW,
        Permission.EXTERNAL_SECRET_MANAGE,
    }
)


# How permissions are grouped where people read or choose them.
GROUPS: tuple[tuple[str, tuple[Permission, ...]], ...] = (
    (
        "Clusters and deploys",
        (
            Permission.CLUSTER_VIEW,
            Permission.CLUSTER_MANAGE,
            Permission.DEPLOY_VIEW,
            Permission.DEPLOY_RUN,
        ),
    ),
    (
        "Secrets",
        (
            Permission.ACCESS_VIEW,
            Permission.ACCESS_MANAGE,
            Permission.SECRET_BROWSE,
            Permission.SECRET_WRITE,
            Permission.EXTERNAL_SECRET_VIEW,
            Permission.EXTERNAL_SECRET_MANAGE,
        ),
    ),
    ("Cloud credentials", (Permission.CREDENTIAL_VIEW, Permission.CREDENTIAL_MANAGE)),
    (
        "People and API tokens",
        (
            Permission.MEMBER_VIEW,
            Permission.MEMBER_MANAGE,
            Permission.ROLE_MANAGE,
            Permission.TOKEN_MANAGE,
        ),
    ),
    (
        "Organization",
        (
            Permission.ORGANIZATION_VIEW,
            Permission.AUDIT_VIEW,
            Permission.AUDIT_MANAGE,
            Permission.NOTIFICATION_MANAGE,
            Permission.ORGANIZATION_MANAGE,
        ),
    ),
)

# What a custom role that holds one permission holds too: nobody changes what they cannot see.
INCLUDES: dict[Permission, frozenset[Permission]] = {
    Permission.CLUSTER_MANAGE: frozenset({Permission.CLUSTER_VIEW}),
    Permission.DEPLOY_VIEW: frozenset({Permission.CLUSTER_VIEW}),
    Permission.DEPLOY_RUN: frozenset({Permission.CLUSTER_VIEW, Permission.DEPLOY_VIEW}),
    Permission.ACCESS_VIEW: frozenset({Permission.CLUSTER_VIEW}),
    Permission.ACCESS_MANAGE: frozenset({Permission.CLUSTER_VIEW, Permission.ACCESS_VIEW}),
    Permission.SECRET_BROWSE: frozenset({Permission.CLUSTER_VIEW}),
    Permission.SECRET_WRITE: frozenset({Permission.CLUSTER_VIEW, Permission.SECRET_BROWSE}),
    Permission.EXTERNAL_SECRET_VIEW: frozenset({Permission.CLUSTER_VIEW}),
    Permission.EXTERNAL_SECRET_MANAGE: frozenset({Permission.CLUSTER_VIEW, Permission.EXTERNAL_SECRET_VIEW}),
    Permission.CREDENTIAL_MANAGE: frozenset({Permission.CREDENTIAL_VIEW}),
    Permission.MEMBER_MANAGE: frozenset({Permission.MEMBER_VIEW}),
    Permission.ROLE_MANAGE: frozenset({Permission.MEMBER_VIEW}),
    Permission.AUDIT_MANAGE: frozenset({Permission.AUDIT_VIEW}),
}


class Role(models.TextChoices):
    """The built-in roles. The stored value is the short word, so that a label can change."""

    OWNER = "owner", "Owner"
    ADMIN = "admin", "Admin"
    DEVOPS = "devops", "DevOps"
    AUDITOR = "auditor", "Auditor"
    VIEWER = "viewer", "Viewer"


_VIEW = frozenset(
    {
        Permission.ORGANIZATION_VIEW,
        Permission.CREDENTIAL_VIEW,
        Permission.CLUSTER_VIEW,
        Permission.ACCESS_VIEW,
        Permission.EXTERNAL_SECRET_VIEW,
        Permission.DEPLOY_VIEW,
        Permission.MEMBER_VIEW,
    }
)

PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.OWNER: frozenset(Permission),
    Role.ADMIN: frozenset(Permission) - {Permission.ORGANIZATION_MANAGE},
    Role.DEVOPS: _VIEW
    | {
        Permission.CREDENTIAL_MANAGE,
        Permission.CLUSTER_MANAGE,
        Permission.ACCESS_MANAGE,
        Permission.SECRET_BROWSE,
        Permission.SECRET_WRITE,
        Permission.EXTERNAL_SECRET_MANAGE,
        Permission.DEPLOY_RUN,
    },
    Role.AUDITOR: _VIEW | {Permission.AUDIT_VIEW},
    Role.VIEWER: _VIEW,
}


# What follows from having a role, in a line.
CONSEQUENCES: dict[Role, str] = {
    Role.OWNER: "Everything, also handing over and deleting the organization",
    Role.ADMIN: "Everything but handing over and deleting the organization",
    Role.DEVOPS: "Connects clusters, links secrets and deploys; sees the team",
    Role.AUDITOR: "Sees everything but names of secrets, and reviews the audit log",
    Role.VIEWER: "Sees clusters, accesses, links and deploys; changes nothing",
}


def in_order(roles: Iterable[str]) -> list[Role]:
    """Return the built-in roles among some words, strongest first, each once."""
    given = set(roles)
    return [role for role in Role if role in given]


def allows(role: str, permission: Permission) -> bool:
    """Tell whether a role holds a permission; an unknown role holds none."""
    return role in Role.values and permission in PERMISSIONS[Role(role)]


def who_may(permission: Permission) -> list[str]:
    """Return the labels of the roles that hold a permission, strongest first."""
    return [str(role.label) for role in Role if permission in PERMISSIONS[role]]
