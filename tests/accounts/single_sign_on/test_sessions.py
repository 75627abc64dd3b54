"""What a session is good for that an identity provider made: its own organization, and nothing else."""

from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.urls import NoReverseMatch, get_resolver, reverse

from accounts.models import AuditEvent, Membership
from accounts.single_sign_on import middleware, sessions
from tests import factories
from tests.world import VIEWS, walk


@pytest.fixture
def globex(jo: Any) -> Any:
    """Another organization of Jo's, of which Acme's provider knows nothing."""
    organization = factories.make_organization(name="Globex", slug="globex")
    Membership.objects.create(organization=organization, user=jo, roles=["owner"])
    return organization


@pytest.fixture
def inside(provider: Any, issuer: Any, jo: Any, globex: Any, browser: Any) -> Any:
    """Jo's browser, who came in by Acme's provider."""
    browser.enter(issuer, "jo")
    assert browser.client.get("/o/acme/clusters/").status_code == 200
    return browser


@pytest.mark.parametrize("slug", ["globex", "nobody-has-this"])
def test_another_organization_asks_to_sign_in_there(slug, inside):
    """Whether Jo is a member there, and whether there is such an organization, does not show."""
    answer = inside.client.get(f"/o/{slug}/clusters/")

    assert answer.status_code == 302
    assert answer.headers["Location"] == f"/signed-in-elsewhere/?next=%2Fo%2F{slug}%2Fclusters%2F"


def test_htmx_is_told_so_too(inside):
    answer = inside.client.get("/o/globex/clusters/", headers={"HX-Request": "true"})

    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"].startswith("/signed-in-elsewhere/")


def test_another_organization_writes_nothing_down(inside, globex):
    inside.client.post("/o/globex/settings/sign-in/remove/")

    assert not AuditEvent.objects.filter(organization=globex).exists()


def test_no_other_organization_is_named(inside):
    page = inside.client.get("/o/acme/clusters/").content.decode()

    assert "Globex" not in page
    assert "globex" not in page


def test_home_is_that_organization(inside):
    assert inside.client.get("/").headers["Location"] == "/o/acme/"


def own_pages() -> list[str]:
    """Every page outside of organizations that needs no argument, but those in the list of what is open."""
    views = walk(get_resolver().url_patterns).items()
    plain = {name for name, view in views if view.pattern.regex.groups == 0 and not view.pattern.converters}
    return sorted(name for name in plain - middleware.OPEN - {"home"} - set(VIEWS) if _has_address(name))


def _has_address(name: str) -> bool:
    """Tell whether a page can be named without arguments, also those of what it is below."""
    try:
        return bool(reverse(name))
    except NoReverseMatch:
        return False


@pytest.mark.parametrize("name", own_pages())
def test_the_accounts_own_pages_are_not_open_to_it(name, inside):
    """The password, second factors, sessions, invitations, the API: whatever is not in the list is closed."""
    answer = inside.client.get(reverse(name))

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/signed-in-elsewhere/")


def test_what_is_open_exists():
    names = set(walk(get_resolver().url_patterns))

    assert middleware.OPEN - names - {"styleguide"} == set()


def test_a_password_then_adds_what_is_missing(inside, jo):
    left = inside.client.post("/signed-in-elsewhere/", {"next": "/o/globex/clusters/"})
    inside.client.force_login(jo)

    assert left.headers["Location"] == "/accounts/login/?next=%2Fo%2Fglobex%2Fclusters%2F"
    assert inside.client.get("/o/globex/clusters/").status_code == 200


def test_the_way_back_stays_on_this_console(inside):
    left = inside.client.post("/signed-in-elsewhere/", {"next": "https://elsewhere.example/"})

    assert left.headers["Location"] == "/accounts/login/"


def test_with_a_password_single_sign_on_takes_nothing_away(provider, issuer, jo, globex, browser):
    browser.client.force_login(jo)

    browser.enter(issuer, "jo")

    assert browser.client.get("/o/acme/clusters/").status_code == 200
    assert browser.client.get("/o/globex/clusters/").status_code == 200


def test_single_sign_on_as_somebody_else_ends_the_session_of_before(
    provider, issuer, jo, globex, owner, browser
):
    browser.client.force_login(owner)
    before = browser.client.session.session_key

    browser.enter(issuer, "jo")

    assert browser.user == str(jo.pk)
    assert browser.client.session[sessions.CONFINED] is True
    assert not Session.objects.filter(session_key=before).exists()
    assert browser.client.get("/o/globex/clusters/").status_code == 302


def test_the_session_has_a_new_key(provider, issuer, jo, browser):
    url = browser.away()
    before = browser.client.session.session_key

    browser.back(issuer.choose(url, "jo"))

    assert browser.client.session.session_key != before


def test_two_organizations_each_by_their_own_provider(inside, other_issuer, globex, jo):
    factories.make_identity_provider(
        organization=globex,
        issuer=other_issuer.url,
        client_secret=other_issuer.state.client_secret,
        domains=["globex.example"],
    )
    factories.make_identity(organization=globex, user=jo, issuer=other_issuer.url, subject="sub-jo")
    other_issuer.state.people["jo"]["email"] = "jo@globex.example"

    inside.enter(other_issuer, "jo", slug="globex")

    assert inside.client.get("/o/globex/clusters/").status_code == 200
    assert inside.client.get("/o/acme/clusters/").status_code == 200
    assert inside.client.get("/account/password/").status_code == 302


def test_the_session_ends_with_its_provider(inside, provider):
    provider.delete()

    answer = inside.client.get("/o/acme/clusters/")

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/signed-in-elsewhere/")


def test_the_session_ends_when_the_provider_becomes_another(inside, provider):
    provider.generation += 1
    provider.save()

    assert inside.client.get("/o/acme/clusters/").status_code == 302


def test_an_organization_that_takes_the_slug_gets_nothing(inside, organization, globex):
    """The middleware goes by the address, the rules by the row."""
    type(organization).objects.filter(pk=organization.pk).update(slug="acme-old")
    type(globex).objects.filter(pk=globex.pk).update(slug="acme")

    answer = inside.client.get("/o/acme/clusters/")

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/signed-in-elsewhere/")


def test_dangerous_pages_want_a_fresh_sign_in_at_the_provider(inside, issuer, organization, jo):
    """A session without a password has nothing else to show, and an old session at the provider proves nothing."""
    Membership.objects.filter(organization=organization, user=jo).update(roles=["owner"])
    issuer.state.claims = {"auth_time": 0}
    inside.enter(issuer, "jo")

    stale = inside.client.get("/o/acme/settings/sign-in/")
    asked = inside.client.get(stale.headers["Location"])
    refused = inside.back(issuer.choose(inside.away(again="1"), "jo"))
    issuer.state.claims = {}
    inside.enter(issuer, "jo", again="1")

    assert stale.headers["Location"].startswith("/sso/acme/again/")
    assert b"again=1" in asked.content
    assert refused.status_code == 403
    assert inside.client.get("/o/acme/settings/sign-in/").status_code == 200


def test_a_fresh_sign_in_is_asked_for(inside):
    url = inside.away(again="1")

    assert "prompt=login" in url
    assert "max_age=0" in url


def test_somebody_else_does_not_prove_it(inside, issuer, organization, jo):
    factories.make_member(organization, "owner", email="max@acme.example")

    answer = inside.enter(issuer, "max", again="1")

    assert answer.status_code == 403
    assert inside.user == str(jo.pk)


def test_no_answer_leads_away_from_the_organization(provider, issuer, jo, browser):
    for wanted in ("https://elsewhere.example/", "//elsewhere.example", "/o/globex/", "javascript:alert(1)"):
        answer = browser.enter(issuer, "jo", next=wanted)

        assert answer.headers["Location"] == "/o/acme/"


def test_a_session_holds_no_secret(inside, provider, issuer):
    kept = str(dict(inside.client.session.items()))

    assert issuer.state.client_secret not in kept
    assert not any(token in kept for token in issuer.state.tokens)
