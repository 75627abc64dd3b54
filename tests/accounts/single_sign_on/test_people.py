"""Whom an issuer can mean: what the provider of one organization says reaches nobody of another."""

import datetime
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import AuditEvent, Domain, Identity, Invitation, Membership, User
from tests import factories


def invite(organization: Any, email: str, **fields: Any) -> Invitation:
    fields.setdefault("expires_at", timezone.now() + datetime.timedelta(days=1))
    return Invitation.objects.create(
        organization=organization, email=email, roles=["devops"], digest=email, invited_by="Owner", **fields
    )


@pytest.fixture
def globex(other_issuer: Any, db: None) -> Any:
    """Another organization, whose owner runs the issuer and claims Acme's people."""
    organization = factories.make_organization(name="Globex", slug="globex")
    factories.make_identity_provider(
        organization=organization,
        issuer=other_issuer.url,
        client_secret=other_issuer.state.client_secret,
        domains=["globex.example"],
        default_role="viewer",
    )
    return organization


def test_the_issuer_of_another_organization_claims_a_member(globex, other_issuer, provider, jo, browser):
    """Even when it could claim the domain, see below: the person is no member there."""
    answer = browser.enter(other_issuer, "jo", slug="globex")

    event = AuditEvent.objects.get(organization=globex, action="sign_in.refused")
    assert (answer.status_code, browser.user) == (403, "")
    assert event.details["reason"] == "email_outside_domains"


def test_even_with_the_domain_it_means_none_of_the_others_people(globex, other_issuer, jo, browser):
    globex.identity_provider.domains.create(name="acme.example")

    answer = browser.enter(other_issuer, "jo", slug="globex")

    event = AuditEvent.objects.get(organization=globex, action="sign_in.refused")
    assert (answer.status_code, browser.user, event.details["reason"]) == (403, "", "not_a_member")
    assert not Membership.objects.filter(organization=globex, user=jo).exists()
    assert not Identity.objects.exists()


def test_the_same_subject_of_another_issuer_is_somebody_else(
    globex, other_issuer, provider, issuer, jo, browser, another_browser
):
    """Both issuers say `sub-jo`; the pair of issuer and subject is what is remembered, in each organization."""
    browser.enter(issuer, "jo")
    other_issuer.state.people["jo"]["email"] = "jo@globex.example"

    another_browser.enter(other_issuer, "jo", slug="globex")

    assert browser.user == str(jo.pk)
    assert another_browser.user not in ("", str(jo.pk))
    assert Identity.objects.count() == 2


def test_an_answer_to_one_organization_is_no_answer_to_another(
    globex, other_issuer, provider, issuer, jo, browser, refusals
):
    """Mixed-up issuers: the state is bound to the provider that was asked."""
    url = other_issuer.choose(browser.away("globex"), "jo")

    answer = browser.back(url.replace("/sso/globex/", "/sso/acme/"))

    assert (answer.status_code, browser.user, refusals()) == (403, "", ["unknown_attempt"])


def test_an_issuer_that_changed_meanwhile_gets_no_answer(
    provider, issuer, other_issuer, jo, browser, refusals
):
    url = issuer.choose(browser.away(), "jo")
    provider.issuer, provider.generation = other_issuer.url, provider.generation + 1
    provider.save()

    answer = browser.back(url)

    assert (answer.status_code, refusals()) == (403, ["unknown_attempt"])
    assert other_issuer.state.asked == []


def test_a_person_is_known_by_the_subject_from_then_on(provider, issuer, jo, browser, another_browser):
    browser.enter(issuer, "jo")
    issuer.state.people["jo"]["email"] = "jo.winter@acme.example"

    another_browser.enter(issuer, "jo")

    assert another_browser.user == str(jo.pk)
    assert Identity.objects.get().subject == "sub-jo"


def test_an_address_that_was_given_to_somebody_else_is_refused(
    provider, issuer, jo, browser, another_browser, refusals
):
    browser.enter(issuer, "jo")
    issuer.state.people["max"]["email"] = "jo@acme.example"

    another_browser.enter(issuer, "max")

    assert (another_browser.user, refusals()) == ("", ["linked_to_another_subject"])


@pytest.mark.parametrize("verified", [False, "false", "no", 0])
def test_an_address_that_is_not_verified_links_nobody(verified, provider, issuer, jo, browser, refusals):
    issuer.state.people["jo"]["email_verified"] = verified

    browser.enter(issuer, "jo")

    assert refusals() == ["email_not_verified"]
    assert browser.user == ""


def test_an_issuer_that_says_nothing_of_verification_is_believed(provider, issuer, jo, browser):
    issuer.state.people["jo"]["email_verified"] = None

    browser.enter(issuer, "jo")

    assert browser.user == str(jo.pk)


@pytest.mark.parametrize(
    "email",
    [
        "jo@elsewhere.example",
        "jo@sub.acme.example",
        "jo@acme.example.elsewhere.example",
        "jo@notacme.example",
    ],
)
def test_an_address_outside_of_the_domains_is_refused(
    email, provider, issuer, jo, organization, browser, refusals
):
    factories.make_member(organization, "owner", email=email)
    issuer.state.people["jo"]["email"] = email

    browser.enter(issuer, "jo")

    assert (browser.user, refusals()) == ("", ["email_outside_domains"])


def test_a_known_person_whose_address_left_the_domains_is_refused(
    provider, issuer, jo, browser, another_browser, refusals
):
    browser.enter(issuer, "jo")
    issuer.state.people["jo"]["email"] = "jo@elsewhere.example"

    another_browser.enter(issuer, "jo")

    assert (another_browser.user, refusals()) == ("", ["email_outside_domains"])


@pytest.mark.parametrize(
    "email",
    [
        None, "", 7, ["jo@acme.example"], "jo", "x" * 300 + "@acme.example",
        "jo@acme.example@elsewhere.example", "jo@elsewhere.example@acme.example",
    ],
)  # fmt: skip
def test_no_usable_address_links_nobody(email, provider, issuer, jo, browser, refusals):
    issuer.state.people["jo"]["email"] = email

    browser.enter(issuer, "jo")

    assert browser.user == ""
    assert refusals()[0] in ("no_email", "email_outside_domains")


def test_a_deactivated_person_stays_outside(provider, issuer, jo, browser, another_browser, refusals):
    browser.enter(issuer, "jo")
    User.objects.filter(pk=jo.pk).update(is_active=False)

    another_browser.enter(issuer, "jo")

    assert (another_browser.user, refusals()) == ("", ["deactivated"])
    assert browser.client.get("/o/acme/clusters/").status_code == 302


def test_who_was_removed_stays_outside(provider, issuer, jo, organization, browser, refusals):
    browser.enter(issuer, "jo")
    Membership.objects.filter(user=jo).delete()

    gone = browser.client.get("/o/acme/clusters/").status_code
    browser.enter(issuer, "jo")

    assert (gone, refusals()) == (404, ["not_a_member"])


def test_a_machine_never_comes_in(provider, issuer, jo, browser, refusals):
    User.objects.filter(pk=jo.pk).update(is_machine=True)

    browser.enter(issuer, "jo")

    assert (browser.user, refusals()) == ("", ["not_a_member"])


def test_nobody_new_comes_in_without_a_default_role(provider, issuer, browser, refusals):
    browser.enter(issuer, "max")

    assert refusals() == ["not_a_member"]
    assert not User.objects.filter(email="max@acme.example").exists()


def test_somebody_new_gets_the_default_role(provider, issuer, organization, browser):
    provider.default_role = "viewer"
    provider.save()

    browser.enter(issuer, "max")

    membership = Membership.objects.get(user__email="max@acme.example")
    assert (membership.organization, membership.roles) == (organization, ["viewer"])
    assert membership.user.name == "Max Summer"
    assert not membership.user.has_usable_password()
    assert AuditEvent.objects.filter(organization=organization, action="member.added").exists()


@pytest.mark.parametrize(
    "email",
    ["boss@globex.example,new@acme.example", "boss@globex.example;new@acme.example", "a b@acme.example"],
)
def test_an_address_is_one_address(email, provider, issuer, browser, refusals):
    """Mails of events go to it: with a comma they would go to somebody else as well."""
    issuer.state.people["max"]["email"] = email

    browser.enter(issuer, "max")

    assert refusals() == ["no_email"]
    assert browser.user == ""


def test_somebody_invited_gets_the_invitations_role(provider, issuer, organization, browser):
    invitation = invite(organization, "max@acme.example")

    browser.enter(issuer, "max")

    invitation.refresh_from_db()
    assert Membership.objects.get(user__email="max@acme.example").roles == ["devops"]
    assert invitation.accepted_at is not None


@pytest.mark.parametrize("over", [{"revoked_at": timezone.now()}, {"expires_at": timezone.now()}])
def test_an_invitation_that_is_over_lets_nobody_in(over, provider, issuer, organization, browser, refusals):
    invite(organization, "max@acme.example", **over)

    browser.enter(issuer, "max")

    assert refusals() == ["not_a_member"]


def test_an_invitation_to_another_organization_is_none_here(provider, issuer, globex, browser, refusals):
    invite(globex, "max@acme.example")

    browser.enter(issuer, "max")

    assert refusals() == ["not_a_member"]


@pytest.mark.parametrize("role", ["owner", "admin", "emperor"])
def test_the_default_role_manages_nobody(role, provider):
    provider.default_role = role

    with pytest.raises(IntegrityError), transaction.atomic():
        provider.save()


def test_no_two_organizations_have_the_same_domain(provider, globex):
    with pytest.raises(IntegrityError), transaction.atomic():
        Domain.objects.create(provider=globex.identity_provider, name="acme.example")
