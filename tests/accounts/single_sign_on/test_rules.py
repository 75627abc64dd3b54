"""What an organization asks of its members' signing in, at each request."""

from typing import Any

import pytest
from allauth.mfa.models import Authenticator

from accounts.models import IdentityProvider, Membership
from tests import factories


@pytest.fixture
def required(organization: Any, provider: Any) -> Any:
    """Acme asks for single sign-on."""
    organization.sso_required = True
    organization.save()
    return organization


@pytest.fixture
def factor_required(organization: Any, provider: Any) -> Any:
    """Acme asks for a second factor."""
    organization.second_factor_required = True
    organization.save()
    return organization


def looks(browser: Any, **headers: str) -> Any:
    return browser.client.get("/o/acme/clusters/", headers=headers)


def test_without_rules_a_password_is_enough(provider, jo, browser):
    browser.client.force_login(jo)

    assert looks(browser).status_code == 200


def test_a_member_with_a_password_is_led_to_single_sign_on(required, jo, browser):
    browser.client.force_login(jo)

    answer = looks(browser)
    page = browser.client.get(answer.headers["Location"]).content.decode()

    assert answer.headers["Location"] == "/sso/acme/needed/?next=%2Fo%2Facme%2Fclusters%2F"
    assert "Acme asks for single sign-on" in page
    assert "/sso/acme/?next=" in page


def test_htmx_is_led_there_too(required, jo, browser):
    browser.client.force_login(jo)

    answer = looks(browser, **{"HX-Request": "true"})

    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"].startswith("/sso/acme/needed/")


def test_a_form_is_not_taken_either(required, organization, admin, browser):
    browser.client.force_login(admin)

    answer = browser.client.post("/o/acme/clusters/connect/kubeconfig/", {"kubeconfig": "x"})

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/sso/acme/needed/")


def test_who_came_in_by_the_provider_may_go_on(required, issuer, jo, browser):
    browser.enter(issuer, "jo")

    assert looks(browser).status_code == 200


def test_the_proof_of_another_organization_is_none(required, other_issuer, jo, browser):
    globex = factories.make_organization(name="Globex", slug="globex")
    factories.make_identity_provider(
        organization=globex,
        issuer=other_issuer.url,
        client_secret=other_issuer.state.client_secret,
        domains=["globex.example"],
    )
    Membership.objects.create(organization=globex, user=jo, roles=["viewer"])
    factories.make_identity(organization=globex, user=jo, issuer=other_issuer.url, subject="sub-jo")
    other_issuer.state.people["jo"]["email"] = "jo@globex.example"
    browser.client.force_login(jo)

    browser.enter(other_issuer, "jo", slug="globex")

    assert looks(browser).headers["Location"].startswith("/sso/acme/needed/")


def test_an_owner_comes_in_with_a_second_factor(required, owner, browser):
    """So that a broken provider locks nobody out for good."""
    browser.client.force_login(owner)
    without = looks(browser).status_code
    browser.show_factor(owner)

    assert without == 302
    assert looks(browser).status_code == 200


def test_a_member_with_a_second_factor_does_not(required, jo, browser):
    browser.client.force_login(jo)
    browser.show_factor(jo)

    assert looks(browser).status_code == 302


def test_a_second_factor_of_somebody_else_is_none(required, owner, jo, browser):
    browser.client.force_login(owner)
    browser.show_factor(jo)

    assert looks(browser).status_code == 302


def test_without_a_second_factor_it_is_asked_for(factor_required, jo, browser):
    browser.client.force_login(jo)

    answer = looks(browser)
    part = looks(browser, **{"HX-Request": "true"})

    assert answer.status_code == 302
    assert "next=%2Fo%2Facme%2Fclusters%2F" in answer.headers["Location"]
    assert not answer.headers["Location"].startswith("/o/")
    assert (part.status_code, "HX-Redirect" in part.headers) == (401, True)


def test_who_removes_the_second_factor_is_asked_for_another(factor_required, jo, browser):
    browser.client.force_login(jo)
    browser.show_factor(jo)
    before = browser.client.get("/o/acme/clusters/").status_code
    Authenticator.objects.filter(user=jo).delete()

    answer = browser.client.get("/o/acme/clusters/")

    assert before == 200
    assert answer.headers["Location"].startswith("/account/second-factors/")


def test_with_a_second_factor_one_goes_on(factor_required, jo, browser):
    browser.client.force_login(jo)
    browser.show_factor(jo)

    assert looks(browser).status_code == 200


@pytest.mark.parametrize(
    ("amr", "enough"),
    [
        (["pwd", "otp"], True),
        (["mfa"], True),
        (["hwk"], True),
        (["pwd"], False),
        ([], False),
        (None, False),
        ("mfa", False),
    ],
)
def test_the_provider_says_whether_there_was_one(amr, enough, factor_required, issuer, jo, browser):
    issuer.state.people["jo"]["amr"] = amr
    browser.enter(issuer, "jo")

    answer = looks(browser)

    assert answer.status_code == (200 if enough else 302)
    if not enough:
        page = browser.client.get(answer.headers["Location"]).content.decode()
        assert "A second factor is missing" in page


def test_or_is_trusted_to_ask_for_one(factor_required, issuer, provider, jo, browser):
    issuer.state.people["jo"]["amr"] = None
    browser.enter(issuer, "jo")
    before = looks(browser).status_code

    IdentityProvider.objects.filter(pk=provider.pk).update(trusted_for_second_factor=True)

    assert (before, looks(browser).status_code) == (302, 200)


def test_a_rule_holds_from_the_next_click_on(provider, organization, jo, browser):
    browser.client.force_login(jo)
    before = looks(browser).status_code
    organization.sso_required = True
    organization.save()

    assert (before, looks(browser).status_code) == (200, 302)


@pytest.mark.parametrize("url", ["/sso/acme/needed/", "/sso/acme/again/", "/sso/nobody/needed/"])
def test_what_an_organization_asks_for_is_told_to_its_members_alone(url, required, outsider, browser):
    as_stranger = browser.client.get(url).status_code
    browser.client.force_login(outsider)

    assert (as_stranger, browser.client.get(url).status_code) == (404, 404)
