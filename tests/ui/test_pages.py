"""Pages that belong to no app: the style guide, what allauth shows, refusals."""

import re
from pathlib import Path

import pytest
from django.template import loader

pytestmark = pytest.mark.django_db


def test_the_style_guide_renders(client):
    response = client.get("/styleguide/")

    assert response.status_code == 200
    assert len(re.findall("<h1>", response.content.decode())) == 1


def test_every_class_that_a_template_uses_is_in_the_stylesheet(project: Path):
    css = (project / "static" / "console.css").read_text()
    known = set(re.findall(r"\.([a-z][a-z0-9-]*)", css))
    used: dict[str, set[str]] = {}
    for path in (project / "templates").rglob("*.html"):
        text = re.sub(r"{%.*?%}|{{.*?}}", " ", path.read_text(), flags=re.DOTALL)
        for names in re.findall(r'\bclass="([^"]*)"', text):
            for name in names.split():
                used.setdefault(name, set()).add(path.name)

    # Endings of classes that a tag completes, and names that only tests or scripts look for.
    allowed = {"t-", "bad", "warn", "errors", "run-step"}
    assert {name: files for name, files in used.items() if name not in known | allowed} == {}


@pytest.mark.parametrize(
    "path",
    ["login/", "logout/", "signup/", "password/reset/", "reauthenticate/", "email/"],
)
def test_what_allauth_shows_looks_like_ours(client, owner, path: str):
    if path not in ("login/", "signup/", "password/reset/"):
        client.force_login(owner)

    text = client.get(f"/accounts/{path}").content.decode()

    assert 'class="signin"' in text
    assert "console.css" in text
    assert "style=" not in text


@pytest.mark.parametrize("name", ["400.html", "403.html", "403_csrf.html", "404.html", "500.html"])
def test_a_refusal_leads_back(name: str, rf):
    text = loader.get_template(name).render({}, rf.get("/"))

    assert '<a class="btn primary" href="/">' in text
    assert "<h1" in text


def test_the_page_of_a_breakdown_needs_no_tag(project: Path):
    """Whatever broke may be what a tag needs."""
    text = (project / "templates" / "500.html").read_text()

    assert set(re.findall(r"{%\s*(\w+)", text)) <= {"comment", "endcomment"}
    assert "{{" not in text


def test_members_and_roles_are_listed(sign_in, owner, viewer):
    client = sign_in(viewer)

    team, roles = client.get("/o/acme/team/").content.decode(), client.get("/o/acme/roles/").content.decode()

    assert owner.email in team
    assert team.count('<span class="tag">You</span>') == 1
    assert "Review the audit log" in roles


def test_an_event_of_the_audit_log_has_a_page_with_its_details(sign_in, owner, organization):
    from accounts.audit import services

    event = services.record(
        organization=organization,
        by=owner,
        action="cluster.connected",
        target=organization,
        details={"a": "<b>"},
    )

    text = sign_in(owner).get(f"/o/acme/audit/{event.sequence}/").content.decode()

    assert event.hash in text
    assert "&lt;b&gt;" in text


def test_the_theme_is_in_the_first_paint(client):
    client.cookies["theme"] = "dark"

    assert '<html lang="en" data-theme="dark">' in client.get("/accounts/login/").content.decode()
