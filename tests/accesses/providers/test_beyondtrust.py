"""What is particular to BeyondTrust Password Safe: its session, whom a key runs as, its names, refusals, and writing."""

import subprocess
import sys
from typing import Any

import pytest
import yaml

from accesses import manifests, providers, trials
from accesses.providers.beyondtrust import record as provider
from accesses.providers.beyondtrust import session
from accesses.providers.references import NotReadable
from tests import factories
from tests.accesses.worlds import Sandbox
from tests.accesses.worlds.beyondtrust import PLACE

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

SLUG = "beyondtrust"
CANARY = "canary-8823-value"


@pytest.fixture
def safe(request) -> Any:
    return Sandbox(request).vendor(SLUG)


def make(safe: Any, method: str = "oauth", who: str = "reader", password: str = "", **place: str) -> Any:
    user = safe["users"][who]
    public = {"client_id": user["client_id"]} if method == "oauth" else {"run_as": user["run_as"]}
    secret = {"client_secret": user["client_secret"]} if method == "oauth" else {"api_key": user["api_key"]}
    return factories.make_access(
        provider=SLUG, method=method, name="safe", configuration=PLACE | {"address": safe.url} | public | place,
        credential=secret | ({"password": password} if password else {}),
    )  # fmt: skip


# -- sessions -----------------------------------------------------------------------------------------------------
def test_a_session_is_ended_after_the_requests_that_it_was_begun_for(safe):
    before = safe.plant("sessions")["open"]
    manager: Any = trials.connect(make(safe, who="writer"))

    manager.page()
    manager.whoami()
    manager.create("prod/shop/session", "v", {})
    manager.delete("prod/shop/session")
    with pytest.raises(providers.NotThere):
        manager.put("prod/shop/nothing", "v")

    assert safe.plant("sessions")["open"] == before


def test_a_session_is_ended_where_a_request_in_it_is_refused(safe):
    before = safe.plant("sessions")["open"]

    with pytest.raises(providers.PermissionMissing):
        trials.connect(make(safe, who="limited")).page()

    assert safe.plant("sessions")["open"] == before


@pytest.mark.parametrize(
    ("header", "cookie"),
    [
        ("ASP.NET_SessionId=abc; path=/; secure; HttpOnly", "ASP.NET_SessionId=abc"),
        ("a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT; path=/, b=2; path=/", "a=1; b=2"),
        ("", ""),
    ],
)
def test_cookies_are_taken_without_what_is_said_about_them(header, cookie):
    assert "; ".join(session._COOKIE.findall(header)) == cookie


def test_a_user_whose_password_is_asked_for_needs_it(safe):
    password = safe["users"]["locked"]["password"]

    assert trials.connect(make(safe, "api-key", "locked", password)).whoami() == "acme\\svc-locked"
    with pytest.raises(providers.CredentialRefused):
        trials.connect(make(safe, "api-key", "locked")).page()


def test_a_key_of_somebody_else_is_refused(safe):
    with pytest.raises(providers.CredentialRefused):
        trials.connect(make(safe, "api-key", run_as="acme\\svc-writer")).page()


# -- no value is kept ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("old", [False, True])
def test_values_that_an_old_server_sends_are_dropped(safe, old):
    safe.plant("faults", old=old)
    manager: Any = trials.connect(make(safe))

    entries = manager.page().entries
    record = manager._find  # what writing looks at
    with manager._session.begun():
        found = record("prod", "db-password")

    assert entries
    assert "Password" not in found
    assert safe.plant("read", name="prod/db-password")["value"] not in repr(entries)


# -- the store ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["oauth", "api-key"])
def test_the_store_is_what_the_operator_takes(safe, method, shared, tmp_path):
    access = make(safe, method, version="3.1", separator=":")
    store = manifests.store(access)
    file = tmp_path / "store.yaml"
    file.write_text(yaml.safe_dump_all([store, manifests.secret(access)]))
    validator = shared / "tools" / "validate_manifests.py"

    checked = subprocess.run(
        [sys.executable, str(validator), str(file)], capture_output=True, text=True, check=False
    )

    server = store["spec"]["provider"]["beyondtrust"]["server"]
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert server == {
        "apiUrl": f"{safe.url}/BeyondTrust/api/public/v3/", "verifyCA": True, "retrievalType": "SECRET",
        "separator": ":", "apiVersion": "3.1",
    }  # fmt: skip


def test_the_key_is_stored_with_whom_it_runs_as():
    place = {"run_as": "acme\\svc"}

    assert session.api_key(place, {"api_key": "k"}) == "k; runas=acme\\svc;"
    assert session.api_key(place, {"api_key": "k", "password": "p"}) == "k; runas=acme\\svc; pwd=[p];"


@pytest.mark.parametrize(
    ("entered", "asked"),
    [
        ("https://bt.acme.com", "https://bt.acme.com/BeyondTrust/api/public/v3"),
        ("https://bt.acme.com/BeyondTrust/api/public/v3", "https://bt.acme.com/BeyondTrust/api/public/v3"),
    ],
)
def test_the_path_of_the_api_is_added(entered, asked):
    assert session.address({"address": entered}) == asked


# -- forms --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("address", "", "Enter the address."),
        ("address", "http://bt.acme.com", "begins with https"),
        ("folder", "shop", "looks like"),
        ("separator", "", "Enter the separator."),
        ("separator", "::", "at most 1 character"),
        ("version", "9", "not one of the available choices"),
        ("run_as", "a;b", "cannot have"),
        ("run_as", "", "Enter the run as."),
        ("api_key", "a\r\nX: y", "cannot have"),
        ("password", "a]b", "cannot have"),
    ],
)
def test_the_form_of_a_key_says_what_is_wrong(field, text, words):
    right = PLACE | {"address": "https://bt.acme.com", "run_as": "svc", "api_key": "k" * 128}

    form = provider.KeyForm(right | {field: text})

    assert words in " ".join(form.errors.get(field, []))


@pytest.mark.parametrize(
    ("field", "length"), [("client_id", 35), ("client_secret", 35), ("client_secret", 65)]
)
def test_a_client_has_the_length_that_the_operator_takes(field, length):
    right = PLACE | {"address": "https://bt.acme.com", "client_id": "c" * 36, "client_secret": "s" * 40}

    form = provider.OAuthForm(right | {field: "x" * length})

    assert list(form.errors) == [field]


# -- refusals -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("refusal", session.REFUSALS, ids=lambda one: str(one.status))
def test_each_refusal_is_told_in_our_words(safe, refusal):
    manager: Any = trials.connect(make(safe))

    with manager._session.begun():
        safe.plant("faults", status=refusal.status, body=CANARY, times=1)
        with pytest.raises(refusal.error) as told:
            manager._session.ask("GET", "Secrets", session.READ)

    assert told.value.reason == refusal.reason.replace("{permission}", session.READ)
    assert CANARY not in told.value.reason + told.value.remedy


@pytest.mark.parametrize("body", [5, "text", [5], [{}], {"a": 1}, [{"Title": None, "FolderPath": 7}], None])
def test_an_answer_of_another_shape_is_no_crash(safe, body, monkeypatch):
    manager: Any = trials.connect(make(safe))
    monkeypatch.setattr(manager._session, "ask", lambda *args, **asked: body)

    try:
        entries = manager.page().entries
    except providers.NotReachable:
        entries = []

    assert all(isinstance(entry.name, str) for entry in entries)


# -- references ---------------------------------------------------------------------------------------------------
def test_a_name_has_a_folder_and_a_title(safe):
    access = make(safe, separator=":")

    assert provider.REFERENCES.check(access, provider.REFERENCES.read("Shop:Data/base"), {}) == []
    for wrong in ("Shop", "Shop:", ":Database", "Shop::Database"):
        with pytest.raises(NotReadable, match="folder and title"):
            provider.REFERENCES.check(access, provider.REFERENCES.read(wrong), {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Shop/Db#password", "Take the # away"),
        ("arn:aws:x", "named by its folder"),
        ("", "named by its folder"),
    ],
)
def test_what_is_no_name_is_refused_with_the_reason(text, words):
    with pytest.raises(NotReadable, match=words):
        provider.REFERENCES.read(text)


@pytest.mark.parametrize("takes", ["keys", "path", "tags"])
def test_what_the_operator_cannot_take_is_refused_with_the_reason(safe, takes):
    from external_secrets.forms import ReferenceForm

    form = ReferenceForm(make(safe), {"takes": takes, "key": "a/b", "below": "a/", "tags": "a=b"})

    assert form.errors == {"takes": [provider.REFERENCES.cannot[takes]]}


def test_a_field_is_refused_with_the_reason(safe):
    from external_secrets.forms import ReferenceForm

    form = ReferenceForm(make(safe), {"takes": "value", "key": "a/b", "json_field": "password"})

    assert form.errors == {"json_field": [provider.NO_FIELD]}


# -- writing ------------------------------------------------------------------------------------------------------
def test_the_password_of_a_credential_is_replaced(safe):
    manager: Any = trials.connect(make(safe, who="writer"))

    manager.put("prod/shop/api-key", "second")

    found = safe.plant("read", name="prod/shop/api-key")
    assert found == {"value": "second", "kind": "Credential"}
    assert manager.page("prod/shop/api-key").entries[0].description == "Made by the sandbox"


def test_a_file_is_not_replaced(safe):
    safe.plant("make", name="prod/shop/key-file", kind="File", value="old")
    manager: Any = trials.connect(make(safe, who="writer"))

    with pytest.raises(providers.NotPossibleHere, match="is a file"):
        manager.put("prod/shop/key-file", "new")

    manager.delete("prod/shop/key-file")


def test_a_secret_is_made_in_a_folder_that_is_there(safe):
    manager: Any = trials.connect(make(safe, who="writer"))

    with pytest.raises(providers.NotThere, match="no folder prod/nowhere"):
        manager.create("prod/nowhere/x", CANARY, {})


def test_a_secret_is_made_only_in_the_access_s_folder_and_below_it(safe):
    manager: Any = trials.connect(make(safe, who="writer", folder=safe["folders"]["prod"]))

    manager.create("prod/shop/inside", "v", {})
    with pytest.raises(providers.NotThere):
        manager.create("dev/shop/outside", CANARY, {})

    manager.delete("prod/shop/inside")
    assert safe.plant("read", name="dev/shop/outside")["value"] is None


def test_a_value_that_is_too_long_is_refused_without_it(safe):
    manager: Any = trials.connect(make(safe, who="writer"))

    with pytest.raises(providers.ProviderError) as told:
        manager.create("prod/shop/long", CANARY * 400, {})

    assert "how long" in told.value.remedy
    assert CANARY not in told.value.remedy + told.value.reason
