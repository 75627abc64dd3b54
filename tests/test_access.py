"""Every page × every role × an outsider × a stranger. A page that is not in the table fails the build."""

import pytest

from accounts import roles
from accounts.audit import services as audit
from accounts.models import AuditEvent
from accounts.roles import Permission as P
from accounts.roles import Role
from tests import factories
from tests.world import PAGES, PERSONAL, TOKENS, VIEWS, ask

pytestmark = pytest.mark.django_db


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
    if allowed and name not in PERSONAL:
        assert status != 404


@pytest.mark.parametrize("name", sorted(PERSONAL - TOKENS))
def test_a_draft_is_seen_by_the_one_who_began_it(world, owner, admin, client, name):
    """It holds a credential that was just typed."""
    url = world.url(name)
    client.force_login(admin)
    others = ask(client, name, url)
    client.force_login(owner)

    assert others == 404
    assert ask(client, name, url) < 400


def test_an_unknown_role_may_nothing(organization):
    assert not any(roles.allows("emperor", permission) for permission in P)
    assert not any(roles.allows("", permission) for permission in P)


def test_another_organizations_objects_are_not_found(world, organization, outsider, client):
    """The slug is the outsider's own; the ids are Acme's."""
    client.force_login(outsider)
    statuses = {}
    for name in PAGES:
        # Events are numbered anew in each organization: the next test. A kind's policy is nobody's object.
        others = {"accounts:audit_event", "credentials:download"}
        if VIEWS[name].pattern.converters and name not in others:
            url = world.url(name).replace("/o/acme/", "/o/globex/")
            statuses[name] = ask(client, name, url)

    assert {name: status for name, status in statuses.items() if status != 404} == {}


def test_an_events_number_is_of_ones_own_organization(world, organization, outsider, client):
    """The same number is another event in each organization, and none where there are fewer."""
    client.force_login(outsider)
    globex = outsider.memberships.get().organization
    url = world.url("accounts:audit_event").replace("/o/acme/", "/o/globex/")
    number = AuditEvent.objects.owned_by(organization).get(action="cluster.connected").sequence

    for _ in range(number - AuditEvent.objects.owned_by(globex).count()):
        assert client.get(url).status_code == 404
        audit.record(organization=globex, by=outsider, action="organization.created", target=globex)
    page = client.get(url)

    assert page.status_code == 200
    assert page.context["event"].organization_id == globex.pk
    assert "cluster.connected" not in page.content.decode()


WRITING = sorted(name for name in PAGES if "POST" in VIEWS[name].callback.methods)


@pytest.mark.parametrize("name", WRITING)
def test_a_form_is_refused_as_its_page_is(name, world, client, outsider, viewer):
    client.force_login(outsider)
    from_outside = client.post(world.url(name)).status_code
    client.force_login(viewer)
    from_a_viewer = client.post(world.url(name)).status_code

    assert from_outside == 404
    assert from_a_viewer == 403 or roles.allows(Role.VIEWER, PAGES[name])
