"""What is particular to Delinea Secret Server: its sign-in, its paths and fields, its refusals, and what is written where."""

import subprocess
import sys
from typing import Any

import pytest
import yaml

from accesses import manifests, providers, trials
from accesses.providers.delinea import secret_server as provider
from accesses.providers.delinea import secret_server_client as client
from accesses.providers.references import NotReadable
from tests import factories
from tests.accesses.worlds import Sandbox
from tests.accesses.worlds.delinea_secret_server import PLACE

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

SLUG = "delinea-secret-server"
CANARY = "canary-5511-value"


@pytest.fixture
def server(request) -> Any:
    return Sandbox(request).vendor(SLUG)


def make(server: Any, method: str = "password", who: str = "reader", **place: str) -> Any:
    name, password = server[who]
    password_way = method == "password"
    configuration = PLACE | {"address": server.url, "template": "6050"}
    return factories.make_access(
        provider=SLUG, method=method, name="vault",
        configuration=configuration | ({"user": name, "domain": ""} if password_way else {}) | place,
        credential={"password": password} if password_way else {"token": server["tokens"][who]},
    )  # fmt: skip


def names(manager: Any) -> list[str]:
    found, cursor, more = [], "", True
    while more:
        page = manager.page(cursor=cursor)
        found += [entry.name for entry in page.entries]
        cursor, more = page.cursor, bool(page.cursor)
    return found


# -- signing in ---------------------------------------------------------------------------------------------------
def test_an_account_of_a_directory_signs_in_with_its_domain(server):
    access = make(server, who="directory", domain=server["domain"])
    without = make(server, who="directory")

    manager = trials.connect(access)

    assert manager.whoami() == "svc-directory"
    with pytest.raises(providers.CredentialRefused):
        trials.connect(without).page()


def test_a_token_of_a_password_is_renewed_before_it_ends(server, monkeypatch):
    signed_in = client.Session(make(server))
    first = signed_in.headers()
    same = signed_in.headers()
    now = client.time.monotonic()
    monkeypatch.setattr(client.time, "monotonic", lambda: now + 1150)

    renewed = signed_in.headers()

    assert same == first
    assert renewed != first


def test_what_is_tried_is_told_with_what_the_role_may(server):
    result = trials.try_access(make(server))

    assert result.usable
    facts = {fact.label: (fact.ok, fact.text) for fact in result.facts}
    assert facts["Sign in"] == (True, "As svc-reader")
    assert facts["View Secret"] == (True, "Its role there is View")


# -- listing ------------------------------------------------------------------------------------------------------
def test_a_folder_narrows_the_list_to_what_is_below_it(server):
    folder = server["folders"]["/prod/shop"]

    found = names(trials.connect(make(server, folder=str(folder))))

    assert found
    assert all(name.startswith("/prod/shop/") for name in found)


def test_what_the_operator_cannot_read_is_marked(server):
    name = names(trials.connect(make(server)))[3]
    server.plant("wants", name=name, wants=["requiresApproval", "requiresComment"])

    entry = trials.connect(make(server)).page(prefix=name).entries[0]

    server.plant("wants", name=name, wants=[])
    assert entry.description == "The operator cannot read it: it wants an approval, wants a comment."


@pytest.mark.parametrize(
    "body",
    [
        {"records": None}, {"records": [{"id": "x", "name": "a"}]}, {"records": [{"id": 1}]}, [], "text", 7,
        {"records": [None]}, {},
    ],
)  # fmt: skip
def test_an_answer_of_another_shape_is_no_crash(server, body):
    manager = trials.connect(make(server, "token"))
    server.plant("faults", status=200, body=body)

    with pytest.raises(providers.NotReachable):
        manager.page()


@pytest.mark.parametrize("refusal", client.REFUSALS, ids=lambda one: f"{one.status}-{one.code}")
def test_each_refusal_is_told_in_our_words(server, refusal):
    manager = trials.connect(make(server, "token"))
    server.plant("faults", status=refusal.status, body={"errorCode": refusal.code, "message": CANARY})

    with pytest.raises(refusal.error) as told:
        manager.page()

    assert told.value.reason == refusal.reason.replace("{permission}", "View Secret")
    assert CANARY not in told.value.reason + told.value.remedy


def test_a_sign_in_that_is_refused_says_nothing_of_the_password(server):
    access = make(server, user="svc-writer")

    with pytest.raises(providers.CredentialRefused) as told:
        trials.connect(access).page()

    assert access.credential["password"] not in told.value.reason + told.value.remedy
    assert "password" in told.value.reason


# -- the store ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["password", "token"])
def test_the_store_is_what_the_operator_takes(server, method, shared, tmp_path, authority):
    access = make(
        server, method, ca=authority, **({"domain": "acme.example"} if method == "password" else {})
    )
    store = manifests.store(access)
    file = tmp_path / "store.yaml"
    file.write_text(yaml.safe_dump_all([store, manifests.secret(access)]))
    validator = shared / "tools" / "validate_manifests.py"

    checked = subprocess.run(
        [sys.executable, str(validator), str(file)], capture_output=True, text=True, check=False
    )

    spec = store["spec"]["provider"]["secretserver"]
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert spec["serverURL"] == server.url
    assert spec["caBundle"]
    assert ("token" in spec, "domain" in spec) == ((False, True) if method == "password" else (True, False))


@pytest.fixture
def authority() -> str:
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "acme")])
    made = x509.CertificateBuilder(
        name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1)
    ).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode().strip()


# -- forms --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("address", "", "Enter the address."),
        ("address", "acme", "Enter an address such as"),
        ("address", "http://169.254.169.254/", "never called"),
        ("folder", "x", "An ID is a number"),
        ("folder", "-1", "An ID is a number"),
        ("template", "0", "An ID is a number"),
        ("ca", "hello", "no certificate in PEM"),
        ("password", "", "Enter the password."),
        ("user", "", "Enter the user name."),
    ],
)
def test_the_form_says_what_is_wrong(field, text, words):
    right = PLACE | {"address": "https://vault.acme.com", "user": "svc", "password": "p"}

    form = provider.PasswordForm(right | {field: text})

    assert words in " ".join(form.errors.get(field, []))


# -- references ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "key", "json_field"),
    [
        ("/Shop/Database#password", "/Shop/Database", "password"),
        ("\\Shop\\Database", "/Shop/Database", ""),
        ("1234#username", "1234", "username"),
        ("Database", "Database", ""),
        ("folderId:12/Database", "folderId:12/Database", ""),
        ("https://vault.acme.com/app/#/secrets/1234/general", "1234", ""),
        ("https://acme.secretservercloud.com/SecretServer/app/#/secret/77/general", "77", ""),
    ],
)
def test_a_reference_is_a_path_an_id_or_a_name(text, key, json_field):
    found = provider.REFERENCES.read(text)

    assert (found.key, found.json_field) == (key, json_field)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("arn:aws:secretsmanager:eu-west-3:1:secret:x", "a cloud"),
        ("Shop/Database", "begins with /"),
        ("/Shop/", "nothing behind it"),
        ("/Shop//Database", "nothing behind it"),
        ("https://vault.acme.com/app/#/dashboard", "names no secret"),
        ("/a" * 500, "at most"),
    ],
)
def test_what_is_no_reference_is_refused_with_the_reason(text, words):
    with pytest.raises(NotReadable, match=words):
        provider.REFERENCES.read(text)


def test_a_reference_without_a_field_or_a_folder_is_noted(server):
    notes = provider.REFERENCES.check(make(server), provider.REFERENCES.read("Database"), {})

    assert [note.title for note in notes] == ["Name a field", "A name alone may be of several"]


@pytest.mark.parametrize("takes", ["path", "tags"])
def test_what_the_operator_cannot_take_is_refused_with_the_reason(server, takes):
    from external_secrets.forms import ReferenceForm

    form = ReferenceForm(make(server), {"takes": takes, "below": "/prod/", "tags": "a=b"})

    assert not form.is_valid()
    assert form.errors["takes"] == [provider.REFERENCES.cannot[takes]]
    assert set(form.errors) == {"takes"}


# -- writing ------------------------------------------------------------------------------------------------------
def test_a_secret_is_made_in_a_folder_that_is_there(server):
    manager: Any = trials.connect(make(server, who="writer"))

    with pytest.raises(providers.NotThere, match="There is no folder /prod/nowhere"):
        manager.create("/prod/nowhere/x", CANARY, {})


def test_a_template_that_wants_more_than_a_value_is_refused_with_what_to_choose(server):
    manager: Any = trials.connect(make(server, who="writer", template=server["two_fields"]))

    with pytest.raises(providers.ProviderError) as told:
        manager.create("/prod/shop/wants-more", CANARY, {})

    assert "only one field may be required" in told.value.remedy


def test_a_deactivated_one_is_not_made_again(server):
    manager: Any = trials.connect(make(server, who="writer"))
    manager.create("/prod/shop/once", "first", {})
    manager.delete("/prod/shop/once")

    with pytest.raises(providers.AlreadyThere, match="brought back"):
        manager.create("/prod/shop/once", "second", {})
    with pytest.raises(providers.NotThere):
        manager.put("/prod/shop/once", "second")


def test_what_was_not_deactivated_is_not_brought_back(server):
    manager: Any = trials.connect(make(server, who="writer"))

    with pytest.raises(providers.NotThere):
        manager.restore("/prod/shop/db-password")


@pytest.mark.parametrize(
    "name", ["db", "/db", "shop/db", "/shop/", "/shop//db", "/shop\\db", "/s/" + "x" * 200]
)
def test_a_name_to_write_is_a_path_in_a_folder(server, name):
    with pytest.raises(NotReadable):
        provider.PROVIDER.writing.name(make(server), name)


def test_without_a_template_nothing_is_made(server):
    with pytest.raises(NotReadable, match="no secret template"):
        provider.PROVIDER.writing.name(make(server, template=""), "/shop/db")
