"""What is particular to 1Password: two operators' providers, titles that cannot be found, fields by label, and a deploy."""

import base64
import json
import subprocess
import sys
from typing import Any

import pytest
import yaml

from accesses import manifests, providers, trials
from accesses.providers.onepassword import connect as onepassword_connect
from accesses.providers.onepassword import forms as onepassword_forms
from accesses.providers.onepassword import record as onepassword
from accesses.providers.onepassword import references as onepassword_references
from accesses.providers.references import NotReadable
from accesses.setup import cards
from clusters import waiting
from external_secrets import listing
from external_secrets.forms.reference import ReferenceForm
from tests import factories
from tests.accesses import worlds
from tests.accesses.providers import deploying
from tests.accesses.providers.forms import errors_of
from tests.accesses.worlds import Sandbox, make_access

SLUG, CANARY = "onepassword", "canary-71be90-value"
PROVIDER = providers.PROVIDERS[SLUG]
VAULT, ID = "hfnjvi6aymbsnfc2xeeoheizda", "abcdefghijklmnopqrstuvwxyz"
SDK = {"vault": "production", "cache": "on", "cache_ttl": "60s", "cache_size": "1000"}


def service_token(**facts: Any) -> str:
    body = {"signInAddress": "acme.1password.com", "email": "x@1passwordserviceaccounts.com"} | facts
    return "ops_" + base64.urlsafe_b64encode(json.dumps(body).encode()).decode().rstrip("=")


def make(method: str = "connect", **configuration: str) -> Any:
    own = SDK if method == "service-account" else {"address": "https://op.example.com", "vault": VAULT}
    return factories.make_access(
        provider=SLUG, method=method, name="op", configuration=own | configuration,
        credential={"token": service_token() if method == "service-account" else "ey.a.b"},
    )  # fmt: skip


# -- forms ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("", "Enter the connect token."),
        ("hunter2", "This is no Connect token"),
        (service_token(), "This is a service account's token"),
        ("a.b", "This is no Connect token"),
    ],
)
def test_a_connect_token_is_told_from_all_else(token, words):
    form = onepassword_forms.ConnectForm({"address": "https://op.example.com", "vault": "x", "token": token})

    assert words in errors_of(form, "token")


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("", "Enter the service account token."),
        ("ey.a.b", "This is a Connect token"),
        ("ops_", "no whole token"),
        ("ops_hello", "no whole token"),
        (service_token()[:-20], "no whole token"),
        (service_token(email=""), "no whole token"),
        (service_token(signInAddress=7), "no whole token"),
        ("ops_" + base64.b64encode(b"[1]").decode(), "no whole token"),
        ("ops_" + base64.b64encode(b"[" * 3000).decode(), "no whole token"),
    ],
)
def test_a_service_accounts_token_has_its_shape(token, words):
    form = onepassword_forms.ServiceAccountForm(SDK | {"token": token})

    assert words in errors_of(form, "token")
    assert token[8:] == "" or token not in form.as_p() + str(form.errors)


def test_a_whole_one_is_taken_with_its_cache():
    form = onepassword_forms.ServiceAccountForm(SDK | {"token": service_token()})

    assert form.is_valid(), form.errors
    assert form.configuration() == SDK


def test_without_a_cache_nothing_of_it_is_kept():
    form = onepassword_forms.ServiceAccountForm(SDK | {"token": service_token(), "cache": "off"})

    assert form.is_valid(), form.errors
    assert form.configuration() == {"vault": "production", "cache": "off", "cache_ttl": "", "cache_size": ""}


@pytest.mark.parametrize("ttl", ["5", "m", "0m", "5 m", "1d", "999999s"])
def test_how_long_is_a_duration(ttl):
    form = onepassword_forms.ServiceAccountForm(SDK | {"token": service_token(), "cache_ttl": ttl})

    assert form.errors["cache_ttl"]


@pytest.mark.parametrize("vault", ['pro"duction', "a/b", "a\\b", "a\x00b"])
def test_a_vaults_name_is_one_that_can_be_asked_for(vault):
    form = onepassword_forms.ServiceAccountForm(SDK | {"token": service_token(), "vault": vault})

    assert form.errors["vault"]


# -- stores --------------------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_each_way_has_the_operators_own_provider():
    connect = manifests.store(make())["spec"]["provider"]
    account = manifests.store(make("service-account"))["spec"]["provider"]

    assert connect["onepassword"]["vaults"] == {VAULT: 1}
    assert connect["onepassword"]["connectHost"] == "https://op.example.com"
    assert account["onepasswordSDK"]["cache"] == {"ttl": "60s", "maxSize": 1000}
    assert (
        "cache"
        not in manifests.store(make("service-account", cache="off"))["spec"]["provider"]["onepasswordSDK"]
    )


@pytest.mark.django_db
@pytest.mark.parametrize("cache", ["on", "off"])
def test_a_service_accounts_manifests_satisfy_the_operators_schema(shared, tmp_path, cache):
    access = make("service-account", cache=cache)
    file = tmp_path / "manifests.yaml"
    file.write_text(yaml.safe_dump_all([manifests.store(access), manifests.secret(access)]))

    checked = subprocess.run(
        [sys.executable, str(shared / "tools" / "validate_manifests.py"), str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert set(manifests.secret(access)["data"]) == {"token"}


@pytest.mark.django_db
def test_a_service_account_is_not_tried_from_here_and_says_why():
    result = trials.try_access(make("service-account"))

    assert result.usable
    assert result.untried
    assert not result.listed
    assert result.reason == onepassword.NOT_FROM_HERE


@pytest.mark.django_db
def test_one_without_its_token_is_not_usable():
    access = make("service-account")
    access.credential = None

    assert not trials.try_access(access).usable


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["connect", "service-account"])
def test_a_command_to_paste_runs_nothing_of_a_vaults_name(method):
    setup = cards.context(make(method, vault="$(reboot) `x`"))

    assert "'$(reboot) `x`" in setup["command"]


# -- references ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "key", "field"),
    [
        ("db", "db", ""),
        (" prod/db password ", "prod/db password", ""),
        ("db#username", "db", "username"),
        ("db#file/ca.pem", "db", "file/ca.pem"),
        (ID, ID, ""),
        (f"Same title ({ID})", ID, ""),
        (f"Same title ({ID})#user", ID, "user"),
        ("op://production/db/password", "db", "password"),
        ("op://production/my%20db/Section one/user", "my db", "user"),
        ("op://production/db", "db", ""),
    ],
)
def test_an_item_is_named_in_many_ways(text, key, field):
    found = onepassword_references.CONNECT.read(text)

    assert (found.key, found.json_field) == (key, field)


@pytest.mark.parametrize(
    "text", ["", "#", "db#", "#x", 'a"b', "a\\b", "https://x", "x" * 256, "a\nb", "db#a|b", "db#a*"]
)
def test_what_the_operator_would_not_find_is_refused(text):
    with pytest.raises(NotReadable):
        onepassword_references.CONNECT.read(text)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("sent", "field", "words"),
    [
        ({"takes": "path", "below": "prod"}, "takes", onepassword_references.NO_PATH),
        ({"takes": "tags", "tags": "a=b"}, "takes", onepassword_references.NO_TAGS),
        ({"takes": "value", "key": "db", "json_field": "a|b"}, "json_field", "as a query"),
        ({"takes": "value", "key": "op://other/db/x"}, "key", "is in the vault other"),
    ],
)
def test_what_cannot_be_taken_is_refused_in_the_form(sent, field, words):
    form = ReferenceForm(make(vault="production"), sent)

    assert words in errors_of(form, field)


@pytest.mark.django_db
def test_a_field_by_its_label_and_every_field_are_taken():
    one = ReferenceForm(make(), {"takes": "value", "key": "db", "json_field": "user name"})
    every = ReferenceForm(make(), {"takes": "keys", "key": "db"})

    assert one.is_valid(), one.errors
    assert every.is_valid(), every.errors
    assert one.reference_values["json_field"] == "user name"
    assert one.fields["json_field"].label == "Field"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("sent", "field", "words"),
    [
        ({"takes": "value", "key": "db"}, "key", "item/field"),
        ({"takes": "value", "key": "db/x", "json_field": "y"}, "json_field", "belongs to the name"),
        ({"takes": "value", "key": "a/b/c/d"}, "key", "A name is item/field"),
        ({"takes": "value", "key": "d(b)/x"}, "key", "its ID stands for it"),
        ({"takes": "path", "below": "db"}, "takes", onepassword_references.NO_FIND),
        ({"takes": "tags", "tags": "a=b"}, "takes", onepassword_references.NO_FIND),
    ],
)
def test_through_a_service_account_the_field_belongs_to_the_name(sent, field, words):
    form = ReferenceForm(make("service-account"), sent)

    assert words in errors_of(form, field)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("db/password", "db/password"),
        ("op://production/db/Section one/user", "db/Section one/user"),
        ("db/one-time password?attribute=otp", "db/one-time password?attribute=otp"),
    ],
)
def test_names_of_a_service_account_are_taken(text, key):
    form = ReferenceForm(make("service-account"), {"takes": "value", "key": text})

    assert form.is_valid(), form.errors
    assert form.reference_values["key"] == key


@pytest.mark.django_db
def test_a_pasted_list_is_held_to_the_same():
    found = listing.read(make("service-account"), "DB=db\nUSER=db/user")

    assert [bool(line.error) for line in found.lines] == [True, False]


# -- what a Connect server answers -----------------------------------------------------------------------------------
asks = [pytest.mark.sandbox, pytest.mark.django_db]


@pytest.fixture
def found(request):
    return worlds.of(SLUG, "connect", Sandbox(request))


@pytest.fixture
def stand_in(found, vendors):
    return vendors[SLUG]


@pytest.fixture
def manager(found) -> Any:
    return trials.connect(make_access(SLUG, found, found.writer))


NAMED = "of shop"
SENTENCES = [
    (401, f"token does not have write access {NAMED}", providers.PermissionMissing),
    (401, f"Invalid token signature {NAMED}", providers.CredentialRefused),
    (403, f"vault {NAMED} is not in scope", providers.PermissionMissing),
    (404, f"vault {NAMED} not found", providers.NotThere),
    (400, f"Invalid Vault UUID {NAMED}", providers.NotThere),
    (404, f"item {NAMED} not found", providers.NotThere),
    (400, f"The item doesn't have a {NAMED} field.", providers.ProviderError),
    (404, f"404 page not found {NAMED}", providers.NotThere),
    (400, f"Invalid filter {NAMED}", providers.ProviderError),
    (413, f"too large {NAMED}", providers.ProviderError),
    (429, f"slow {NAMED}", providers.Throttled),
]


def reasons() -> set[str]:
    return {one.reason.replace("{permission}", onepassword_connect.READ) for one in PROVIDER.refusals}


class TestRefusals:
    pytestmark = asks

    @pytest.mark.parametrize(("status", "sentence", "error"), SENTENCES)
    def test_each_is_told_in_our_words(self, manager, stand_in, status, sentence, error):
        stand_in.plant("faults", status=status, body={"status": status, "message": sentence})

        with pytest.raises(error) as refusal:
            manager.page()

        assert NAMED not in refusal.value.reason + refusal.value.remedy
        assert refusal.value.reason in reasons()

    def test_the_table_has_no_other(self, manager, stand_in):
        told = set()
        for status, sentence, _ in SENTENCES:
            stand_in.plant("faults", status=status, body={"message": sentence})
            with pytest.raises(providers.ProviderError) as refusal:
                manager.page()
            told.add(refusal.value.reason)

        assert told == reasons()

    @pytest.mark.parametrize(
        "body",
        [
            None,
            [],
            {},
            "text",
            7,
            [7],
            [{"id": 1}],
            {"id": "../../x", "name": "y"},
            {"message": [CANARY]},
            b"",
        ],
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


class TestVaults:
    pytestmark = asks

    def access(self, found: Any, vault: str) -> Any:
        return make_access(SLUG, found, found.good, configuration=found.configuration | {"vault": vault})

    def test_one_is_found_by_its_name_too(self, found):
        manager = trials.connect(self.access(found, "production"))

        assert len(manager.page().entries) == 100
        assert manager.whoami() == "a Connect token for the vault production"

    def test_one_that_is_not_there_is_the_forms_field(self, found):
        result = trials.try_access(self.access(found, "nowhere"))

        assert result.about == "vault"
        assert "no vault of that name" in result.reason

    def test_items_that_the_operator_would_not_find_are_read_by_their_id(self, found):
        entries = trials.connect(self.access(found, "twins")).page().entries

        alone = [entry for entry in entries if entry.name == entry.reference]
        same = [entry for entry in entries if entry.name.startswith("same (")]
        assert [entry.name for entry in alone] == ["plain"]
        assert len(entries) == 6
        assert len({entry.name for entry in same}) == 2
        assert {entry.description for entry in same} == {"2 items have this title; it is read by its ID."}
        for entry in entries:
            assert onepassword_references.CONNECT.read(entry.name).key == entry.reference

    def test_words_are_tags(self, manager):
        entry = next(one for one in manager.page().entries if one.name == "dev/billing/api-key")

        assert entry.tags == {"stage": "dev", "team": "billing"}
        assert entry.changed_at is not None
        assert entry.kind == "login"


class TestWriting:
    pytestmark = asks

    def test_an_item_without_a_password_is_left_alone(self, manager, stand_in):
        facts = {"fields": [{"id": "n", "label": "notesPlain", "value": "x"}]}
        stand_in.plant("item", title="a-note", facts=facts)

        with pytest.raises(
            providers.ProviderError, match="has no field that 1Password knows as its password"
        ):
            manager.put("a-note", CANARY)

        manager.delete("a-note")

    def test_other_fields_stay(self, manager, stand_in, found):
        before = found.value("dev/billing/api-key")
        manager.put("dev/billing/api-key", "other")

        assert found.value("dev/billing/api-key") == "other"
        manager.put("dev/billing/api-key", before)

    def test_one_of_two_alike_is_chosen_by_its_id(self, stand_in, found):
        place = found.configuration | {"vault": "twins"}
        manager: Any = trials.connect(make_access(SLUG, found, found.writer, configuration=place))
        own = stand_in.plant("item", title="same", vault="twins", facts={})["id"]

        with pytest.raises(providers.ProviderError, match="More than one item"):
            manager.put("same", "x")
        manager.delete(f"same ({own})")

        assert own not in {entry.reference for entry in manager.page().entries}

    @pytest.mark.parametrize("name", ["", " x", 'a"b', "a#b", ID, f"x ({ID})"])
    def test_a_new_one_has_a_title_that_the_operator_finds(self, name):
        with pytest.raises(NotReadable):
            PROVIDER.writing.name(None, name)


@pytest.mark.sandbox
@pytest.mark.django_db
def test_no_value_is_ever_asked_for(found, stand_in, manager):
    before = stand_in.plant("reads")

    trials.try_access(make_access(SLUG, found, found.good))
    manager.create(found.namespace + "never-read", CANARY, {})
    manager.put(found.namespace + "never-read", f"{CANARY}-2")
    manager.delete(found.namespace + "never-read")

    assert stand_in.plant("reads") == before


# -- a deploy ------------------------------------------------------------------------------------------------------
class TestDeploy:
    pytestmark = asks

    @pytest.fixture
    def document(self, stand_in, manager):
        """The ID of an item with a file."""
        file = {"id": "f1", "name": "ca.pem", "content": "-----BEGIN"}
        yield stand_in.plant("item", title="with file", facts={"files": [file]})["id"]
        manager.delete("with file")

    def test_fields_files_and_items_by_their_id_arrive(
        self, make_sandbox_cluster, settings, project, monkeypatch, organization, document, found
    ):
        monkeypatch.setattr(waiting, "LONGEST", 0.1)
        settings.OPERATOR_CHART = str(project / "sandbox" / "chart" / "external-secrets")
        kube = make_sandbox_cluster("sandbox")
        cluster = deploying.connected(kube, organization=organization)
        access = factories.make_access(
            cluster=cluster, provider=SLUG, method="connect", name="op", credential=found.good,
            configuration=found.configuration,
        )  # fmt: skip
        password = deploying.link(access, "prod/db-password", "DB_PASSWORD")
        user = deploying.link(access, "prod/db-password", "DB_USER", json_field="username")
        by_id = deploying.link(access, document, "CA", json_field="file/ca.pem")
        every = deploying.link(access, "staging/db-password", "", takes="keys")

        deploying.deploy(cluster)

        assert deploying.data(kube, password) == {"DB_PASSWORD": found.value("prod/db-password")}
        assert deploying.data(kube, user) == {"DB_USER": "shop"}
        assert deploying.data(kube, by_id) == {"CA": "-----BEGIN"}
        expected = {"username": "shop", "password": found.value("staging/db-password")}
        assert deploying.data(kube, every) == expected
        access.refresh_from_db()
        assert access.validated is True, access.validated_reason

    @pytest.mark.parametrize("method", ["connect", "service-account"])
    def test_the_wizard_leads_there(self, make_sandbox_cluster, organization, devops, sign_in, found, method):
        cluster = deploying.connected(make_sandbox_cluster("sandbox"), organization=organization)
        own = found.configuration | found.good if method == "connect" else SDK | {"token": service_token()}

        page, access = deploying.walk(sign_in(devops), cluster, SLUG, method, **own)

        assert access.result["listed"] is (method == "connect"), access.result
        assert access.result["untried"] is (method != "connect")
        assert "keyhaven --" in page
        assert own["token"] not in page
