"""What the shell of every page needs: the organization, the navigation, the theme."""

from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from accounts.models import Organization, User
from accounts.organizations import entering
from accounts.roles import Permission
from accounts.sign_in import sudo
from accounts.single_sign_on import sessions
from config import theme

# (label, icon, url name, permission, group, the url names' prefixes that make it current)
NAVIGATION = (
    ("Clusters", "server", "clusters:index", Permission.CLUSTER_VIEW, "", ("clusters:", "accesses:")),
    ("Deploys", "rocket", "clusters:all_deploys", Permission.DEPLOY_VIEW, "", ("clusters:all_deploys",)),
    (
        "Secrets",
        "key-round",
        "external_secrets:linked",
        Permission.EXTERNAL_SECRET_VIEW,
        "",
        ("external_secrets:",),
    ),
    (
        "Credentials",
        "id-card",
        "credentials:index",
        Permission.CREDENTIAL_VIEW,
        "",
        ("credentials:", "clusters:rotat"),
    ),
    (
        "Team and roles",
        "users",
        "accounts:team",
        Permission.MEMBER_VIEW,
        "Organization",
        ("accounts:team", "accounts:member", "accounts:who_may", "accounts:invit", "accounts:role"),
    ),
    (
        "Audit log",
        "scroll-text",
        "accounts:audit",
        Permission.AUDIT_VIEW,
        "Organization",
        ("accounts:audit",),
    ),
    (
        "Settings",
        "settings",
        "accounts:settings",
        Permission.ORGANIZATION_VIEW,
        "Organization",
        (
            "accounts:settings",
            "accounts:audit_settings",
            "accounts:default_tags",
            "accounts:rename",
            "accounts:transfer",
            "accounts:leave",
            "accounts:delete_organization",
            "accounts:sign_in_rules",
            "built_in:",
            "accounts:change_sign_in_rules",
            "accounts:test_sign_in",
            "accounts:remove_identity_provider",
            "accounts:unlink_identity",
            "accounts:token",
            "accounts:new_token",
            "accounts:rotate_token",
            "accounts:revoke_token",
            "accounts:notification",
        ),
    ),
)


def _keys() -> dict[str, str]:
    """Return the key after `g` of each entry: the first of its letters that no entry before it has."""
    taken: dict[str, str] = {}
    for label, *_ in NAVIGATION:
        taken[label] = next(letter for letter in label.lower() if letter not in taken.values())
    return taken


KEYS = _keys()


def _section(view: str) -> str:
    """Return the label of the entry that a page belongs to, by the longest beginning of its name; "" for none."""
    found = [
        (len(prefix), label)
        for label, *_, prefixes in NAVIGATION
        for prefix in prefixes
        if view.startswith(prefix)
    ]
    return max(found, default=(0, ""))[1]


def _navigation(request: HttpRequest, organization: Organization) -> list[dict[str, Any]]:
    match = request.resolver_match
    view = match.view_name if match else ""
    # What is below a cluster's address is a page of the cluster, whichever app answers it.
    section = "clusters:" if match and "cluster" in match.kwargs else view
    here = _section(section)
    entries: list[dict[str, Any]] = []
    for label, icon, name, permission, group, _ in NAVIGATION:
        if not request.allows(permission):  # type: ignore[attr-defined]
            continue
        url = reverse(name, kwargs={"org": organization.slug})
        entry = {"label": label, "icon": icon, "url": url, "current": label == here, "group": group}
        entries.append(entry | {"key": KEYS[label]})
    return entries


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return the context that base.html needs; outside an organization there is no navigation."""
    context: dict[str, Any] = {"theme": theme.chosen(request), "version": settings.VERSION}
    user = getattr(request, "user", None)
    context["sudo_until"] = sudo.until(request) if user is not None and user.is_authenticated else None
    organization = getattr(request, "organization", None)
    if organization is not None:
        context |= {
            "organization": organization,
            # Parts of pages show neither the switcher nor the navigation.
            "organizations": SimpleLazyObject(
                lambda: sessions.known(request, entering.organizations(cast(User, request.user)))
            ),
            "may_create": settings.ORGANIZATIONS_BY_ANYONE,
            "membership": request.membership,  # type: ignore[attr-defined]
            "nav": SimpleLazyObject(lambda: _navigation(request, organization)),
        }
    return context
