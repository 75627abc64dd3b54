"""The pages of what events of people are about: members, roles, API tokens and destinations."""

from typing import Any

from accounts.audit.objects import Kind
from accounts.roles import Permission


def _member(membership: str) -> tuple[str, dict[str, Any]]:
    return "accounts:member", {"membership": membership}


def _role(role: str) -> tuple[str, dict[str, Any]]:
    return "accounts:role", {"role": role}


def _token(token: str) -> tuple[str, dict[str, Any]]:
    return "accounts:token", {"token": token}


def _destination(destination: str) -> tuple[str, dict[str, Any]]:
    return "accounts:notification", {"destination": destination}


KINDS = (
    Kind("accounts.Membership", Permission.MEMBER_VIEW, ("pk",), _member),
    Kind("accounts.CustomRole", Permission.ROLE_MANAGE, ("pk",), _role),
    Kind("accounts.ApiToken", Permission.TOKEN_MANAGE, ("pk",), _token),
    Kind("accounts.Destination", Permission.NOTIFICATION_MANAGE, ("pk",), _destination),
)
