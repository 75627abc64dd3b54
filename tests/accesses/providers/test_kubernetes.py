"""What is particular to Secrets of Kubernetes: forms, refusals, whom they belong to, and what is deployed."""

import datetime
import subprocess
import sys
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from accesses import manifests, providers, trials
from accesses.providers import references
from accesses.providers.kubernetes import client as kubernetes_client
from accesses.providers.kubernetes import forms as kubernetes_forms
from accesses.providers.kubernetes import manifests as kubernetes_manifests
from clusters.kubernetes import wire
from credentials.clouds import errors
from tests import factories
from tests.accesses.providers.forms import errors_of
from tests.accesses.worlds import kubernetes as played

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

PROVIDER = providers.PROVIDERS["kubernetes"]
RULES = PROVIDER.references


@pytest.fixture
def kube(sandbox_cluster) -> Any:
    sandbox_cluster.load([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": played.SPACE}}])
    return sandbox_cluster


@pytest.fixture
def client(kube) -> Any:
    token = kube.add_user("writer", [played.READS, played.WRITES]).token
    return trials.connect(make(kube, token))


def make(kube: Any, token: str, **fields: str) -> Any:
    return factories.make_access(
        provider="kubernetes", method="token", configuration=played.configuration(kube, **fields),
        credential={"token": token},
    )  # fmt: skip


def pair() -> tuple[str, str]:
    """Return a certificate and its key, in PEM."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")]),
    )
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    pem = serialization.Encoding.PEM
    form, bare = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(pem)
    return certificate.decode(), key.private_bytes(pem, form, bare).decode()


# -- forms ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("address", "http://127.0.0.1:1", "begins with https://"),
        ("address", "https://169.254.169.254", "never called"),
        ("namespace", "Shop", "is no namespace"),
        ("namespace", "a/../b", "is no namespace"),
        ("ca", "", "Enter the CA certificate."),
        ("ca", "nonsense", "no certificate in PEM"),
        ("token", "ü", "A token has letters"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(kube, field, typed, words):
    form = kubernetes_forms.TokenForm(played.configuration(kube) | {"token": "t", field: typed})

    assert words in errors_of(form, field)


def test_a_certificate_needs_its_own_key(kube):
    certificate, key = pair()
    _, other = pair()
    typed = played.configuration(kube) | {"certificate": certificate, "key": key}

    assert kubernetes_forms.CertificateForm(typed).is_valid()
    assert "not the certificate's" in errors_of(
        kubernetes_forms.CertificateForm(typed | {"key": other}), "key"
    )
    assert "no private key" in errors_of(kubernetes_forms.CertificateForm(typed | {"key": "x"}), "key")
    assert "no certificate" in errors_of(
        kubernetes_forms.CertificateForm(typed | {"certificate": "x"}), "certificate"
    )


def test_a_certificate_is_what_the_console_signs_in_with(kube):
    certificate, key = pair()
    access = factories.make_access(
        provider="kubernetes", method="certificate", configuration=played.configuration(kube),
        credential={"certificate": certificate, "key": key},
    )  # fmt: skip

    # The sandbox's API server asks for no certificate: it is sent, and nobody is known by it.
    with pytest.raises(errors.CredentialRefused):
        trials.connect(access).page()


# -- reading -------------------------------------------------------------------------------------------------
def test_no_value_comes_over_the_wire(kube, client, monkeypatch):
    asked: list[str] = []
    read = wire._read

    def listen(response: Any) -> bytes:
        asked.append(read(response).decode())
        return asked[-1].encode()

    monkeypatch.setattr(wire, "_read", listen)
    client.create("shop-db", "canary-value", {})
    client.page()
    client.put("shop-db", "canary-value-2")
    client.tag("shop-db", {"team": "shop"})

    assert len(asked) >= 5
    assert "Y2FuYXJ5" not in "".join(asked)


def test_what_it_may_is_told_by_a_review(kube):
    reads = kube.add_user("reads", [played.READS]).token
    lists = kube.add_user("lists", [played.READS | {"verbs": ["list"]}]).token

    may = {fact.label: fact.ok for fact in trials.try_access(make(kube, reads)).facts}
    result = trials.try_access(make(kube, lists))

    assert may["get secrets in vault"] is True
    assert {fact.label: fact.ok for fact in result.facts}["get secrets in vault"] is False
    assert "kind: RoleBinding" in result.policy


def test_it_says_as_whom(kube):
    assert trials.connect(make(kube, kube.token())).whoami() == "sandbox-admin"


@pytest.mark.parametrize("one", kubernetes_client.REFUSALS, ids=lambda one: str(one.status))
def test_every_refusal_of_the_table_becomes_its_error(kube, client, one):
    kube.faults.answer("/secrets", one.status, "canary-words")

    with pytest.raises(one.error) as refusal:
        client.page()

    assert refusal.value.reason == one.reason.replace("{permission}", "list secrets in vault")
    assert "canary-words" not in refusal.value.reason + refusal.value.remedy


def test_another_authority_is_not_trusted(kube):
    certificate, _ = pair()

    with pytest.raises(errors.NotReachable) as refusal:
        trials.connect(make(kube, "t", ca=certificate)).page()

    assert "certificate" in refusal.value.reason


# -- writing -------------------------------------------------------------------------------------------------
def keys_of(kube: Any, name: str) -> set[str]:
    return set(kube.get("Secret", name, played.SPACE)["data"])


@pytest.mark.parametrize(
    ("value", "keys"),
    [
        ('{"user": "u", "tls.crt": "c"}', {"user", "tls.crt"}),
        ('{"user": 1}', {"value"}),
        ('{"a b": "c"}', {"value"}),
        ("{}", {"value"}),
        ("[1]", {"value"}),
        ("plain", {"value"}),
    ],
)
def test_an_object_of_strings_becomes_keys(kube, client, value, keys):
    client.create("made", value, {})

    assert keys_of(kube, "made") == keys


def test_a_new_value_leaves_no_key_of_the_old_one(kube, client):
    client.create("made", '{"user": "u", "password": "p"}', {})

    client.put("made", '{"token": "t"}')

    assert keys_of(kube, "made") == {"token"}


@pytest.mark.parametrize(
    ("metadata", "who"),
    [
        ({"ownerReferences": [{"kind": "ExternalSecret", "name": "shop", "apiVersion": "v1", "uid": "1"}]}, "ExternalSecret shop"),
        ({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, "Helm"),
        ({"labels": {"reconcile.external-secrets.io/managed": "true"}}, "an operator"),
    ],
)  # fmt: skip
def test_what_somebody_else_manages_is_left_alone(kube, client, metadata, who):
    found = played.secret("theirs", "old", {})
    kube.load([found | {"metadata": found["metadata"] | metadata}])

    for act in (
        lambda: client.put("theirs", "new"),
        lambda: client.delete("theirs"),
        lambda: client.tag("theirs", {}),
    ):
        with pytest.raises(errors.NotValid, match=f"^{who} manages this Secret"):
            act()

    assert played.value_of(kube, "theirs") == "old"


@pytest.mark.parametrize("tags", [{"a b": "c"}, {"a": "Team Shop"}, {"a": "x" * 64}, {"/a": "b"}, {"": "b"}])
def test_what_can_be_no_label_is_refused(kube, client, tags):
    with pytest.raises(errors.NotValid, match="cannot be a label"):
        client.create("made", "v", tags)

    assert kube.get("Secret", "made", played.SPACE) is None


@pytest.mark.parametrize("name", ["Shop", "a/b", "../x", "a b", "", "x" * 254, "a_b"])
def test_what_is_no_name_is_refused(kube, client, name):
    with pytest.raises(errors.NotValid, match="no name of a Secret"):
        client.create(name, "v", {})
    with pytest.raises(references.NotReadable):
        PROVIDER.writing.name(None, name)


# -- references ----------------------------------------------------------------------------------------------
def test_references_are_read():
    found = [RULES.read(text) for text in ("db", "db#tls.crt", "secret/db#a.b")]

    assert [(one.key, one.json_field) for one in found] == [("db", ""), ("db", "tls.crt"), ("db", "a.b")]


@pytest.mark.parametrize(
    ("typed", "words"), [("shop/db", "names a namespace"), ("Shop", "is no name of a Secret")]
)
def test_what_is_no_reference_is_refused(typed, words):
    with pytest.raises(references.NotReadable, match=words):
        RULES.read(typed)


# -- deployed ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["token", "certificate", "service-account"])
def test_its_manifests_satisfy_the_operators_schema(kube, method, shared, tmp_path):
    certificate, key = pair()
    credential = {"token": {"token": "t"}, "certificate": {"certificate": certificate, "key": key}}.get(
        method
    )
    configuration = {"namespace": "vault"} if method == "service-account" else played.configuration(kube)
    access = factories.make_access(
        provider="kubernetes", method=method, configuration=configuration, credential=credential
    )
    found = [manifests.store(access), manifests.secret(access), manifests.service_account(access)]
    file = tmp_path / "manifests.yaml"
    file.write_text(yaml.safe_dump_all(filter(None, found)))

    checked = subprocess.run(
        [sys.executable, str(shared / "tools" / "validate_manifests.py"), str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("writes", [True, False])
def test_the_role_that_is_offered_can_be_applied(kube, writes):
    documents = list(
        yaml.safe_load_all(kubernetes_manifests.role("vault", "keyhaven", "vault", writes=writes))
    )

    kube.load(documents)

    verbs = {
        verb for rule in documents[0]["rules"] if "secrets" in rule["resources"] for verb in rule["verbs"]
    }
    assert verbs == {"get", "list", "watch"} | ({"create", "patch", "delete"} if writes else set())
