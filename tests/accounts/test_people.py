"""Signing in, and where a person lands."""

import pytest

from tests import factories

pytestmark = pytest.mark.django_db


def login(client, email, password, **extra):
    return client.post("/accounts/login/" + extra.get("query", ""), {"login": email, "password": password})


def test_a_person_signs_in_by_email_and_lands_in_the_organization(client, admin):
    response = login(client, admin.email, factories.PASSWORD)
    home = client.get(response.headers["Location"])

    assert response.status_code == 302
    assert home.headers["Location"] == "/o/acme/clusters/"


def test_case_of_the_email_does_not_matter(client, admin):
    assert login(client, admin.email.upper(), factories.PASSWORD).status_code == 302


def test_a_wrong_password_is_said_without_telling_who_exists(client, admin):
    wrong = login(client, admin.email, "wrong")
    unknown = login(client, "nobody@example.com", "wrong")

    assert wrong.context["form"].errors == unknown.context["form"].errors
    assert wrong.context["form"].errors


def test_nobody_signs_up_alone(client):
    assert b"password1" not in client.get("/accounts/signup/").content


def test_the_way_back_is_kept_through_the_login(client, admin):
    away = client.get("/o/acme/audit/?who=x")
    back = login(
        client, admin.email, factories.PASSWORD, query=away.headers["Location"].partition("login/")[2]
    )

    assert back.headers["Location"] == "/o/acme/audit/?who=x"


def test_an_expired_session_sends_htmx_to_the_login_and_back(client, organization):
    response = client.get(
        "/o/acme/audit/",
        headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/o/acme/audit/?action=a"},
    )

    assert response.status_code == 401
    assert response.headers["HX-Redirect"] == "/accounts/login/?next=%2Fo%2Facme%2Faudit%2F%3Faction%3Da"


@pytest.mark.parametrize(
    ("referer", "way_back"),
    [
        ("http://testserver/o/acme/clusters/prod/?tab=1", "%2Fo%2Facme%2Fclusters%2Fprod%2F%3Ftab%3D1"),
        ("http://evil.example/o/acme/", "%2F"),
        ("", "%2F"),
    ],
)
def test_a_form_sent_after_the_session_expired_leads_back_to_its_page(
    client, organization, referer, way_back
):
    response = client.post("/o/acme/clusters/prod/deploy/", headers={"Referer": referer})

    assert response.headers["Location"] == f"/accounts/login/?next={way_back}"


def test_a_person_without_an_organization_is_told(client):
    client.force_login(factories.make_user())

    response = client.get("/")

    assert response.status_code == 200
    assert b"no organization" in response.content.lower() or b"not a member" in response.content.lower()


def test_the_team_page_lists_members(sign_in, viewer, owner):
    response = sign_in(viewer).get("/o/acme/team/")

    assert owner.email in response.content.decode()


@pytest.mark.parametrize("path", ["email/", "confirm-email/", "set-password/"])
def test_pages_that_are_not_offered_are_not_there(sign_in, viewer, path):
    assert sign_in(viewer).get(f"/accounts/{path}").status_code == 404


def test_a_password_reset_says_the_same_for_everybody(client, admin):
    known = client.post("/accounts/password/reset/", {"email": admin.email})
    unknown = client.post("/accounts/password/reset/", {"email": "nobody@example.com"})

    assert known.status_code == unknown.status_code == 302
    assert known.headers["Location"] == unknown.headers["Location"]
