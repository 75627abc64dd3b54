"""What is particular to Doppler: its tokens, its sentences, what the operator cannot take of it, and a deploy."""

from typing import Any

import pytest

from accesses import manifests, providers, trials
from accesses.providers import Situation
from accesses.providers.doppler import forms as doppler_forms
from accesses.providers.doppler import record as doppler
from accesses.providers.doppler import references as doppler_references
from accesses.providers.references import NotReadable
from accesses.setup import cards
from clusters import waiting
from external_secrets.forms.reference import ReferenceForm
from sandbox.vendors import doppler as vendor
from tests import factories
from tests.accesses import worlds
from tests.accesses.providers import deploying
from tests.accesses.providers.forms import errors_of
from tests.accesses.worlds import Sandbox, make_access

SLUG, CANARY = "doppler", "canary-3c77e1-value"
PROVIDER = providers.PROVIDERS[SLUG]
PLACE = {"project": "shop", "config": "prd"}
TAIL = "a" * 42


def make(method: str = "service-token", **configuration: str) -> Any:
    return factories.make_access(
        provider=SLUG, method=method, name="doppler", credential={"token": f"dp.st.{TAIL}"},
        configuration=PLACE | configuration,
    )  # fmt: skip


# -- forms ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("", "Enter the service token."),
        ("hunter2", "This is no token of Doppler. It begins with dp.st."),
        (
            f"dp.pt.{TAIL}",
            "This is a personal token; this way of signing in takes one that begins with dp.st.",
        ),
        (f"dp.ct.{TAIL}", "This is a token of the command line"),
        ("dp.st.prd.short", "This token is not whole"),
        (f"dp.st.{TAIL}\n{TAIL}", "This token is not whole"),
    ],
)
def test_a_service_token_is_told_from_all_else(token, words):
    form = doppler_forms.ServiceTokenForm(PLACE | {"token": token})

    assert words in errors_of(form, "token")
    assert token.strip()[10:] == "" or token.strip()[10:] not in str(form.errors)


@pytest.mark.parametrize("token", [f"dp.st.{TAIL}", f"dp.st.prd_eu.{TAIL}", f" dp.st.dev.{TAIL} "])
def test_service_tokens_are_taken(token):
    form = doppler_forms.ServiceTokenForm({"token": token})

    assert form.is_valid(), form.errors
    assert form.configuration() == {"project": "", "config": ""}


@pytest.mark.parametrize("start", ["dp.sa.", "dp.pt."])
def test_a_token_of_an_account_needs_its_place(start):
    form = doppler_forms.AccountForm({"token": start + TAIL})

    assert set(form.errors) == {"project", "config"}


@pytest.mark.parametrize(("given", "missing"), [("project", "config"), ("config", "project")])
def test_project_and_config_go_together(given, missing):
    form = doppler_forms.ServiceTokenForm({"token": f"dp.st.{TAIL}", given: "shop"})

    assert f"Enter the {missing} too" in errors_of(form, missing)


@pytest.mark.parametrize("name", ["shop/prd", "a b", "ü", "x" * 65, "../me"])
def test_a_place_is_an_identifier(name):
    form = doppler_forms.AccountForm({"token": f"dp.sa.{TAIL}", "project": name, "config": "prd"})

    assert errors_of(form, "project")


def test_an_identity_is_an_id():
    form = doppler_forms.IdentityForm(PLACE | {"identity": "prod cluster"})

    assert "This is no ID of an identity" in errors_of(form, "identity")


# -- what references can be ----------------------------------------------------------------------------------------
def test_a_name_in_small_letters_is_offered_in_capital_ones():
    with pytest.raises(NotReadable, match="Did you mean DB_PASSWORD"):
        doppler_references.SECRETS.read("db-password")


@pytest.mark.parametrize("text", ["1ST", "DB/PASSWORD", "https://dashboard.doppler.com/x", "ÜBER", ""])
def test_what_is_no_name_is_refused(text):
    with pytest.raises(NotReadable):
        doppler_references.SECRETS.read(text)


def test_a_field_behind_the_name_is_refused_with_the_reason():
    with pytest.raises(NotReadable, match="The operator takes a secret of Doppler whole"):
        doppler_references.SECRETS.read("DB#password")


@pytest.mark.django_db
def test_a_field_and_tags_are_refused_in_the_form():
    access = make()
    field = ReferenceForm(access, {"takes": "value", "key": "DB", "json_field": "password"})
    tags = ReferenceForm(access, {"takes": "tags", "tags": "team=shop"})

    assert doppler_references.NO_FIELD in errors_of(field, "json_field")
    assert doppler_references.NO_TAGS in errors_of(tags, "takes")


@pytest.mark.django_db
@pytest.mark.parametrize("takes", [{"takes": "keys", "key": "DB"}, {"takes": "path", "below": "SHOP_*"}])
def test_every_key_and_all_that_begin_alike_are_taken(takes):
    form = ReferenceForm(make(), takes)

    assert form.is_valid(), form.errors
    assert form.reference_values["key"] in ("DB", "SHOP_")


@pytest.mark.parametrize("name", ["DOPPLER_PROJECT", "db", "9X"])
def test_a_new_secret_has_a_name_that_doppler_takes(name):
    with pytest.raises(NotReadable):
        PROVIDER.writing.name(None, name)


# -- stores and set-up ---------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_a_service_token_alone_names_no_place_in_the_store():
    access = make(project="", config="")

    assert set(manifests.store(access)["spec"]["provider"]["doppler"]) == {"auth"}


@pytest.mark.django_db
def test_the_cards_say_what_the_identity_trusts():
    access = make("oidc", identity="6f2d1c1e-5f6b")
    access.cluster.issuer = "https://oidc.example.com/1"

    setup = cards.context(access)

    assert setup["issuer"] == "https://oidc.example.com/1"
    assert setup["audience"] == "https://api.doppler.com"
    assert setup["subject"] == f"system:serviceaccount:external-secrets:{access.service_account}"
    reference = manifests.store(access)["spec"]["provider"]["doppler"]["auth"]["oidcConfig"][
        "serviceAccountRef"
    ]
    assert reference["audiences"] == [setup["audience"]]


@pytest.mark.django_db
def test_an_identity_needs_an_issuer():
    cluster = factories.make_cluster()

    obstacle = PROVIDER.method("oidc").obstacle(Situation(cluster, SLUG))

    assert "OIDC issuer" in obstacle.reason


# -- what it answers -----------------------------------------------------------------------------------------------
asks = [pytest.mark.sandbox, pytest.mark.django_db]


@pytest.fixture
def found(request):
    return worlds.of(SLUG, "account-token", Sandbox(request))


@pytest.fixture
def stand_in(found, vendors):
    return vendors[SLUG]


@pytest.fixture
def manager(found) -> Any:
    return trials.connect(make_access(SLUG, found, found.writer))


NAMED = "of shop"
SENTENCES = [
    (403, f"This token does not have access to requested project '{NAMED}'", providers.NotThere),
    (401, f"This token does not have access to requested config '{NAMED}'", providers.NotThere),
    (404, f"Could not find requested project '{NAMED}'", providers.NotThere),
    (404, f"Could not find requested config '{NAMED}'", providers.NotThere),
    (404, f"Could not find requested secret '{NAMED}'", providers.NotThere),
    (400, f"You must specify a project {NAMED}", providers.ProviderError),
    (403, f"You do not have write access to this config's secrets {NAMED}", providers.PermissionMissing),
    (401, f"Your token {NAMED} has expired", providers.CredentialRefused),
    (401, f"Invalid Auth token {NAMED}", providers.CredentialRefused),
    (403, f"Something else {NAMED}", providers.PermissionMissing),
    (404, f"Something else {NAMED}", providers.NotThere),
    (400, f"Something else {NAMED}", providers.ProviderError),
    (429, f"Something else {NAMED}", providers.Throttled),
]


class TestRefusals:
    pytestmark = asks

    @pytest.mark.parametrize(("status", "sentence", "error"), SENTENCES)
    def test_each_is_told_in_our_words(self, manager, stand_in, status, sentence, error):
        stand_in.plant("faults", status=status, body={"messages": [sentence], "success": False})

        with pytest.raises(error) as refusal:
            manager.page()

        said = refusal.value.reason + refusal.value.remedy
        assert NAMED not in said
        assert refusal.value.reason in {
            one.reason.replace("{permission}", doppler.READ) for one in PROVIDER.refusals
        }

    def test_the_table_has_no_other(self, manager, stand_in):
        told = set()
        for status, sentence, _ in SENTENCES:
            stand_in.plant("faults", status=status, body={"messages": [sentence]})
            with pytest.raises(providers.ProviderError) as refusal:
                manager.page()
            told.add(refusal.value.reason)

        assert told == {one.reason.replace("{permission}", doppler.READ) for one in PROVIDER.refusals}

    @pytest.mark.parametrize(
        "body",
        [None, [], "text", {"names": 7}, {"messages": 3}, {"names": None}, {"messages": [CANARY]}, b"<html>"],
    )
    @pytest.mark.parametrize("status", [200, 401, 418, 503])
    def test_a_hostile_answer_is_an_error_of_ours(self, manager, stand_in, status, body):
        if isinstance(body, bytes):
            stand_in.plant("faults", html=True)
        else:
            stand_in.plant("faults", status=status, body=body)

        with pytest.raises(providers.ProviderError) as refusal:
            manager.page()

        assert CANARY not in refusal.value.reason + refusal.value.remedy + repr(refusal.value)

    def test_a_redirect_is_not_followed(self, manager, stand_in):
        stand_in.plant("faults", status=302, location="http://169.254.169.254/latest")

        with pytest.raises(providers.NotReachable, match="sends elsewhere"):
            manager.page()


class TestTokens:
    pytestmark = asks

    def test_a_service_token_finds_its_config_by_itself(self, found, stand_in):
        token = {"token": stand_in["service_token"]}
        access = make_access(SLUG, found, token, configuration={"project": "", "config": ""})
        access.method = "service-token"

        assert len(trials.connect(access).page().entries) == 100

    @pytest.mark.parametrize(
        ("place", "words"),
        [
            ({"project": "billing"}, "does not reach the project"),
            ({"config": "dev"}, "does not reach the config"),
        ],
    )
    def test_one_of_another_place_is_told_so(self, found, stand_in, place, words):
        token = {"token": stand_in["service_token"]}

        result = trials.try_access(make_access(SLUG, found, token, configuration=PLACE | place))

        assert not result.usable
        assert words in result.reason
        assert result.about == "config"

    def test_one_that_needs_its_place_says_so(self, found, stand_in):
        token = {"token": stand_in["account_token"]}

        result = trials.try_access(make_access(SLUG, found, token, configuration={}))

        assert "of no single config" in result.reason

    def test_who_it_is_says_nothing_of_the_token(self, manager, found):
        who = manager.whoami()

        assert who == "service account keyhaven of Acme"
        assert found.writer["token"][:8] not in who

    def test_an_expired_one_is_told_as_such(self, manager, found):
        found.over()

        with pytest.raises(providers.CredentialRefused, match="expired"):
            manager.page()

    def test_dopplers_own_names_are_not_listed(self, manager):
        assert manager.page(prefix="DOPPLER_").entries == []


@pytest.mark.sandbox
def test_a_token_that_is_not_let_in_is_told_what_to_trust(request, db):
    found = worlds.of(SLUG, "oidc", Sandbox(request))
    access = make_access(SLUG, found, None)
    access.cluster.issuer = "https://issuer.example.com"
    access.configuration = found.wrong_configuration

    with pytest.raises(providers.TrustMissing) as refusal:
        trials.connect(access)

    assert "https://issuer.example.com" in refusal.value.policy
    assert f":{access.service_account}" in refusal.value.policy
    assert "https://api.doppler.com" in refusal.value.policy


@pytest.mark.sandbox
@pytest.mark.django_db
def test_no_value_is_ever_asked_for(found, stand_in, manager):
    before = stand_in.plant("reads")

    trials.try_access(make_access(SLUG, found, found.good))
    manager.create(found.namespace + "NEVER_READ", CANARY, {})
    manager.put(found.namespace + "NEVER_READ", f"{CANARY}-2")
    manager.delete(found.namespace + "NEVER_READ")

    assert stand_in.plant("reads") == before


# -- a deploy ------------------------------------------------------------------------------------------------------
class TestDeploy:
    pytestmark = asks

    @pytest.fixture
    def kube(self, make_sandbox_cluster, settings, project, monkeypatch, stand_in):
        monkeypatch.setattr(waiting, "LONGEST", 0.1)
        monkeypatch.setenv("DOPPLER_ENDPOINT_URL", stand_in.url)
        settings.OPERATOR_CHART = str(project / "sandbox" / "chart" / "external-secrets")
        return make_sandbox_cluster("sandbox")

    @pytest.mark.parametrize("method", [one.slug for one in PROVIDER.methods])
    def test_values_arrive_by_each_way_of_signing_in(self, kube, organization, stand_in, found, method):
        cluster = deploying.connected(kube, organization=organization)
        kind = {"service-token": "service_token", "account-token": "account_token"}.get(method)
        access = factories.make_access(
            cluster=cluster, provider=SLUG, method=method, name="doppler",
            credential={"token": stand_in[kind]} if kind else None,
            configuration=PLACE | ({} if kind else {"identity": stand_in["identity"]}),
        )  # fmt: skip
        subject = f"system:serviceaccount:{cluster.operator_namespace}:{access.service_account}"
        stand_in.plant("trust", issuer=kube.issuer, jwks=kube.jwks(), subjects=[subject])
        one = deploying.link(access, "PROD_DB_PASSWORD", "DB_PASSWORD")
        several = deploying.link(access, "PROD_SHOP_", "", takes="path")

        deploying.deploy(cluster)

        assert deploying.data(kube, one) == {"DB_PASSWORD": found.value("PROD_DB_PASSWORD")}
        below = {name for name in vendor.names() if name.startswith("PROD_SHOP_")}
        assert set(deploying.data(kube, several)) == below
        access.refresh_from_db()
        assert access.validated is True, access.validated_reason
        assert access.result["listed"]

    @pytest.mark.parametrize("method", [one.slug for one in PROVIDER.methods])
    def test_the_wizard_leads_there(self, kube, organization, devops, sign_in, stand_in, method):
        cluster = deploying.connected(kube, organization=organization)
        kind = {"service-token": "service_token", "account-token": "account_token"}.get(method)
        own = {"token": stand_in[kind]} if kind else {"identity": stand_in["identity"]}
        account = f"system:serviceaccount:{cluster.operator_namespace}:"
        if not kind:
            stand_in.plant("trust", issuer=kube.issuer, jwks=kube.jwks(), subjects=[account])

        page, access = deploying.walk(sign_in(devops), cluster, SLUG, method, **PLACE, **own)

        assert access.result["listed"], access.result
        told = {
            "service-token": "doppler configs tokens create",
            "oidc": f"{account}{access.service_account}",
        }
        assert told.get(method, "Project") in page
