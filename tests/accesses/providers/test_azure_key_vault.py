"""Azure Key Vault: what is special of it. What every provider keeps is in tests/accesses/test_providers.py."""

import html
import json
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest
import yaml

from accesses import about, manifests, trials
from accesses.providers import PROVIDERS
from accesses.providers.azure import forms as azure_forms
from accesses.providers.azure import key_vault as azure_key_vault
from accesses.providers.azure import wording as azure_wording
from accesses.providers.base import Situation
from accesses.providers.references import NotReadable
from credentials.clouds import errors
from sandbox import reading_azure
from tests import factories
from tests.accesses.worlds import Sandbox, make_access
from tests.accesses.worlds import azure_key_vault as world

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

PROVIDER = PROVIDERS["azure-key-vault"]
REFERENCES = PROVIDER.references
TENANT, CLIENT = "00000000-1111-2222-3333-444444444444", "00000000-5555-6666-7777-888888888888"
SECRET = "canary~0123456789abcdefghijklmnopqrstuv"
IDS = {"tenant": TENANT, "client": CLIENT}
VERSION = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def azure(request):
    found = Sandbox(request).azure
    found.plant("vaults/vault")
    return found


@pytest.fixture
def make(azure):
    """Return a function that makes an access of one of the stand-in's applications."""

    def access(app="vault-reader", vault="", **fields):
        fields.setdefault("configuration", world.configuration(azure, app, vault))
        fields.setdefault("credential", {"client_secret": azure.apps[app]["client_secret"]})
        return factories.make_access(provider=PROVIDER.slug, method="service-principal", **fields)

    return access


@pytest.fixture
def writer(make):
    return trials.connect(make("vault-writer"))


def form(method="service-principal", **fields):
    found = {"vault": "acme", "environment": "AzureCloud", **IDS, "client_secret": SECRET} | fields
    return PROVIDER.method(method).form(found)


# -- the form --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("typed", "vault", "cloud"),
    [
        ("acme", "acme", "AzureCloud"),
        ("Acme-Prod", "acme-prod", "AzureCloud"),
        ("https://acme.vault.azure.net/", "acme", "AzureCloud"),
        ("acme.vault.azure.net", "acme", "AzureCloud"),
        ("https://acme.vault.azure.net:443/secrets", "acme", "AzureCloud"),
        ("https://acme.vault.usgovcloudapi.net", "acme", "AzureUSGovernment"),
        ("https://acme.vault.azure.cn", "acme", "AzureChinaCloud"),
    ],
)
def test_a_vault_is_named_by_its_name_or_its_address_which_says_its_cloud(typed, vault, cloud):
    found = form(vault=typed)

    assert found.is_valid(), found.errors
    assert (found.configuration()["vault"], found.configuration()["environment"]) == (vault, cloud)


@pytest.mark.parametrize(
    "typed",
    [
        "ab", "1acme", "acme-", "ac--me", "a" * 25, "acme_prod", "acme prod", "https://acme.example.com",
        "http://acme.vault.azure.net", "https://acme.vault.azure.net:8443", "https://u:p@acme.vault.azure.net",
        "https://vault.azure.net", "https://acme.vault.azure.net.evil.example", "https://[", "../secrets",
        "https://169.254.169.254/acme.vault.azure.net", "https://hsm.managedhsm.azure.net",
    ],
)  # fmt: skip
def test_what_names_no_vault_is_refused_at_its_field(typed):
    found = form(vault=typed)

    assert not found.is_valid()
    assert list(found.errors) == ["vault"]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("client", TENANT, "This is what stands under Tenant ID"),
        ("client", "acme.onmicrosoft.com", "This is a domain"),
        ("tenant", "", "Enter the tenant ID"),
        ("client_secret", CLIENT, "This is the secret's ID"),
        ("client_secret", "short", "A client secret has about 40 characters"),
        ("client_secret", "", "Enter the client secret"),
    ],
)
def test_a_wrong_id_or_secret_is_told_at_its_field_without_quoting_it(field, value, words):
    found = form(**{field: value})

    assert words in html.unescape(str(found.errors[field]))
    assert not value or len(value) < 10 or value not in str(found.errors)


def test_a_cloud_credential_brings_tenant_client_and_secret(azure, organization):
    app = azure.apps["vault-reader"]
    chosen = factories.make_cloud_credential(
        organization=organization, cloud="azure", method="service-principal", name="azure-prod",
        secret={"client_secret": app["client_secret"]},
        facts={name: app[name] for name in ("tenant", "client", "object", "subscription")} | {"environment": "AzureCloud"},
    )  # fmt: skip
    cluster = factories.make_cluster(organization=organization)
    found = PROVIDER.method("service-principal").form(
        {"vault": "acme", "cloud_credential": "azure-prod"}, situation=Situation(cluster)
    )

    assert found.is_valid(), found.errors
    access = factories.make_access(
        provider=PROVIDER.slug, method="service-principal", cluster=cluster, cloud_credential=chosen,
        configuration=found.configuration(), credential=found.credential({}),
    )  # fmt: skip

    assert access.credential == {}
    assert trials.try_access(access).listed
    assert app["client_secret"] not in repr(manifests.preview(access))
    assert set(manifests.secret(access)["data"]) == {"client-id", "client-secret"}


def test_a_cloud_credential_of_another_cloud_or_beside_a_typed_secret_is_refused(organization):
    factories.make_cloud_credential(
        organization=organization, cloud="azure", method="service-principal", name="azure-prod",
        secret={"client_secret": SECRET}, facts=IDS | {"environment": "AzureCloud"},
    )  # fmt: skip
    given = {"vault": "acme", "environment": "AzureChinaCloud", "cloud_credential": "azure-prod"}
    found = PROVIDER.method("service-principal").form(
        given | {"client_secret": SECRET},
        situation=Situation(factories.make_cluster(organization=organization)),
    )

    told = str(found.errors["cloud_credential"])

    assert "another of Azure" in told
    assert "not both" in told
    assert SECRET not in str(found)


def test_the_secret_of_another_application_does_not_stay_with_a_new_one():
    method = PROVIDER.method("service-principal")
    kept = {"client_secret": SECRET}
    other = method.form(
        {"vault": "acme", **IDS, "client_secret": "n" * 40}, initial={"client": TENANT}, stored=kept
    )

    assert other.is_valid(), other.errors
    assert other.credential(kept) == {"client_secret": "n" * 40}


# -- the manifests ---------------------------------------------------------------------------------------------
WAYS = [
    ("service-principal", IDS), ("workload-identity", IDS), ("ambient", {"identity": ""}),
    ("ambient", {"identity": CLIENT}),
]  # fmt: skip


@pytest.mark.parametrize("cloud", azure_forms.CLOUDS)
def test_every_method_makes_a_store_that_the_operator_takes(cloud, shared, tmp_path):
    made = []
    for method, more in WAYS:
        access = factories.make_access(
            provider=PROVIDER.slug, method=method, configuration={"vault": "acme", "environment": cloud} | more,
            credential={"client_secret": SECRET} if method == "service-principal" else {},
        )  # fmt: skip
        account = manifests.service_account(access)
        spec = manifests.store(access)["spec"]["provider"]["azurekv"]
        made += [*manifests.stores(access), manifests.secret(access), account]
        assert spec["vaultUrl"] == f"https://acme.{azure_forms.CLOUDS[cloud].domain}"
        assert spec.get("identityId", "") == more.get("identity", "")
        # The operator refuses a tenant that is said twice.
        assert ("tenantId" in spec) == (method == "service-principal")
        assert (account is not None) == (method == "workload-identity")
    file = tmp_path / "manifests.yaml"
    file.write_text(yaml.safe_dump_all(filter(None, made)))

    checked = subprocess.run(
        [sys.executable, str(shared / "tools" / "validate_manifests.py"), str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert checked.returncode == 0, checked.stdout + checked.stderr


# -- references ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("typed", "key", "field", "version"),
    [
        ("db", "db", "", ""),
        (" db#user.name ", "db", "user.name", ""),
        ("secret/db", "db", "", ""),
        ("https://acme.vault.azure.net/secrets/db", "db", "", ""),
        (f"https://acme.vault.azure.net/secrets/db/{VERSION}", "db", "", VERSION),
        (f"https://acme.vault.azure.net/secrets/db/{VERSION}#user", "db", "user", VERSION),
    ],
)
def test_a_name_or_an_identifier_is_understood(typed, key, field, version):
    found = REFERENCES.read(typed)

    assert (found.key, found.json_field, found.version) == (key, field, version)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("key/db", "names a key"),
        ("cert/db", "names a certificate"),
        ("https://acme.vault.azure.net/keys/db", "names a key"),
        ("https://acme.vault.azure.net/secrets/db/1", "32 letters"),
        ("https://acme.vault.azure.net/", "names no secret"),
        ("https://acme.example.com/secrets/db", "names no secret"),
        ("https://[/secrets/db", "names no secret"),
        ("prod/db", "is no name"),
        ("db_1", "is no name"),
        ("a" * 128, "is no name"),
        ("", "is no name"),
        ("arn:aws:secretsmanager:eu-west-3:1:secret:db", "another cloud"),
    ],
)
def test_what_names_no_secret_of_a_vault_is_refused_with_the_reason(typed, words):
    with pytest.raises(NotReadable, match=words):
        REFERENCES.read(typed)


def test_a_secret_of_another_vault_is_refused(make):
    with pytest.raises(NotReadable, match="the vault other"):
        REFERENCES.check(make(), REFERENCES.read("https://other.vault.azure.net/secrets/db"), {})
    assert REFERENCES.check(make(), REFERENCES.read("https://acme.vault.azure.net/secrets/db"), {}) == []


# -- what the vault refuses ------------------------------------------------------------------------------------
@pytest.mark.parametrize("one", azure_wording.REFUSALS, ids=lambda one: f"{one.status}-{one.code}")
def test_each_refusal_of_the_table_is_told_in_our_words(one, make, monkeypatch, respond):
    inner = {"innererror": {"code": one.code}} if one.code and not one.code.startswith("AKV") else {}
    message = f"{one.code}: canary-of-azure" if one.code.startswith("AKV") else "canary-of-azure"
    respond(one.status, {"error": {"code": "Said", "message": message} | inner})

    with pytest.raises(one.error) as refusal:
        trials.connect(make()).page()

    assert refusal.value.reason == one.reason.replace("{permission}", azure_wording.LIST)
    assert "canary" not in repr(refusal.value) + refusal.value.reason + refusal.value.remedy


@pytest.mark.parametrize("status", [400, 403, 418, 500, 503])
@pytest.mark.parametrize("body", [None, [], {"error": "no"}, {"error": {"innererror": 7}}, "text"])
def test_a_refusal_of_another_shape_is_an_error_of_ours(status, body, make, respond):
    respond(status, body)

    with pytest.raises(errors.ProviderError) as refusal:
        trials.connect(make()).page()

    assert refusal.value.reason


HOSTILE = [
    {}, {"value": 7}, {"value": [7]}, {"value": [{}]}, {"value": [{"id": None}]}, [], None, "text",
    {"value": [{"id": "https://acme/secrets/db", "attributes": {"updated": "soon"}}]},
    {"value": [{"id": "https://acme/secrets/db", "attributes": {"updated": 10**30}}]},
    {"value": [], "nextLink": "https://evil.example/vaults/acme/secrets?a=1"},
    {"value": [], "nextLink": "http://[/secrets"}, {"value": [], "nextLink": 7},
]  # fmt: skip


@pytest.mark.parametrize("body", HOSTILE, ids=json.dumps)
def test_an_answer_of_another_shape_is_no_answer(body, make, respond):
    respond(200, body)

    with pytest.raises(errors.NotReachable):
        trials.connect(make()).page()


def test_the_next_page_is_asked_for_at_the_same_address_only(azure, make):
    azure.plant("faults", next_host="https://evil.example")

    with pytest.raises(errors.NotReachable):
        trials.connect(make()).page()


def test_a_vault_of_another_name_is_not_there_and_the_field_says_so(make):
    access = make(vault="nobody")

    result = trials.try_access(access)

    assert not result.usable
    assert result.reason == "There is no key vault of this name."
    assert result.about == "vault"


def test_a_tenant_of_another_vault_is_told(azure, make):
    azure.plant("vaults/vault", name="theirs", tenant=azure.other_tenant)

    result = trials.try_access(make(vault="theirs"))

    assert result.reason == "The vault belongs to another tenant than this identity."
    assert result.refused


def test_access_policies_are_as_good_as_roles(azure, make):
    who = azure.apps["limited"]["object"]
    azure.plant("vaults/vault", name="old", rbac=False, policies={who: ["list"]})

    result = trials.try_access(make("limited", "old"))

    assert result.listed
    assert {fact.label: fact.ok for fact in result.facts}[azure_wording.READ] is False
    assert f"set-policy --name old --object-id {who} --secret-permissions get list" in result.policy


def test_a_vault_with_a_firewall_is_told_from_one_without_rights(azure, make):
    azure.plant("vaults/vault", name="closed", closed="ForbiddenByFirewall")

    result = trials.try_access(make(vault="closed"))

    assert result.reason == "The vault's firewall does not let this console in."
    assert not result.usable


def test_who_may_read_values_is_told_without_reading_one(azure, make):
    may = {fact.label: fact for fact in trials.try_access(make()).facts}[azure_wording.READ]
    azure.plant("assign", object=azure.apps["limited"]["object"], role="Key Vault Reader",
                scope=f"/subscriptions/{azure.subscription}")  # fmt: skip

    may_not = trials.try_access(make("limited"))

    azure.plant("vaults/unassign", object=azure.apps["limited"]["object"])
    assert may.ok
    assert may_not.listed
    assert {fact.label: fact.ok for fact in may_not.facts}[azure_wording.READ] is False
    assert 'create --role "Key Vault Secrets User"' in may_not.policy


def test_whoami_names_the_application_and_the_object_that_roles_go_to(azure, make):
    app = azure.apps["vault-reader"]

    assert trials.connect(make()).whoami() == f"{app['client']} (object {app['object']})"


def test_a_name_that_nothing_answers_to_is_told_from_a_network_that_is_down():
    assert azure_key_vault.is_name("localhost")
    assert not azure_key_vault.is_name("keyhaven-nobody.invalid")


# -- names -----------------------------------------------------------------------------------------------------
def test_a_disabled_secret_and_its_tags_are_listed_as_such(azure, make):
    azure.plant("vaults/put", name="aaa-off", value="x", tags={"team": "shop"}, enabled=False)

    entry = trials.connect(make()).page("aaa-off").entries[0]

    assert (entry.kind, entry.tags) == ("secret, disabled", {"team": "shop"})
    assert entry.changed_at is not None


def test_a_deleted_secret_is_listed_after_the_others_with_its_end(azure, make, writer):
    until = writer.delete("prod-db-password")

    manager = trials.connect(make())
    entries, cursor = [], ""
    while True:
        page = manager.page(cursor=cursor)
        entries, cursor = entries + page.entries, page.cursor
        if not cursor:
            break

    assert entries[-1].name == "prod-db-password"
    assert entries[-1].deletes_at == until
    assert 89 < (until.timestamp() - time.time()) / 86_400 < 91
    assert [one for one in entries[:-1] if one.deletes_at] == []


def test_a_large_vault_is_walked_with_a_bound_and_goes_on_where_it_stopped(azure, make):
    azure.plant("vaults/vault", name="large", count=600)
    azure.plant("vaults/put", vault="large", name="zzz-last", value="x")
    manager = trials.connect(make(vault="large"))

    first = manager.page("zzz-")
    second = manager.page("zzz-", first.cursor)

    assert (first.entries, bool(first.cursor)) == ([], True)
    assert [entry.name for entry in second.entries] == ["zzz-last"]


# -- writing ---------------------------------------------------------------------------------------------------
def test_a_name_that_is_deleted_but_kept_is_taken(azure, writer):
    writer.create("shop-once", "first", {})
    writer.delete("shop-once")

    with pytest.raises(errors.AlreadyThere) as refusal:
        writer.create("shop-once", "second", {})

    assert "can still be recovered" in refusal.value.reason


def test_what_azure_is_still_deleting_is_a_matter_of_seconds(azure, writer):
    writer.create("shop-slow", "first", {})
    azure.plant("faults", deleting_seconds=60)
    writer.delete("shop-slow")

    for act in (lambda: writer.create("shop-slow", "x", {}), lambda: writer.restore("shop-slow")):
        with pytest.raises(errors.Raced) as refusal:
            act()
        assert refusal.value.retryable


def test_a_new_version_leaves_the_one_before_readable(azure, writer):
    writer.create("shop-two", "first", {"team": "shop"})
    before = azure.plant("vaults/value", name="shop-two")["version"]
    writer.put("shop-two", "second")

    after = azure.plant("vaults/value", name="shop-two")

    assert (after["value"], after["version"] != before) == ("second", True)


@pytest.mark.parametrize("name", ["shop/db", "shop_db", "", "a" * 128, "ü"])
def test_a_name_that_no_vault_takes_is_refused_with_one_that_it_would(name, make):
    with pytest.raises(NotReadable, match="would be one"):
        PROVIDER.writing.name(make(), name)


# -- what the cluster decides ----------------------------------------------------------------------------------
def test_an_aks_cluster_without_an_issuer_is_told_how_to_get_one(organization):
    cluster = factories.make_cluster(organization=organization, kind="aks", issuer="")

    found = PROVIDER.method("workload-identity").obstacle(Situation(cluster))

    assert "--enable-oidc-issuer" in found.remedy
    assert PROVIDER.method("ambient").obstacle(Situation(cluster)) is None


def test_an_application_that_does_not_trust_the_cluster_is_shown_the_exact_trust(azure, request):
    found = world.world(Sandbox(request), "workload-identity")
    access = make_access(PROVIDER.slug, found, {}, configuration=found.wrong_configuration)

    with pytest.raises(errors.TrustMissing) as refusal:
        trials.connect(access).page()

    trust = json.loads(refusal.value.policy)
    assert trust["audiences"] == ["api://AzureADTokenExchange"]
    assert trust["issuer"] == access.cluster.issuer
    assert access.service_account in trust["subject"]


def test_where_it_is_told_the_vault_and_the_application_are(make):
    access = make()

    assert about.place(access, PROVIDER) == ("Key vault", "acme")
    assert about.who(access, None, None).name == access.configuration["client"]


# -- the operator ----------------------------------------------------------------------------------------------
def test_the_operator_finds_the_enabled_ones_that_match(azure, make):
    azure.plant("vaults/put", name="find-on", value="on", tags={"set": "a"})
    azure.plant("vaults/put", name="find-off", value="off", tags={"set": "a"}, enabled=False)
    access = make()
    secret = manifests.secret(access)
    cluster = SimpleNamespace(azure_url=azure.url, get=lambda *_: secret)

    by_name = reading_azure.find(cluster, manifests.store(access), {"name": {"regexp": "^find-"}})
    by_tags = reading_azure.find(cluster, manifests.store(access), {"tags": {"set": "a"}})

    assert by_name == by_tags == {"find-on": "on"}


@pytest.fixture
def respond(azure, settings):
    """Return a function that lets every vault answer the same; Entra is still the stand-in."""
    said = {"status": 200, "body": b"{}"}

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            """Say nothing."""

        def answer(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(said["status"])
            self.send_header("Content-Length", str(len(said["body"])))
            self.end_headers()
            self.wfile.write(said["body"])

        do_GET = do_PUT = do_PATCH = do_DELETE = answer

        def do_POST(self):
            import urllib.error
            import urllib.request

            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with urllib.request.urlopen(f"{azure.url}{self.path}", body, timeout=5) as found:
                sent = found.read()
            self.send_response(200)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    settings.AZURE_ENDPOINT_URL = f"http://127.0.0.1:{server.server_address[1]}"

    def say(status, body):
        said["status"], said["body"] = status, json.dumps(body).encode()

    yield say
    server.shutdown()
    server.server_close()
