"""The pages that “Go to…” knows and the navigation does not name: what is behind its tabs, and one's own account."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from accounts.roles import Permission

# (label, where, icon, url name, permission)
_OF_ORGANIZATION = (
    ("Browse secrets", "Secrets", "key-round", "external_secrets:browse", Permission.SECRET_BROWSE),
    ("Roles", "Team and roles", "id-card", "accounts:roles", Permission.MEMBER_VIEW),
    ("Who may", "Team and roles", "list-checks", "accounts:who_may", Permission.MEMBER_VIEW),
    ("Invite", "Team and roles", "user-plus", "accounts:invite", Permission.MEMBER_MANAGE),
    ("Signing in", "Settings", "log-in", "accounts:sign_in_rules", Permission.ORGANIZATION_MANAGE),
    ("Built-in store", "Settings", "key-round", "built_in:settings", Permission.ORGANIZATION_MANAGE),
    ("Default tags", "Settings", "list-checks", "accounts:default_tags", Permission.ORGANIZATION_MANAGE),
    ("API tokens", "Settings", "terminal", "accounts:tokens", Permission.ORGANIZATION_VIEW),
    ("Notifications", "Settings", "bell", "accounts:notifications", Permission.CLUSTER_VIEW),
    ("Audit log settings", "Settings", "scroll-text", "accounts:audit_settings", Permission.AUDIT_MANAGE),
)
_OWN = (
    ("Your account", "account_profile"),
    ("Password", "account_change_password"),
    ("Second factors", "account_factors"),
    ("Sessions", "account_sessions"),
)


def found(request: HttpRequest, org: str, typed: str) -> list[dict[str, Any]]:
    """Return those whose name, or whose section, holds what was typed; none before anything is typed."""
    if not typed:
        return []
    named = [
        {"label": label, "hint": where, "url": reverse(name, kwargs={"org": org}), "icon": icon}
        for label, where, icon, name, permission in _OF_ORGANIZATION
        if request.allows(permission)  # type: ignore[attr-defined]
    ]
    named += [
        {"label": label, "hint": "Your account", "url": reverse(name), "icon": "circle-user"}
        for label, name in _OWN
    ]
    return [one for one in named if typed in f"{one['label']} {one['hint']}".lower()]
