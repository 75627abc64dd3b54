"""What is particular to Conjur: its forms, its sign-in, its pages, its refusals, and what is deployed for it."""

import base64
import subprocess
import sys
from typing import Any

import pytest
import yaml

from accesses import manifests, providers, trials
from accesses.providers import references
from accesses.providers.conjur import client as conjur_client
from accesses.providers.conjur import forms as conjur_forms
from accesses.providers.conjur import session as conjur_session
from credentials.clouds import errors
from tests import factories
from tests.accesses.providers.forms import errors_of
from tests.accesses.worlds import conjur as played

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

PROVIDER = providers.PROVIDERS["conjur"]
RULES = PROVIDER.references


@pytest.fixture
def conjur(vendors) -> Any:
    vendors["conjur"].plant("reset")
    yield vendors["conjur"]
    vendors["conjur"].plant("longest", limit=0)


def make(conjur: Any, who: str = "reader", **fields: Any) -> Any:
    configuration = played.configuration(conjur, "api-key", login=conjur[who], **fields)
    return factories.make_access(
        provider="conjur", method="api-key", configuration=configuration, credential=played.key(conjur, who)
    )


# -- forms ---------------------------------------------------------------------------------------------------
def details(conjur: Any, **fields: str) -> dict[str, str]:
    return played.configuration(conjur, "api-key") | fields


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("address", "conjur", "Enter an address such as"),
        ("address", "http://169.254.169.254", "never called"),
        ("account", "a/b", "a/b is no account"),
        ("branch", "root", "never in root"),
        ("branch", "a b", "is no policy"),
        ("login", "host/a b", "is no user or host"),
        ("ca", "nonsense", "no certificate in PEM"),
        ("api_key", "", "Enter the API key, or the password of a user."),
    ],
)
def test_what_is_wrong_is_said_at_its_field(conjur, field, typed, words):
    form = conjur_forms.ApiKeyForm(details(conjur, api_key="k") | {field: typed})

    assert words in errors_of(form, field)


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("service", "a b", "is no service ID"),
        ("host", "jwt-apps/x", "host/jwt-apps/x"),
        ("audience", "two words", "An audience is one word"),
    ],
)
def test_so_it_is_with_an_authenticator(conjur, field, typed, words):
    form = conjur_forms.JwtForm(played.configuration(conjur, "jwt") | {field: typed})

    assert words in errors_of(form, field)


def test_slashes_and_the_long_name_of_a_service_are_taken_off(conjur):
    typed = {"branch": "/keyhaven/", "service": "conjur/authn-jwt/keyhaven"}
    form = conjur_forms.JwtForm(played.configuration(conjur, "jwt") | typed)

    assert form.is_valid(), form.errors
    assert (form.configuration()["branch"], form.configuration()["service"]) == ("keyhaven", "keyhaven")


def test_a_password_becomes_the_users_key_and_is_not_kept(conjur):
    form = conjur_forms.ApiKeyForm(details(conjur, login=conjur["user"], password=conjur["password"]))

    assert form.is_valid(), form.errors
    assert form.credential(None) == {"api_key": conjur["keys"][conjur["user"]]}
    assert conjur["password"] not in repr(form.configuration())


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"login": "alice", "password": "wrong-1"}, "Conjur does not take this user's password."),
        ({"login": "host/apps/keyhaven", "password": "wrong-1"}, "A host has no password"),
        ({"login": "alice", "password": "wrong-1", "api_key": "k"}, "not both"),
    ],
)
def test_a_password_that_gives_no_key_is_refused_and_not_shown(conjur, fields, words):
    form = conjur_forms.ApiKeyForm(details(conjur, **fields))

    assert words in errors_of(form, "password")
    assert "wrong-1" not in form.as_p()


# -- signing in ----------------------------------------------------------------------------------------------
def test_a_token_is_renewed_before_it_is_over(conjur, monkeypatch):
    client: Any = trials.connect(make(conjur))
    client.page()
    conjur.plant("faults", ahead=600)
    later = conjur_session.time.monotonic() + 301
    monkeypatch.setattr(conjur_session.time, "monotonic", lambda: later)
    conjur.plant("faults")

    assert client.page().entries


def test_it_says_as_whom(conjur):
    assert trials.connect(make(conjur)).whoami() == "acme:host/apps/keyhaven"


def test_whether_values_may_be_read_is_asked_of_conjur(conjur):
    said = {who: trials.try_access(make(conjur, who)) for who in ("reader", "lister")}

    told = {who: {fact.label: fact.ok for fact in one.facts} for who, one in said.items()}
    assert told["reader"]["execute"] is True
    assert told["lister"]["execute"] is False
    assert "privileges: [ read, execute ]" in said["lister"].policy


def test_who_is_not_let_in_by_the_cluster_is_told_so(conjur, sandbox_cluster):
    configuration = played.configuration(conjur, "jwt", host="host/jwt-apps/another")
    access = factories.make_access(
        provider="conjur", method="jwt", configuration=configuration, credential=None
    )
    played.trusts(conjur, sandbox_cluster)(access)

    result = trials.try_access(access)

    assert result.refused
    assert "does not trust the cluster's token" in result.reason
    assert result.about == "service"


@pytest.mark.parametrize(
    "table", [conjur_session.KEY_REFUSALS, conjur_session.JWT_REFUSALS, conjur_client.REFUSALS]
)
def test_every_refusal_of_the_table_becomes_its_error(conjur, table):
    for one in table:
        api = providers_api(conjur, table)
        conjur.plant("faults", status=one.status, body={"error": {"message": "canary-words"}})

        with pytest.raises(one.error) as refusal:
            api.ask("GET", "/whoami", permission="execute")

        conjur.plant("faults")
        assert refusal.value.reason == one.reason.replace("{permission}", "execute")
        assert "canary-words" not in refusal.value.reason + refusal.value.remedy


def providers_api(conjur: Any, table: Any) -> Any:
    from accesses.providers.asking import Api

    return Api("Conjur", conjur.url, table)


@pytest.mark.parametrize(
    "fault",
    [
        {"html": True},
        {"status": 200, "body": []},
        {"status": 200, "body": "x"},
        {"status": 302, "location": "http://x/"},
    ],
)
def test_who_is_not_conjur_is_not_understood(conjur, fault):
    client = trials.connect(make(conjur))
    conjur.plant("faults", **fault)

    with pytest.raises(errors.NotReachable):
        client.page()


@pytest.mark.parametrize(
    "body", [[{"id": 1}], [[]], {"count": 1}, [{"id": "a:variable:b", "created_at": "x"}]]
)
def test_a_list_of_another_shape_is_not_understood(conjur, body):
    client: Any = trials.connect(make(conjur))
    client.page()
    conjur.plant("faults", status=200, body=body)

    with pytest.raises(errors.NotReachable):
        client.page()


# -- pages ---------------------------------------------------------------------------------------------------
def test_a_prefix_is_paged_as_well(conjur):
    client = trials.connect(make(conjur))
    first = client.page("prod/")
    second = client.page("prod/", first.cursor)

    names = [name for name in conjur["names"] if name.startswith("prod/")]
    assert len(first.entries) == 100 < len(names)
    assert [one.name for one in [*first.entries, *second.entries]][:150] == names[:150]


def test_a_limit_that_an_administrator_set_is_kept(conjur):
    conjur.plant("longest", limit=100)

    entries = trials.connect(make(conjur)).page("prod/").entries

    assert entries


def test_annotations_are_tags(conjur):
    entry = trials.connect(make(conjur)).page("prod/db-password").entries[0]

    assert entry.tags["stage"] == "prod"
    assert entry.reference == "acme:variable:prod/db-password"


# -- references ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("typed", "key", "field", "account"),
    [
        ("prod/db/password", "prod/db/password", "", ""),
        ("prod/db#user.name", "prod/db", "user.name", ""),
        ("acme:variable:prod/db#user", "prod/db", "user", "acme"),
    ],
)
def test_references_are_read(typed, key, field, account):
    found = RULES.read(typed)

    assert (found.key, found.json_field, found.account) == (key, field, account)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("https://conjur/x", "This is an address"),
        ("acme:host:apps/x", "This is a host"),
        ("/prod/db", "no slash begins"),
        ("prod//db", "no slash begins"),
        ("a\x00b", "control characters"),
    ],
)
def test_what_is_no_reference_is_refused(typed, words):
    with pytest.raises(references.NotReadable, match=words):
        RULES.read(typed)


def test_another_account_is_another_access(conjur):
    with pytest.raises(references.NotReadable, match="Add an access for other"):
        RULES.check(make(conjur), RULES.read("other:variable:x"), {})


def test_there_are_no_versions_to_choose():
    assert RULES.versions == {}
    assert "no versions to choose" in RULES.key_help


# -- writing -------------------------------------------------------------------------------------------------
def test_who_only_reads_is_told_what_is_missing(conjur):
    client: Any = trials.connect(make(conjur, branch="keyhaven"))

    with pytest.raises(errors.PermissionMissing) as refusal:
        client.create("keyhaven/new", "canary-value", {})

    assert refusal.value.permission == "create on the policy keyhaven"
    assert "owner: !host apps/keyhaven" in refusal.value.policy
    assert "canary-value" not in repr(refusal.value)


def test_a_policy_that_is_not_there_is_named(conjur):
    client: Any = trials.connect(make(conjur, "writer", branch="other"))

    with pytest.raises(errors.PermissionMissing, match="There is no policy other"):
        client.create("other/new", "v", {})


@pytest.mark.parametrize(
    "name", ["prod/db", "keyhaven", "keyhaven/", "keyhaven/a b", 'keyhaven/"\n- !x', "keyhaven//x"]
)
def test_nothing_is_written_elsewhere(conjur, name):
    access = make(conjur, "writer", branch="keyhaven")

    with pytest.raises(references.NotReadable, match="below keyhaven/ alone"):
        PROVIDER.writing.name(access, name)
    with pytest.raises(errors.ProviderError):
        trials.connect(access).create(name, "v", {})


def test_without_a_branch_nothing_is_written(conjur):
    with pytest.raises(references.NotReadable, match="names no policy branch"):
        PROVIDER.writing.name(make(conjur), "prod/db")


def test_tags_stay_words_in_the_policy(conjur):
    client: Any = trials.connect(make(conjur, "writer", branch="keyhaven"))
    tags = {"a: b": '"\n- !delete\n  record: !variable x', "#": "{{ x }}"}

    client.create("keyhaven/odd", "v", tags)

    assert client.page("keyhaven/odd").entries[0].tags == tags


def test_a_variable_whose_value_is_refused_does_not_stay(conjur):
    client: Any = trials.connect(make(conjur, "writer", branch="keyhaven"))

    with pytest.raises(errors.NotValid):
        client.create("keyhaven/empty", "", {})

    assert client.page("keyhaven/empty").entries == []


# -- deployed ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("method", "ca"), [("api-key", ""), ("api-key", "ca"), ("jwt", ""), ("jwt", "ca")])
def test_its_manifests_satisfy_the_operators_schema(conjur, method, ca, shared, tmp_path):
    configuration = played.configuration(conjur, method, ca=ca)
    credential = played.key(conjur, "reader") if method == "api-key" else None
    access = factories.make_access(
        provider="conjur", method=method, configuration=configuration, credential=credential
    )
    found = [manifests.store(access), manifests.secret(access), manifests.service_account(access)]
    file = tmp_path / "manifests.yaml"
    file.write_text(yaml.safe_dump_all(filter(None, found)))

    checked = subprocess.run(
        [sys.executable, str(shared / "tools" / "validate_manifests.py"), str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    spec = found[0]["spec"]["provider"]["conjur"]
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert base64.b64decode(spec.get("caBundle", "")).decode().strip() == ca
