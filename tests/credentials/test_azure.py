"""Azure's credentials: signing in by a secret and by trust, whose it is, what refusals mean, and that no value gets out."""

import datetime
import json
import logging
from typing import Any

import pytest
from django.utils import timezone

from credentials import clouds, issuer, services, signing
from credentials.clouds import azure, errors
from credentials.clouds.azure import wire
from credentials.models import CloudCredential

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db, pytest.mark.usefixtures("azure_endpoint")]

ISSUER = "https://keyhaven.acme.example"
NOBODY = "11111111-2222-3333-4444-555555555555"
CANARY = "canary~value~that~nobody~may~see~0000000"
VAULT = "https://vault.azure.net/.default"
READ = "Microsoft.Resources/subscriptions/read"


def method(slug: str) -> Any:
    return clouds.CLOUDS["azure"].method(slug)


@pytest.fixture(autouse=True)
def address(settings: Any) -> None:
    settings.BASE_URL = ISSUER


@pytest.fixture
def given(sandbox_azure: Any) -> Any:
    """Return a function from an application's name to the form's public values."""

    def of(app: str = "console", **changes: str) -> dict[str, str]:
        known = sandbox_azure.apps[app]
        names = ("tenant", "client", "subscription")
        return {name: known[name] for name in names} | {"environment": "AzureCloud"} | changes

    return of


@pytest.fixture
def by_secret(sandbox_azure: Any, given: Any) -> Any:
    """Return a function that identifies an application by its secret."""

    def identify(app: str = "console", secret: str = "", **changes: str) -> dict[str, str]:
        known = {"client_secret": secret or sandbox_azure.apps[app]["client_secret"]}
        found: dict[str, str] = method("service-principal").identify(known, given(app, **changes))
        return found

    return identify


@pytest.fixture
def trusted(sandbox_azure: Any, organization: Any) -> str:
    """The organization's subject, whom the application `console` trusts."""
    sandbox_azure.trust(ISSUER, issuer.keys())
    client, subject = sandbox_azure.apps["console"]["client"], issuer.subject(organization)
    sandbox_azure.federate("console", ISSUER, subject)
    yield subject
    sandbox_azure.plant("unfederated", client=client)


@pytest.fixture
def by_trust(given: Any) -> Any:
    """Return a function that identifies the application `console` by a token of this console."""

    def identify(subject: str, **changes: str) -> dict[str, str]:
        asked = given(subject=subject, issuer=ISSUER, **changes)
        found: dict[str, str] = method("federation").identify({}, asked)
        return found

    return identify


def refused(act: Any) -> errors.ProviderError:
    with pytest.raises(errors.ProviderError) as refusal:
        act()
    return refusal.value


def unsigned(by: str, subject: str) -> str:
    import jwt

    claims = {"iss": by, "sub": subject, "aud": "api://AzureADTokenExchange"}
    return jwt.encode(claims, "k" * 32, algorithm="HS256")


class TestSecret:
    def test_the_identity_is_told(self, by_secret, sandbox_azure):
        found = by_secret()

        app = sandbox_azure.apps["console"]
        assert found == {
            "environment": "AzureCloud",
            "tenant": app["tenant"],
            "client": app["client"],
            "object": app["object"],
            "subscription": app["subscription"],
            "subscription_name": "Acme production",
        }
        credential = CloudCredential(facts=found)
        assert (credential.account, credential.identity) == (app["subscription"], app["client"])

    @pytest.mark.parametrize(
        ("changes", "kind", "words"),
        [
            ({"secret": CANARY}, errors.CredentialRefused, "does not accept this client secret"),
            ({"tenant": NOBODY}, errors.CredentialRefused, "no tenant with this ID"),
            ({"client": NOBODY}, errors.CredentialRefused, "no application with this client ID"),
            ({"subscription": NOBODY}, errors.NotThere, "no such subscription"),
            ({"app": "limited"}, errors.PermissionMissing, f"lacks {READ}"),
            ({"app": "other"}, errors.CredentialRefused, "belongs to another tenant"),
        ],
    )
    def test_each_wrong_value_has_its_sentence(self, by_secret, changes, kind, words):
        found = refused(lambda: by_secret(**changes))

        assert type(found) is kind
        assert words in found.reason
        assert found.remedy
        assert "canary" not in found.reason + found.remedy

    def test_one_that_expired_is_told_from_one_that_is_wrong(self, by_secret, sandbox_azure):
        client = sandbox_azure.apps["console"]["client"]
        old = sandbox_azure.plant("secret", client=client, seconds=-1)["secret"]

        found = refused(lambda: by_secret(secret=old))

        assert found.reason == "The client secret has expired."
        assert "Make a new client secret" in found.remedy

    def test_one_that_is_disabled_is_said(self, by_secret, sandbox_azure):
        client = sandbox_azure.apps["reader"]["client"]
        sandbox_azure.plant("app", client=client, disabled=True)
        try:
            found = refused(lambda: by_secret("reader"))
        finally:
            sandbox_azure.plant("app", client=client, disabled=False)

        assert "is disabled" in found.reason

    def test_what_is_missing_comes_with_the_role_that_grants_it(self, by_secret, sandbox_azure):
        found = refused(lambda: by_secret("limited"))

        role = json.loads(found.policy)
        assert READ in role["Actions"]
        assert role["AssignableScopes"] == [f"/subscriptions/{sandbox_azure.subscription}"]
        assert role["Name"] in found.remedy

    def test_several_secrets_are_good_at_once(self, by_secret, sandbox_azure):
        client = sandbox_azure.apps["console"]["client"]
        second = sandbox_azure.plant("secret", client=client)["secret"]

        assert by_secret(secret=second) == by_secret()

    def test_another_cloud_is_asked_for_its_own_services(self, by_secret):
        found = refused(lambda: by_secret(environment="AzureChinaCloud"))

        assert "does not know the service" in found.reason


class TestFederation:
    def test_a_token_of_this_console_is_enough(self, by_trust, trusted, sandbox_azure):
        found = by_trust(trusted)

        assert found["object"] == sandbox_azure.apps["console"]["object"]
        assert "subject" not in found

    @pytest.mark.parametrize(
        ("issued_by", "subject", "audience", "words"),
        [
            ("https://other.example", "{}", "api://AzureADTokenExchange", "has the issuer of"),
            (ISSUER, "keyhaven-somebody-else", "api://AzureADTokenExchange", "has the subject of"),
            (ISSUER, "{upper}", "api://AzureADTokenExchange", "in the same letters, capital and small"),
            (ISSUER, "{}", "api://other", "has the audience of"),
        ],
    )
    def test_what_differs_is_named_with_what_to_enter(
        self, by_trust, organization, sandbox_azure, issued_by, subject, audience, words
    ):
        mine, client = issuer.subject(organization), sandbox_azure.apps["console"]["client"]
        sandbox_azure.federate("console", issued_by, subject.format(mine, upper=mine.upper()), audience)
        try:
            found = refused(lambda: by_trust(mine))
        finally:
            sandbox_azure.plant("unfederated", client=client)

        assert type(found) is errors.TrustMissing
        assert words in found.reason
        for exact in (ISSUER, mine, "api://AzureADTokenExchange"):
            assert exact in found.remedy
        assert json.loads(found.policy) == {
            "name": "keyhaven", "issuer": ISSUER, "subject": mine, "audiences": ["api://AzureADTokenExchange"],
        }  # fmt: skip
        assert len(found.remedy) <= 300

    def test_keys_that_entra_does_not_know_are_said(self, by_trust, trusted, sandbox_azure):
        sandbox_azure.trust(ISSUER, {"keys": []})

        found = refused(lambda: by_trust(trusted))

        assert type(found) is errors.TrustMissing
        assert "does not know the key" in found.reason

    def test_an_issuer_that_entra_cannot_reach_is_said(self, organization, sandbox_azure, given):
        mine, elsewhere = issuer.subject(organization), "https://never.acme.example"
        sandbox_azure.federate("console", elsewhere, mine)
        place = azure.GLOBAL
        known = given()
        identity = azure.by_assertion(
            place, known["tenant"], known["client"], elsewhere, mine, lambda: unsigned(elsewhere, mine)
        )

        found = refused(lambda: identity.token(VAULT))

        assert "cannot fetch the keys" in found.reason
        assert elsewhere in found.remedy

    @pytest.mark.parametrize(
        ("url", "possible"),
        [
            ("https://keyhaven.acme.com", True),
            ("http://keyhaven.acme.com", False),
            ("https://localhost:8000", False),
            ("https://10.0.0.7", False),
            ("https://keyhaven.internal", False),
            ("https://keyhaven", False),
        ],
    )
    def test_an_address_that_entra_cannot_reach_hinders(self, settings, url, possible):
        settings.AZURE_ENDPOINT_URL, settings.BASE_URL = "", url

        found = method("federation").obstacle()

        assert (found is None) == possible
        assert possible or url in found.reason

    def test_in_the_sandbox_nothing_hinders(self, settings):
        settings.BASE_URL = "http://localhost:8000"

        assert method("federation").obstacle() is None


class TestTokens:
    @pytest.fixture
    def identity(self, sandbox_azure: Any) -> Any:
        app = sandbox_azure.apps["console"]
        return azure.by_secret(azure.GLOBAL, app["tenant"], app["client"], app["client_secret"])

    def test_one_for_any_service_is_kept_in_memory(self, identity):
        first, again = identity.token(VAULT), identity.token(VAULT)

        assert first is again
        assert identity.token(f"{azure.GLOBAL.arm}/.default").text != first.text

    def test_it_is_not_used_in_its_last_minute(self, identity, sandbox_azure):
        sandbox_azure.plant("faults", token_seconds=59)

        assert identity.token(VAULT).text != identity.token(VAULT).text

    def test_nothing_of_it_is_in_a_representation(self, identity, sandbox_azure):
        token = identity.token(VAULT)

        said = repr(identity) + repr(token) + repr(azure.arm(identity))
        assert token.text not in said
        assert sandbox_azure.apps["console"]["client_secret"] not in said

    def test_a_token_that_cannot_be_read_tells_no_object(self):
        from credentials.clouds.base import Token

        for text in ("", "a.b", "a.!!.c", "a.e30.c", "a.eyJvaWQiOiAieCJ9.c", "a.W10.c"):
            assert azure.object_of(Token(text, None)) == ""


class TestWire:
    def test_a_slow_azure_is_given_up(self, by_secret, sandbox_azure, monkeypatch):
        monkeypatch.setattr(wire, "READ", 0.3)
        sandbox_azure.plant("faults", hang=2)

        assert type(refused(by_secret)) is errors.NotReachable

    def test_a_silent_azure_is_said(self, by_secret, settings):
        settings.AZURE_ENDPOINT_URL = "http://127.0.0.1:9"

        assert refused(by_secret).reason == "Azure does not answer."

    def test_a_proxys_page_is_not_azure(self, by_secret, sandbox_azure):
        sandbox_azure.plant("faults", html=True)

        assert "is not Azure" in refused(by_secret).reason

    def test_a_redirect_is_not_followed(self, by_secret, sandbox_azure):
        sandbox_azure.plant("faults", status=302, location="http://127.0.0.1:9/")

        assert "is not Azure" in refused(by_secret).reason

    def test_a_short_wait_is_kept(self, by_secret, sandbox_azure):
        sandbox_azure.plant("faults", status=429, code="TooManyRequests", times=1, retry_after=0)

        assert by_secret()["subscription_name"] == "Acme production"

    @pytest.mark.parametrize(
        ("status", "code", "kind"),
        [
            (429, "SubscriptionRequestsThrottled", errors.Throttled),
            (500, "InternalServerError", errors.NotReachable),
            (401, "ExpiredAuthenticationToken", errors.CredentialRefused),
            (403, "AuthorizationFailed", errors.PermissionMissing),
            (403, "RequestDisallowedByPolicy", errors.ProviderError),
            (404, "SubscriptionNotFound", errors.NotThere),
            (404, "ResourceNotFound", errors.NotThere),
            (409, "Conflict", errors.Raced),
            (409, "ReadOnlyDisabledSubscription", errors.ProviderError),
            (418, "canary", errors.ProviderError),
        ],
    )
    def test_refusals_are_translated_by_table(self, by_secret, sandbox_azure, status, code, kind):
        sandbox_azure.plant("faults", status=status, code=code, retry_after=60)

        found = refused(by_secret)

        assert type(found) is kind
        assert "sandbox" not in found.reason + found.remedy
        assert "canary" not in found.reason + found.remedy

    @pytest.mark.parametrize(
        ("code", "kind", "words"),
        [
            (53003, errors.CredentialRefused, "Conditional Access"),
            (7000229, errors.CredentialRefused, "az ad sp create --id"),
            (90033, errors.NotReachable, "failure of its own"),
            (700024, errors.CredentialRefused, "clock is wrong"),
            (50166, errors.TrustMissing, "cannot fetch the keys"),
            (987654, errors.CredentialRefused, "AADSTS987654"),
        ],
    )
    def test_entras_codes_are_ours(self, by_secret, sandbox_azure, code, kind, words):
        sandbox_azure.plant("faults", sign_in=code)

        found = refused(by_secret)

        assert type(found) is kind
        assert words in found.reason + found.remedy

    def test_nothing_is_told_to_the_log(self, by_secret, sandbox_azure, caplog):
        logging.getLogger("urllib3").addHandler(caplog.handler)
        try:
            with caplog.at_level(logging.DEBUG, "urllib3"):
                by_secret()
        finally:
            logging.getLogger("urllib3").removeHandler(caplog.handler)

        said = caplog.text + repr([vars(record) for record in caplog.records])
        assert "oauth2" in said
        assert sandbox_azure.apps["console"]["client_secret"] not in said
        assert "eyJ" not in said


class TestStored:
    def test_it_signs_in_again_and_again(self, organization, admin, sandbox_azure, trusted, given):
        made = services.create(
            organization=organization, name="azure-prod", cloud="azure", method="federation", secret={},
            given=given(), by=admin,
        )  # fmt: skip

        session = signing.session(made)

        assert session.token(VAULT).text
        assert made.rotate_days is None
        assert (made.identity, made.account) == (given()["client"], sandbox_azure.subscription)

    def test_the_end_that_somebody_told_is_kept(self, organization, admin, sandbox_azure, given):
        secret = {"client_secret": sandbox_azure.apps["console"]["client_secret"]}
        until = timezone.now() + datetime.timedelta(days=365)

        made = services.create(
            organization=organization, name="azure-prod", cloud="azure", method="service-principal",
            secret=secret, given=given(), by=admin, until=until,
        )  # fmt: skip
        services.check(made, by=admin)
        made.refresh_from_db()

        assert made.expires_at == until
        assert made.check_error == ""
