"""What is particular to Delinea DevOps Secrets Vault: where it is, its JSON, its refusals, and what is written."""

from typing import Any

import pytest

from accesses import manifests, providers, trials
from accesses.providers.delinea import devops_secrets_vault as provider
from accesses.providers.delinea import devops_secrets_vault_client as client
from accesses.providers.references import NotReadable
from sandbox import reading_delinea_dsv
from tests import factories
from tests.accesses.worlds import Sandbox

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

SLUG = "delinea-devops-secrets-vault"
CANARY = "canary-7714-value"
PLACE = {"tenant": "acme", "tld": "com", "address": "", "client_id": "1234"}


@pytest.fixture
def vault(request) -> Any:
    return Sandbox(request).vendor(SLUG)


def make(vault: Any, who: str = "reader", **place: str) -> Any:
    name, secret = vault["clients"][who]
    return factories.make_access(
        provider=SLUG, method="client", name="vault",
        configuration=PLACE | {"address": vault.url, "client_id": name} | place, credential={"client_secret": secret},
    )  # fmt: skip


# -- where it is --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("place", "address"),
    [
        ({}, "https://acme.secretsvaultcloud.com"),
        ({"tld": "com.au"}, "https://acme.secretsvaultcloud.com.au"),
        ({"address": "https://dsv.acme.com"}, "https://dsv.acme.com"),
    ],
)
def test_the_console_asks_where_the_operator_asks(vault, place, address):
    access = make(vault, **({"address": ""} | place))
    spec = manifests.store(access)["spec"]["provider"]["delinea"]

    assert client.address(access.configuration) == address
    assert reading_delinea_dsv._url(spec, "secrets", "/shop/db") == f"{address}/v1/secrets/shop/db"
    assert ("urlTemplate" in spec) is ("address" in place)


def test_a_percent_sign_of_an_address_stays_one(vault):
    spec = manifests.store(make(vault, address="https://acme.com/a%20b"))["spec"]["provider"]["delinea"]

    assert reading_delinea_dsv._url(spec, "token", "") == "https://acme.com/a%20b/v1/token"


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("tenant", "", "Enter the tenant."),
        ("tenant", "acme.com", "small letters"),
        ("tld", "com/x", "how an address ends"),
        ("address", "http://metadata.google.internal/", "never called"),
        ("client_id", "", "Enter the client ID."),
        ("client_secret", "", "Enter the client secret."),
    ],
)
def test_the_form_says_what_is_wrong(field, text, words):
    form = provider.ClientForm(PLACE | {"client_secret": "s"} | {field: text})

    assert words in " ".join(form.errors.get(field, []))


# -- signing in and refusals --------------------------------------------------------------------------------------
def test_a_token_is_renewed_before_it_ends(vault, monkeypatch):
    signed_in = client.Session(make(vault))
    first = signed_in.headers()
    now = client.time.monotonic()
    monkeypatch.setattr(client.time, "monotonic", lambda: now + 3550)

    renewed = signed_in.headers()

    assert renewed != first


def test_the_test_leaves_open_what_only_reading_would_tell(vault):
    result = trials.try_access(make(vault))

    facts = {fact.label: fact for fact in result.facts}
    assert result.usable
    assert facts["read"].ok is None
    assert "Only reading a value" in facts["read"].text


@pytest.mark.parametrize("refusal", client.REFUSALS, ids=lambda one: str(one.status))
def test_each_refusal_is_told_in_our_words(vault, refusal):
    manager = trials.connect(make(vault))
    manager.page()
    vault.plant("faults", status=refusal.status, body={"code": refusal.status, "message": CANARY})

    with pytest.raises(refusal.error) as told:
        manager.page()

    assert told.value.reason == refusal.reason.replace("{permission}", "list")
    assert CANARY not in told.value.reason + told.value.remedy


@pytest.mark.parametrize(
    "body", [{"data": 5}, {"data": [{}]}, {"data": [None]}, [], "text", {"data": [{"path": 1}]}, {}]
)
def test_an_answer_of_another_shape_is_no_crash(vault, body):
    manager = trials.connect(make(vault))
    manager.page()
    vault.plant("faults", status=200, body=body)

    try:
        entries = manager.page().entries
    except providers.NotReachable:
        entries = []

    assert all(isinstance(entry.name, str) for entry in entries)


@pytest.mark.parametrize("body", [None, {}, [], {"accessToken": "t", "expiresIn": "soon"}])
def test_a_token_of_another_shape_is_no_crash(vault, body):
    manager = trials.connect(make(vault))
    vault.plant("faults", status=200, body=body)

    with pytest.raises(providers.NotReachable):
        manager.page()


# -- references ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "key", "json_field"),
    [("shop/db#password", "shop/db", "password"), ("shop:db", "shop/db", ""), ("/shop/db/", "shop/db", "")],
)
def test_a_reference_is_a_path_with_slashes_or_colons(text, key, json_field):
    found = provider.REFERENCES.read(text)

    assert (found.key, found.json_field) == (key, json_field)


@pytest.mark.parametrize("text", ["arn:aws:x", "https://acme.com/x", "shop//db", "shop/dß", "", "a?b"])
def test_what_is_no_path_is_refused(text):
    with pytest.raises(NotReadable):
        provider.REFERENCES.read(text)


@pytest.mark.parametrize("takes", ["path", "tags"])
def test_what_the_operator_cannot_take_is_refused_with_the_reason(vault, takes):
    from external_secrets.forms import ReferenceForm

    form = ReferenceForm(make(vault), {"takes": takes, "below": "prod/", "tags": "a=b"})

    assert form.errors == {"takes": [provider.UNLISTED]}


# -- writing ------------------------------------------------------------------------------------------------------
def test_a_new_value_leaves_no_key_of_the_old_one_and_keeps_the_attributes(vault):
    manager: Any = trials.connect(make(vault, "writer"))
    manager.create("prod/shop/whole", '{"old": "1", "both": "2"}', {"team": "shop"})

    manager.put("prod/shop/whole", '{"both": "3"}')

    entry = manager.page("prod/shop/whole").entries[0]
    assert vault.plant("read", name="prod/shop/whole")["data"] == {"both": "3"}
    assert entry.tags == {"team": "shop"}


@pytest.mark.parametrize("value", ["plain", "[1, 2]", "7", "{}", "{broken"])
def test_what_is_no_object_is_kept_under_one_key(vault, value):
    manager: Any = trials.connect(make(vault, "writer"))
    name = f"prod/shop/plain-{abs(hash(value))}"

    manager.create(name, value, {})

    assert vault.plant("read", name=name)["data"] == {"value": value}


def test_what_was_not_deleted_is_not_brought_back(vault):
    manager: Any = trials.connect(make(vault, "writer"))

    with pytest.raises(providers.NotThere):
        manager.restore("prod/shop/db-password")
