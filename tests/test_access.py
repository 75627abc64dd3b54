"""Every page × every role × an outsider × a stranger. A page that is not in the table fails the build."""

from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse

from accesses.models import AccessDraft
from accounts import roles
from accounts.roles import Permission as P
from accounts.roles import Role
from clusters.models import Deploy
from config.urls import organization_urls
from tests import factories

pytestmark = pytest.mark.django_db

# url name → the permission that its door asks for
PAGES: dict[str, P] = {
    "palette": P.ORGANIZATION_VIEW,
    "accounts:organization": P.ORGANIZATION_VIEW,
    "accounts:team": P.MEMBER_VIEW,
    "accounts:audit": P.AUDIT_VIEW,
    "clusters:all_deploys": P.DEPLOY_VIEW,
    "clusters:deploys": P.DEPLOY_VIEW,
    "clusters:deploy": P.DEPLOY_VIEW,
    "clusters:deploy_log": P.DEPLOY_VIEW,
    "clusters:request_deploy": P.DEPLOY_RUN,
}


def walk(patterns: list[URLPattern | URLResolver], namespace: str = "") -> dict[str, URLPattern]:
    found: dict[str, URLPattern] = {}
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            found |= walk(pattern.url_patterns, inner)
        else:
            found[f"{namespace}{pattern.name}"] = pattern
    return found


VIEWS = walk(organization_urls)


@dataclass
class World:
    """One object of each kind, and the arguments that name them in URLs."""

    arguments: dict[str, Any]

    def url(self, name: str) -> str:
        wanted = set(VIEWS[name].pattern.converters)
        return reverse(name, kwargs={"org": "acme"} | {key: self.arguments[name.split(":")[0], key] for key in wanted})


@pytest.fixture
def world(organization: Any, owner: Any) -> World:
    cluster = factories.make_cluster(organization=organization, name="prod")
    service = factories.make_service(cluster=cluster, namespace="shop")
    access = factories.make_access(cluster=cluster, name="aws", namespaces=["shop"])
    link = factories.make_link(service=service, access=access)
    deploy = Deploy.objects.create(cluster=cluster, number=1, by_name="x", status="failed", finished_at=service.seen_at)
    draft = AccessDraft.objects.create(cluster=cluster, by=owner)
    everywhere = {"cluster": cluster.name}
    arguments = {("clusters", "number"): deploy.number}
    for app in ("clusters", "accesses", "external_secrets"):
        arguments |= {(app, key): value for key, value in everywhere.items()}
    arguments |= {
        ("accesses", "access"): access.name,
        ("accesses", "draft"): draft.pk,
        ("accesses", "step"): "provider",
        ("external_secrets", "service"): service.pk,
        ("external_secrets", "link"): link.pk,
        ("external_secrets", "access"): access.pk,
    }
    return World(arguments)


def ask(client: Client, name: str, url: str) -> int:
    if "GET" in VIEWS[name].callback.methods:  # type: ignore[attr-defined]
        return client.get(url).status_code
    return client.post(url).status_code


def test_every_page_is_in_the_table_with_its_permission():
    declared = {name: getattr(view.callback, "required_permission", None) for name, view in VIEWS.items()}

    assert declared == PAGES


@pytest.mark.parametrize("name", PAGES)
def test_an_outsider_sees_nothing(world, outsider, client, name):
    client.force_login(outsider)

    assert ask(client, name, world.url(name)) == 404


@pytest.mark.parametrize("name", PAGES)
def test_a_stranger_is_asked_to_sign_in(world, client, name):
    response = client.get(world.url(name))

    assert response.status_code == 302
    assert response.headers["Location"].startswith("/accounts/login/?next=")


@pytest.mark.parametrize("role", Role.values)
@pytest.mark.parametrize("name", PAGES)
def test_a_member_gets_what_the_role_allows(world, organization, client, monkeypatch, name, role):
    client.force_login(factories.make_member(organization, role))
    allowed = roles.allows(role, PAGES[name])

    status = ask(client, name, world.url(name))

    assert (status == 403) is not allowed
    assert status < 500
    if allowed and name != "accesses:wizard":
        assert status != 404


def test_an_unknown_role_may_nothing(organization):
    assert not any(roles.allows("emperor", permission) for permission in P)
    assert not any(roles.allows("", permission) for permission in P)


def test_another_organizations_objects_are_not_found(world, organization, outsider, client):
    """The slug is the outsider's own; the ids are Acme's."""
    client.force_login(outsider)
    statuses = {}
    for name in PAGES:
        if VIEWS[name].pattern.converters:
            url = world.url(name).replace("/o/acme/", "/o/globex/")
            statuses[name] = ask(client, name, url)

    assert set(statuses.values()) == {404}
