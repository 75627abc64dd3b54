"""The pages of people, roles, the audit log and one's account in a browser: nothing for axe to find, nothing sideways."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.audit import services as audit
from accounts.models import ApiToken, AuditView
from tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LOG = "/o/acme/audit/"
TEAM = "/o/acme/team/"
ROLES = "/o/acme/roles/"
SETTINGS = "/o/acme/settings/"
ACCOUNT = (
    "",
    "password/",
    "second-factors/",
    "second-factors/app/",
    "second-factors/passkeys/add/",
    "sessions/",
)


def people(organization: Any, owner: Any, viewer: Any) -> list[str]:
    """Make a limited role, a member, a machine and invitations of each kind, and return their pages."""
    factories.make_cluster(organization=organization, name="prod")
    limits = {"clusters": ["prod", "staging-*"], "namespaces": ["shop-*"], "prefixes": ["prod/shop/"]}
    long = "Links secrets of the shop, wherever it is deployed"
    role = factories.make_role(organization, name="Shop developer", description=long, **limits)
    membership = organization.memberships.get(user=viewer)
    membership.custom_roles.add(role)
    machine = factories.make_machine(organization, "viewer", name="pipeline")
    assert machine
    factories.make_invitation(organization, roles=["viewer", "auditor"], sent_at=timezone.now())
    factories.make_invitation(organization, email="", expires_at=timezone.now() - timedelta(days=1))
    member, one = f"{TEAM}{membership.pk}/", f"{ROLES}{role.pk}/"
    return [
        TEAM, f"{TEAM}?q=nobody", f"{TEAM}invite/", f"{TEAM}who-may/", member, f"{member}?cluster=prod&namespace=shop-1",
        f"{member}roles/", f"{member}remove/", ROLES, f"{ROLES}new/", one, f"{one}delete/",
    ]  # fmt: skip


def log(organization: Any, owner: Any) -> list[str]:
    """Write events with and without an object, one of them with a change, and return the pages of the log."""
    role = organization.custom_roles.get()
    changes = {"changes": {"permissions": [["cluster:view"], ["cluster:view", "secret:browse"]]}}
    audit.record(organization=organization, by=owner, action="role.changed", target=role, details=changes)
    event = organization.audit_events.order_by("-sequence")[0].sequence
    view = AuditView.objects.create(organization=organization, name="Roles", query="action=role.%2A")
    return [
        LOG, f"{LOG}?live=1", f"{LOG}?q=nothing-like-it", f"{LOG}?action=role.*&who=-", f"{LOG}{event}/",
        f"{LOG}views/new/?action=role.changed", f"{LOG}views/{view.pk}/", f"{SETTINGS}audit/",
    ]  # fmt: skip


@pytest.fixture
def pages(organization: Any, owner: Any, viewer: Any, client: Any) -> list[str]:
    """All of them, as an owner sees them who has just proved who it is; made before the browser's loop is there."""
    client.force_login(owner)
    session = client.session
    session["proved_at"] = time.time()
    session.save()
    found = people(organization, owner, viewer) + log(organization, owner)
    token = ApiToken.objects.get(name="pipeline")
    tokens = [f"/o/acme/tokens/{rest}" for rest in ("", "new/", f"{token.pk}/", f"{token.pk}/revoke/")]
    settings = [f"{SETTINGS}{rest}" for rest in ("", "sign-in/", "transfer/", "leave/", "delete/")]
    own = [f"/account/{rest}" for rest in ACCOUNT]
    return [*found, *tokens, *settings, *own, "/organizations/new/"]


def complaints(page: Any) -> dict[str, Any]:
    """Return what axe finds on a page, how far it scrolls sideways, and how many main headings are not one."""
    from axe_playwright_python.sync_playwright import Axe

    found = {
        one["id"]: [node["html"][:120] for node in one["nodes"]]
        for one in Axe().run(page).response["violations"]
    }
    over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    headings = page.locator("h1").count()
    return (
        found | ({"sideways": over} if over > 0 else {}) | ({"headings": headings} if headings != 1 else {})
    )


@pytest.mark.parametrize(("scheme", "width"), [("light", 1360), ("dark", 320)])
def test_axe_finds_nothing_and_nothing_is_sideways(pages: list[str], visit: Any, scheme: str, width: int):
    found = {}
    page = visit("/account/", signed_in=True, width=width, color_scheme=scheme)
    start = page.url.removesuffix("/account/")
    for path in pages:
        page.goto(start + path)
        assert "/accounts/" not in page.url, f"{path} asks to sign in"
        if wrong := complaints(page):
            found[path] = wrong

    assert found == {}


@pytest.mark.parametrize(("scheme", "width"), [("light", 1360), ("dark", 320)])
def test_an_opened_event_and_an_open_menu(pages: list[str], visit: Any, scheme: str, width: int):
    page = visit(f"{LOG}?action=role.changed", signed_in=True, width=width, color_scheme=scheme)
    page.locator("#event-list summary").first.click()
    page.locator("table.changes").wait_for()
    event = complaints(page)
    page.goto(page.url.replace(f"{LOG}?action=role.changed", ROLES))
    page.get_by_role("button", name="Actions for Shop developer").click()

    assert (event, complaints(page)) == ({}, {})


@pytest.fixture
def invitations(organization: Any) -> None:
    """One for an address, and one for whoever has the link."""
    factories.make_invitation(organization, "a" * 43, email="lin@example.com")
    factories.make_invitation(organization, "b" * 43, email="")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1360), ("dark", 320)])
def test_those_who_are_invited(invitations: None, visit: Any, scheme: str, width: int):
    found = {}
    for path in (f"/join/{'a' * 43}/", f"/join/{'b' * 43}/", f"/join/{'c' * 43}/"):
        page = visit(path, width=width, color_scheme=scheme)
        found |= {path: wrong} if (wrong := complaints(page)) else {}

    assert found == {}
