"""The page on which owners set the provider and the rules, and the way to the provider from the login page."""

from typing import Any

import pytest
from django.db import connection

from accounts.models import AuditEvent, Identity, IdentityProvider, Organization
from accounts.single_sign_on import sessions
from tests import factories

PAGE = "/o/acme/settings/sign-in/"


@pytest.fixture
def as_owner(owner: Any, browser: Any) -> Any:
    """An owner's browser that has just proved who it is."""
    browser.client.force_login(owner)
    browser.prove(owner)
    return browser


def values(running: Any, **changed: Any) -> dict[str, Any]:
    return {
        "issuer": running.url,
        "client_id": "keyhaven",
        "client_secret": running.state.client_secret,
        "domains": "acme.example",
        "default_role": "viewer",
    } | changed


def actions(organization: Any) -> list[str]:
    events = AuditEvent.objects.filter(organization=organization).order_by("sequence")
    wanted = ("identity_provider.", "sign_in_rules.")
    return [event.action for event in events if event.action.startswith(wanted)]


def test_a_provider_is_set(issuer, organization, as_owner):
    answer = as_owner.client.post(
        PAGE, values(issuer, domains="Acme.example, @shop.example\n", trusted_for_second_factor="on")
    )

    provider = IdentityProvider.objects.get(organization=organization)
    event = AuditEvent.objects.get(organization=organization, action="identity_provider.set")
    assert (answer.status_code, provider.issuer, provider.default_role) == (302, issuer.url, "viewer")
    assert provider.domain_names == ["acme.example", "shop.example"]
    assert provider.trusted_for_second_factor
    assert event.details["changes"]["issuer"] == [None, issuer.url]
    assert issuer.state.client_secret not in str(event.details)


def test_the_secret_is_stored_encrypted_and_never_shown(provider, issuer, as_owner):
    with connection.cursor() as cursor:
        cursor.execute("SELECT client_secret FROM accounts_identityprovider")
        stored = cursor.fetchone()[0]

    assert issuer.state.client_secret not in stored
    assert issuer.state.client_secret not in as_owner.client.get(PAGE).content.decode()


def test_a_blank_secret_keeps_the_stored_one(provider, issuer, as_owner):
    answer = as_owner.client.post(PAGE, values(issuer, client_secret="", default_role=""))

    provider = IdentityProvider.objects.get()
    assert (answer.status_code, provider.default_role) == (302, "")
    assert provider.client_secret == issuer.state.client_secret


@pytest.mark.parametrize("change", ["issuer", "client_id"])
def test_the_stored_secret_is_never_sent_to_another_issuer(change, provider, issuer, other_issuer, as_owner):
    to = {"issuer": other_issuer.url, "client_id": "another"}[change]

    answer = as_owner.client.post(PAGE, values(issuer, client_secret="", **{change: to}))

    assert answer.status_code == 422
    assert "the stored one belongs to" in answer.content.decode()


def test_another_issuer_ends_what_the_old_one_made(provider, issuer, other_issuer, jo, browser, as_owner):
    from tests.accounts.single_sign_on.conftest import Browser

    somebody = Browser()
    somebody.enter(issuer, "jo")
    before = somebody.client.get("/o/acme/clusters/").status_code

    as_owner.client.post(PAGE, values(other_issuer))

    assert (before, somebody.client.get("/o/acme/clusters/").status_code) == (200, 302)
    assert not Identity.objects.exists()
    assert IdentityProvider.objects.get().tested_at is None


BAD = {
    "not there": ({"issuer": "http://127.0.0.1:9"}, "does not answer"),
    "not an address": ({"issuer": "login.acme.example"}, "begins with https://"),
    "without TLS": ({"issuer": "http://10.0.0.1"}, "begins with https://"),
    "with a query": ({"issuer": "https://login.acme.example?x=1"}, "begins with https://"),
    "metadata": ({"issuer": "https://169.254.169.254"}, "link-local or metadata address"),
    "metadata by name": ({"issuer": "https://metadata.google.internal"}, "metadata service"),
    "no issuer": ({"issuer": ""}, "Enter the issuer"),
    "no client": ({"client_id": ""}, "Enter the client ID"),
    "no secret": ({"client_secret": ""}, "Enter the client secret"),
    "no domain": ({"domains": ""}, "Enter at least one domain"),
    "no real domain": ({"domains": "acme"}, "is not a domain"),
    "a hostile domain": ({"domains": "*.example"}, "is not a domain"),
    "too many domains": ({"domains": "\n".join(f"d{n}.example" for n in range(51))}, "between one and 50"),
    "an owner by default": ({"default_role": "owner"}, "owner is not one of the available choices"),
    "NUL": ({"client_id": "a\x00b"}, "Null characters are not allowed"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_said_beside_the_field(name, issuer, organization, as_owner):
    change, sentence = BAD[name]

    answer = as_owner.client.post(PAGE, values(issuer, **change))

    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert not IdentityProvider.objects.exists()


def test_an_issuer_that_calls_itself_otherwise(issuer, as_owner):
    issuer.state.faults = {"metadata": {"issuer": "https://login.elsewhere.example"}}

    answer = as_owner.client.post(PAGE, values(issuer))

    assert "calls itself another issuer" in answer.content.decode()


def test_a_server_that_is_no_issuer(issuer, as_owner):
    issuer.state.faults = {"/.well-known/openid-configuration": (200, "<html>")}

    answer = as_owner.client.post(PAGE, values(issuer))

    assert "no usable OpenID Connect description" in answer.content.decode()


def test_a_domain_of_another_organization_is_refused(issuer, as_owner):
    factories.make_identity_provider(domains=["acme.example"])

    answer = as_owner.client.post(PAGE, values(issuer))

    assert "acme.example belongs to another organization" in answer.content.decode()


def test_a_test_signs_nobody_in(provider, issuer, jo, organization, as_owner, owner):
    page = as_owner.client.post(f"{PAGE}test/").content.decode()
    url = page.partition('<a class="btn primary" href="')[2].partition('"')[0].replace("&amp;", "&")

    back = as_owner.back(issuer.choose(url, "jo"))

    assert back.headers["Location"] == PAGE
    assert as_owner.user == str(owner.pk)
    assert sessions.PROOFS not in as_owner.client.session
    assert IdentityProvider.objects.get().tested_by == str(owner)
    assert not Identity.objects.exists()
    assert actions(organization) == ["identity_provider.tested"]


def test_a_test_that_fails_says_why(provider, issuer, organization, as_owner):
    page = as_owner.client.post(f"{PAGE}test/").content.decode()
    url = page.partition('<a class="btn primary" href="')[2].partition('"')[0].replace("&amp;", "&")

    back = as_owner.back(issuer.choose(url, "eve"))

    assert back.status_code == 403
    assert "The test did not work" in back.content.decode()
    assert IdentityProvider.objects.get().tested_at is None
    assert actions(organization) == ["identity_provider.test_failed"]


def test_single_sign_on_is_required_only_once_it_was_seen_to_work(provider, organization, owner, as_owner):
    as_owner.show_factor(owner)
    untested = as_owner.client.post(f"{PAGE}rules/", {"sso_required": "on"})
    IdentityProvider.objects.update(tested_at=provider.created_at)

    answer = as_owner.client.post(f"{PAGE}rules/", {"sso_required": "on"})

    organization.refresh_from_db()
    assert (untested.status_code, answer.status_code, organization.sso_required) == (422, 302, True)
    assert actions(organization) == ["sign_in_rules.changed"]


@pytest.mark.parametrize("rule", ["sso_required", "second_factor_required"])
def test_nobody_locks_themselves_out(rule, provider, organization, as_owner):
    IdentityProvider.objects.update(tested_at=provider.created_at)

    answer = as_owner.client.post(f"{PAGE}rules/", {rule: "on"})

    assert answer.status_code == 422
    assert "You would be locked out" in answer.content.decode()
    assert not getattr(Organization.objects.get(pk=organization.pk), rule)


def test_a_second_factor_is_required(organization, owner, as_owner):
    as_owner.show_factor(owner)

    as_owner.client.post(f"{PAGE}rules/", {"second_factor_required": "on"})

    event = AuditEvent.objects.get(organization=organization, action="sign_in_rules.changed")
    assert event.details["changes"] == {"second_factor_required": [False, True]}


def test_rules_may_be_turned_off_again(provider, organization, owner, as_owner):
    Organization.objects.update(second_factor_required=True)
    as_owner.show_factor(owner)

    as_owner.client.post(f"{PAGE}rules/", {})

    assert not Organization.objects.get(pk=organization.pk).second_factor_required


def test_a_provider_that_is_required_stays(provider, issuer, other_issuer, organization, owner, as_owner):
    Organization.objects.filter(pk=organization.pk).update(sso_required=True)
    as_owner.show_factor(owner)

    removed = as_owner.client.post(f"{PAGE}remove/")
    changed = as_owner.client.post(PAGE, values(other_issuer))

    assert (removed.status_code, changed.status_code) == (422, 422)
    assert IdentityProvider.objects.get().issuer == issuer.url


def test_a_provider_is_removed(provider, organization, as_owner):
    factories.make_identity(organization=organization)

    as_owner.client.post(f"{PAGE}remove/")

    assert not IdentityProvider.objects.exists()
    assert not Identity.objects.exists()
    assert actions(organization) == ["identity_provider.removed"]


def test_a_link_is_removed_but_never_anothers(provider, organization, as_owner):
    own, foreign = factories.make_identity(organization=organization), factories.make_identity()

    as_owner.client.post(f"{PAGE}unlink/", {"identity": str(own.pk)})
    answer = as_owner.client.post(f"{PAGE}unlink/", {"identity": str(foreign.pk)})

    assert answer.status_code == 404
    assert list(Identity.objects.all()) == [foreign]


def test_who_would_be_affected_is_said(provider, organization, jo, as_owner):
    page = as_owner.client.get(PAGE).content.decode()

    assert "1 member has an address outside of its domains" in page
    assert "2 of 2 members have no second factor of their own" in page


@pytest.mark.parametrize("typed", ["jo@acme.example", "stranger@acme.example", "acme", "ACME"])
def test_the_domain_or_the_organization_leads_to_the_provider(typed, provider, issuer, jo, browser):
    answer = browser.client.post("/sso/", {"where": typed})

    assert answer.status_code == 200
    assert f"{issuer.url}/authorize?" in answer.content.decode()


def test_what_is_unknown_tells_nothing_of_people(provider, owner, browser):
    known = browser.client.post("/sso/", {"where": owner.email})
    unknown = browser.client.post("/sso/", {"where": "nobody@example.com"})

    assert (known.status_code, unknown.status_code) == (422, 422)
    assert known.content.decode().replace(owner.email, "x").count("no single sign-on for that") == 1
    assert unknown.content.decode().count("no single sign-on for that") == 1


def test_a_broken_provider_is_said_so(provider, issuer, browser):
    issuer.state.faults = {"/.well-known/openid-configuration": (503, "")}

    direct = browser.client.get("/sso/acme/")
    by_form = browser.client.post("/sso/", {"where": "acme"})

    assert (direct.status_code, by_form.status_code) == (502, 502)
    assert "does not answer" in direct.content.decode()


def test_the_login_page_leads_there(browser, db):
    assert "/sso/" in browser.client.get("/accounts/login/?next=/o/acme/").content.decode()
