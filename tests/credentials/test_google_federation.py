"""Google trusts the console itself: its token is exchanged, a service account is acted as, and each refusal is told."""

import json
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from credentials import clouds, issuer, services, signing
from credentials.clouds import errors
from credentials.clouds import google as cloud
from credentials.clouds.google import federation
from credentials.models import CloudCredential
from tests import factories

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db, pytest.mark.usefixtures("google_endpoint")]

NEW = "/o/acme/credentials/new/?kind=gcp.federation"
ACCOUNT = "reader@acme-secrets.iam.gserviceaccount.com"
POOL = "projects/123456789012/locations/global/workloadIdentityPools/keyhaven"


@pytest.fixture
def trusting(sandbox_google: Any, organization: Any) -> dict[str, str]:
    """What is typed into the form, of a pool that trusts this console and lets this organization act as `reader`."""
    subject = issuer.subject(organization)
    sandbox_google.trust(issuer.address(), issuer.keys())
    audience = sandbox_google.pool(
        "keyhaven", "console", issuer.address(), condition=f'assertion.sub=="{subject}"'
    )
    provider = audience.removeprefix("//iam.googleapis.com/")
    sandbox_google.bind(
        "roles/iam.workloadIdentityUser", federation.principal(provider, subject), account=ACCOUNT
    )
    return {"project": "acme-secrets", "provider": provider, "email": ACCOUNT}


def identified(organization: Any, given: dict[str, str]) -> dict[str, str]:
    return services.identify(organization, "gcp", "federation", {}, given)


class TestSigningIn:
    def test_it_is_the_first_choice_and_needs_no_key(self):
        first = clouds.CLOUDS["gcp"].methods[0]

        assert (first.slug, first.keyless, first.keyring) == ("federation", True, None)
        assert first.form.secret_names() == []

    def test_the_form_stores_it_and_the_page_shows_whose_it_is(self, sign_in, devops, trusting):
        browser = sign_in(devops)

        done = browser.post(NEW, {"name": "gcp-prod", **trusting})
        page = browser.get(done.headers["Location"]).content.decode()

        stored = CloudCredential.objects.get()
        assert (stored.identity, stored.account, stored.secret) == (ACCOUNT, "acme-secrets", {})
        assert stored.rotate_days is None
        assert ACCOUNT in page
        assert trusting["provider"] in page

    def test_what_it_signs_is_answered(self, organization, admin, trusting, sandbox_google):
        stored = services.create(
            organization=organization, name="gcp-prod", cloud="gcp", method="federation",
            secret={}, given=trusting, by=admin,
        )  # fmt: skip

        listed = cloud.Api(signing.session(stored)).call(
            "GET",
            "secretmanager",
            "v1/projects/acme-secrets/secrets",
            "secretmanager.secrets.list",
            pageSize=1,
        )

        assert listed["totalSize"] > 0

    def test_without_a_service_account_the_subject_itself_is_granted(
        self, organization, trusting, sandbox_google
    ):
        member = federation.principal(trusting["provider"], issuer.subject(organization))
        sandbox_google.bind("roles/secretmanager.viewer", member)

        found = identified(organization, trusting | {"email": ""})

        assert found["principal"] == member
        assert CloudCredential(facts=found).identity == member

    def test_each_organization_has_a_token_of_its_own(self, trusting):
        stranger = factories.make_organization(slug="globex")

        with pytest.raises(errors.TrustMissing, match="does not let this organization in"):
            identified(stranger, trusting)


REFUSALS = [
    ({"disabled": True}, "no such workload identity pool or provider", "Check the project's number"),
    ({"condition": 'assertion.sub=="somebody"'}, "condition does not let this organization in", "assertion.sub=='keyhaven-"),
    ({"issuer": "https://elsewhere.example"}, "trusts another issuer", "Set the provider's issuer to: "),
    ({"audiences": ["https://mine.example"]}, "does not allow the audience", "allowed audiences empty"),
]  # fmt: skip


class TestRefusals:
    @pytest.mark.parametrize(("more", "reason", "remedy"), REFUSALS)
    def test_what_the_provider_says_is_told(
        self, organization, trusting, sandbox_google, more, reason, remedy
    ):
        audience = sandbox_google.pool("other", "console", **({"issuer": issuer.address()} | more))

        with pytest.raises(errors.TrustMissing, match=reason) as refused:
            identified(organization, trusting | {"provider": audience.removeprefix("//iam.googleapis.com/")})

        assert remedy in refused.value.remedy

    def test_a_pool_that_is_not_there_is_told(self, organization, trusting):
        with pytest.raises(errors.TrustMissing, match="no such workload identity pool"):
            identified(organization, trusting | {"provider": f"{POOL}/providers/none"})

    def test_a_console_that_google_does_not_reach_is_told_how_to_upload_its_keys(
        self, organization, trusting, sandbox_google, settings
    ):
        settings.BASE_URL = "https://private.example"
        audience = sandbox_google.pool("private", "console", "https://private.example")
        given = trusting | {"provider": audience.removeprefix("//iam.googleapis.com/")}

        with pytest.raises(errors.TrustMissing, match="does not reach this console") as refused:
            identified(organization, given)

        assert "https://private.example/.well-known/jwks.json" in refused.value.remedy
        assert "--jwk-json-path" in refused.value.remedy

    def test_keys_that_were_replaced_are_told(self, organization, trusting, sandbox_google):
        one = issuer.keys()["keys"][0]
        sandbox_google.trust(issuer.address(), {"keys": [one | {"n": one["n"][::-1]}]})

        with pytest.raises(errors.TrustMissing, match="not this console's present ones"):
            identified(organization, trusting)

    def test_an_account_that_it_may_not_act_as_comes_with_the_command(self, organization, trusting):
        other = "admin@acme-secrets.iam.gserviceaccount.com"

        with pytest.raises(errors.TrustMissing, match="may not act as it") as refused:
            identified(organization, trusting | {"email": other})

        member = federation.principal(trusting["provider"], issuer.subject(organization))
        assert refused.value.remedy == (
            f"Run: gcloud iam service-accounts add-iam-policy-binding {other} "
            f"--role=roles/iam.workloadIdentityUser --member='{member}'"
        )

    def test_a_project_that_it_does_not_see_is_told(self, organization, trusting):
        with pytest.raises(errors.PermissionMissing, match=r"lacks resourcemanager\.projects\.get"):
            identified(organization, trusting | {"project": "acme-other"})

    def test_a_google_that_does_not_answer_is_told(self, organization, trusting, settings):
        settings.GOOGLE_ENDPOINT_URL = "http://127.0.0.1:9"

        with pytest.raises(errors.NotReachable, match="does not answer"):
            identified(organization, trusting)

    def test_no_token_is_in_what_a_refusal_says(self, organization, trusting, caplog):
        with caplog.at_level(0), pytest.raises(errors.TrustMissing) as refused:
            identified(organization, trusting | {"provider": f"{POOL}/providers/none"})

        said = json.dumps([refused.value.reason, refused.value.remedy, repr(refused.value), caplog.text])
        assert "eyJ" not in said


class TestForm:
    @pytest.mark.parametrize("before", ["", "//iam.googleapis.com/", "https://iam.googleapis.com/", "  "])
    def test_the_name_is_taken_as_google_shows_it(self, before):
        assert federation.clean_provider(f"{before}{POOL}/providers/console") == f"{POOL}/providers/console"

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (POOL, "a pool without a provider"),
            (f"{POOL}/providers/console".replace("123456789012", "acme-secrets"), "number here, not its ID"),
            (f"{POOL}/providers/console".replace("global", "europe-west9"), "are in the location global"),
            ("locations/global/workforcePools/x/providers/y", "a workforce pool"),
            ("https://evil.example/", "It looks like this: projects/NUMBER/"),
            (f"{POOL}/providers/../../x", "no workload identity provider"),
        ],
    )
    def test_what_is_no_provider_is_told_what_it_is(self, text, words):
        with pytest.raises(ValidationError) as refused:
            federation.clean_provider(text)

        assert words in refused.value.messages[0]

    def test_each_field_has_its_sentence(self, sign_in, devops):
        sent = {"name": "gcp-prod", "project": "Acme", "provider": "x", "email": "a@example.com"}

        wrong = sign_in(devops).post(NEW, sent)
        empty = sign_in(devops).post(NEW, {"name": "gcp-prod"})

        told = {name: messages[0] for name, messages in wrong.context["form"].errors.items()}
        assert wrong.status_code == empty.status_code == 422
        assert "is no project ID" in told["project"]
        assert "no workload identity provider" in told["provider"]
        assert "not the e-mail address of a service account" in told["email"]
        assert empty.context["form"].errors["provider"] == ["Enter the workload identity provider."]
        assert "email" not in empty.context["form"].errors
