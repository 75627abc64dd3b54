"""The pages of API tokens: who sees which, a value that is shown once, nobody who gives more than they have."""

import re
import time
from typing import Any

import pytest
from django.test import Client

from accounts import delegation
from accounts.models import ApiToken, AuditEvent, CustomRole, Membership
from accounts.tokens import services
from tests import factories
from tests.api.conftest import Caller

pytestmark = pytest.mark.django_db
URL = "/o/acme/tokens/"


@pytest.fixture
def proven(client: Client) -> Any:
    """Return a function that signs a person in who has just proven who it is."""

    def act(user: Any) -> Client:
        client.force_login(user)
        return client

    return act


def value_in(page: Any) -> str:
    found = re.search(rb"kh[po]_[A-Za-z0-9_-]{40,}", page.content)
    assert found, page.content[:500]
    return found.group().decode()


def make(client: Client, **data: Any) -> Any:
    return client.post(f"{URL}new/", {"name": "ci", "roles": ["viewer"], "expires": "90"} | data)


def test_a_value_is_shown_once_and_kept_nowhere(organization, viewer, proven):
    client = proven(viewer)

    page = make(client)
    value = value_in(page)
    later = client.get(URL).content + client.get(f"{URL}{ApiToken.objects.get().pk}/").content

    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "no-store"
    assert value.encode() not in later
    token = ApiToken.objects.get()
    assert (token.prefix, token.digest) == (value[:10], services.digest_of(value))
    assert value not in repr(list(ApiToken.objects.values())) + repr(list(AuditEvent.objects.values()))
    assert value not in repr(dict(client.session.items()))
    assert Caller(value).get("/clusters").status_code == 200


def test_it_is_made_after_a_fresh_proof_only(organization, viewer, sign_in):
    client = sign_in(viewer)
    session = client.session
    session["proved_at"] = time.time() - 15 * 60 - 1
    session.save()

    response = make(client)

    assert response.status_code == 302
    assert "/reauthenticate/" in response.headers["Location"]
    assert not ApiToken.objects.exists()


def test_the_least_is_chosen_and_no_more_is_offered_than_is_held(organization, devops, proven):
    CustomRole.objects.create(organization=organization, name="reader", permissions=["cluster:view"])
    CustomRole.objects.create(organization=organization, name="auditors", permissions=["audit:view"])
    client = proven(devops)

    page = client.get(f"{URL}new/").content.decode()
    refused = make(client, roles=["admin"])

    refused_boxes = re.findall(r'value="([^"]+)"[^>]* disabled', page)
    assert refused_boxes[:3] == ["owner", "admin", "auditor"]
    assert len(refused_boxes) == 4
    assert re.findall(r'value="([^"]+)"[^>]* checked', page) == ["viewer"]
    assert refused.status_code == 422
    assert not ApiToken.objects.exists()


def test_a_token_of_the_organization_acts_as_a_machine(organization, admin, proven):
    client = proven(admin)

    value = value_in(make(client, kind="organization", expires="never", name="pipeline"))

    token = ApiToken.objects.get()
    assert value.startswith("kho_")
    assert (token.expires_at, token.membership.user.is_machine) == (None, True)
    Membership.objects.filter(user=admin).delete()
    assert Caller(value).get("/clusters").status_code == 200
    event = AuditEvent.objects.get(action="token.used")
    assert (event.actor_name, event.role, event.origin) == ("pipeline", "Viewer", "api")


def test_a_machine_can_not_sign_in(organization, admin, proven):
    make(proven(admin), kind="organization", name="pipeline")
    machine = ApiToken.objects.get().membership.user

    assert not machine.has_usable_password()


def test_a_personal_token_ends_and_only_managers_make_the_organizations(organization, viewer, proven):
    client = proven(viewer)

    endless = make(client, expires="never")
    for_all = make(client, kind="organization")

    assert endless.status_code == 422
    assert value_in(for_all).startswith("khp_")


def test_an_admin_gives_no_owners_role(organization, admin, proven):
    response = make(proven(admin), kind="organization", roles=["owner"])

    assert response.status_code == 422


def test_everybody_sees_their_own_and_managers_see_all(organization, viewer, admin, devops, sign_in):
    factories.make_token(viewer, organization, name="of the viewer")
    factories.make_token(devops, organization, name="of devops")
    factories.make_machine(organization, "viewer", name="of a machine")

    seen = {
        user.name: set(
            re.findall(r'class="name" href="[^"]*">([^<]+)', sign_in(user).get(URL).content.decode())
        )
        for user in (viewer, devops, admin)
    }

    assert seen == {
        viewer.name: {"of the viewer"},
        devops.name: {"of devops"},
        admin.name: {"of the viewer", "of devops", "of a machine"},
    }


def test_another_members_token_is_revoked_but_never_rotated_by_a_manager(organization, viewer, admin, proven):
    value = factories.make_token(viewer, organization)
    url, client = f"{URL}{ApiToken.objects.get().pk}/", proven(admin)

    rotated = client.post(f"{url}new-value/", {"expires": "90"})
    renamed = client.post(url, {"name": "mine"})
    before = Caller(value).get("/clusters").status_code
    revoked = client.post(f"{url}revoke/")

    assert (rotated.status_code, renamed.status_code) == (422, 422)
    assert (before, revoked.status_code) == (200, 302)
    assert Caller(value).get("/clusters").status_code == 401
    assert AuditEvent.objects.filter(action="token.revoked").count() == 1


def test_a_colleagues_token_is_not_there(organization, viewer, devops, proven):
    factories.make_token(devops, organization)
    url, client = f"{URL}{ApiToken.objects.get().pk}/", proven(viewer)

    answers = [
        client.get(url),
        client.post(f"{url}revoke/"),
        client.post(f"{url}new-value/", {"expires": "90"}),
    ]

    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert ApiToken.objects.get().revoked_at is None


def test_a_new_value_ends_the_old_one(organization, viewer, proven):
    old = factories.make_token(viewer, organization)
    client = proven(viewer)

    new = value_in(client.post(f"{URL}{ApiToken.objects.get().pk}/new-value/", {"expires": "30"}))

    assert Caller(old).get("/clusters").status_code == 401
    assert Caller(new).get("/clusters").status_code == 200
    assert AuditEvent.objects.filter(action="token.changed").count() == 1


def test_a_manager_gets_no_value_of_a_stronger_token(organization, admin, proven):
    factories.make_machine(organization, "owner")

    response = proven(admin).post(f"{URL}{ApiToken.objects.get().pk}/new-value/", {"expires": "90"})

    assert response.status_code == 422
    assert b"more than your own roles allow" in response.content
    assert not AuditEvent.objects.filter(action="token.changed").exists()


def test_a_token_is_renamed(organization, viewer, sign_in):
    factories.make_token(viewer, organization, name="old")
    url = f"{URL}{ApiToken.objects.get().pk}/"

    answers = [sign_in(viewer).post(url, {"name": name}).status_code for name in ("", "new")]

    assert answers == [422, 302]
    assert AuditEvent.objects.get().details == {"changes": {"name": ["old", "new"]}}


def test_a_value_is_long_and_not_in_a_repr(organization, viewer):
    membership = Membership.objects.get(user=viewer)
    wish = services.Wish(name="ci", roles=("viewer",))

    made = services.create(membership=membership, wish=wish, authority=membership.authority, by=viewer)

    assert re.fullmatch(r"khp_[A-Za-z0-9_-]{43}", made.value)
    assert made.value not in repr(made)
    with pytest.raises(delegation.MoreThanHeld):
        services.create(
            membership=membership,
            wish=services.Wish(name="ci", roles=("owner",)),
            authority=membership.authority,
            by=viewer,
        )
