"""The door to Kubernetes, on the sandbox cluster: what is sent, what comes back, what goes wrong."""

import io
import ipaddress
import json
from typing import Any

import pytest
import urllib3

from clusters import kubeconfig, kubernetes
from clusters.kubernetes import errors, wire
from config import egress
from sandbox.kubernetes import Cluster

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def cluster() -> Any:
    from sandbox import world

    with Cluster() as running:
        running.load(list(world.manifests()))
        yield running


@pytest.fixture
def door(cluster: Cluster) -> Any:
    yield kubernetes.connect_text(kubeconfig.reduce(cluster.kubeconfig()))
    cluster.faults.clear()


def config_map(**data: str) -> dict[str, Any]:
    metadata = {"name": "settings", "namespace": "shop"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def env(name: str, value: str, container: str = "web") -> dict[str, Any]:
    containers = [{"name": container, "env": [{"name": name, "value": value}]}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "api", "namespace": "shop"},
        "spec": {"template": {"spec": {"containers": containers}}},
    }


def test_it_says_who_and_what(door):
    assert door.version() == "v1.36.2-sandbox"
    assert door.whoami() == "sandbox-admin"
    assert door.allowed("create", "", "secrets", "shop")


def test_a_name_that_leads_elsewhere_after_the_check_is_refused_at_the_socket(door, monkeypatch):
    here = ipaddress.ip_address("127.0.0.1")
    monkeypatch.setattr(egress, "METADATA", egress.METADATA | {here})

    with pytest.raises(kubernetes.Unreachable, match="metadata address"):
        door.version()


def test_a_viewer_may_less(cluster):
    viewer = kubernetes.connect_text(kubeconfig.reduce(cluster.kubeconfig("sandbox-viewer")))

    assert not viewer.allowed("list", "", "secrets")
    with pytest.raises(kubernetes.Forbidden, match='cannot list resource "secrets"'):
        viewer.list_all("v1", "Secret")


def test_applying_twice_writes_once(door):
    first = door.apply(config_map(a="1"))
    again = door.apply(config_map(a="1"))

    assert first["metadata"]["resourceVersion"] == again["metadata"]["resourceVersion"]


def test_fewer_fields_take_away_only_what_was_ours(door, cluster):
    door.apply(env("OURS", "1"))
    names = [entry["name"] for entry in _env(cluster)]
    door.apply({key: value for key, value in env("", "").items() if key != "spec"})

    assert names == ["LOG_LEVEL", "PORT", "OURS"]
    assert [entry["name"] for entry in _env(cluster)] == ["LOG_LEVEL", "PORT"]


def _env(cluster: Cluster) -> list[dict[str, Any]]:
    found = cluster.get("Deployment", "api", "shop") or {}
    return list(found["spec"]["template"]["spec"]["containers"][0]["env"])


def test_another_managers_value_is_a_conflict_with_its_name(door):
    with pytest.raises(kubernetes.Conflict) as refusal:
        door.apply(env("PORT", "9090"))

    assert refusal.value.conflicts == [
        ("kubectl-create", '.spec.template.spec.containers[name="web"].env[name="PORT"].value')
    ]


@pytest.mark.parametrize(
    ("manifest", "error", "words"),
    [
        (env("A", "1", container="nope"), kubernetes.Invalid, "image: Required value"),
        (
            config_map() | {"metadata": {"name": "x", "namespace": "nope"}},
            kubernetes.NotFound,
            'namespaces "nope" not found',
        ),
        (config_map() | {"dat": {}}, kubernetes.Invalid, "field not declared in schema"),
        (
            config_map() | {"metadata": {"name": "Not_Valid", "namespace": "shop"}},
            kubernetes.Invalid,
            "RFC 1123",
        ),
    ],
)
def test_refusals_are_told_in_the_servers_words(door, manifest, error, words):
    with pytest.raises(error, match=words):
        door.apply(manifest)


def test_a_kind_that_is_not_installed_is_said(door):
    with pytest.raises(kubernetes.KindMissing):
        door.list_all("external-secrets.io/v1", "ExternalSecret")


def test_a_secrets_data_never_comes_through_the_door(door):
    secret = {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "shop"}, "data": {"k": "Y2FuYXJ5"},
    }  # fmt: skip

    answers = [
        door.apply(secret),
        door.get("v1", "Secret", "s", "shop"),
        *door.list_all("v1", "Secret", "shop"),
    ]

    assert "Y2FuYXJ5" not in repr(answers)
    assert {answer["kind"] for answer in answers[1:]} == {"Secret"}


def test_the_api_server_is_never_asked_for_a_secrets_data(door, monkeypatch):
    """Not even on the wire: Secrets are read as metadata only."""
    asked: list[str] = []
    read = wire._read

    def listen(response: Any) -> bytes:
        body = read(response)
        asked.append(body.decode())
        return body

    monkeypatch.setattr(wire, "_read", listen)
    door.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "w", "namespace": "shop"},
            "data": {"k": "Y2FuYXJ5"},
        }
    )
    door.get("v1", "Secret", "w", "shop")
    door.list_all("v1", "Secret")

    assert len(asked) == 3
    assert "Y2FuYXJ5" not in "".join(asked)


def test_workloads_are_read_without_values(door):
    found = {workload.name: workload for workload in door.workloads()}

    assert set(found) == {"api", "frontend", "search", "invoices", "nightly-report", "mailer"}
    assert found["nightly-report"].containers[0]["image"] == "acme/report:1.0"
    assert "8080" not in repr(found["api"].containers)


@pytest.mark.parametrize(
    ("status", "message", "error"),
    [
        (
            500,
            'failed calling webhook "validate.clustersecretstore.external-secrets.io": no endpoints',
            "WebhookFailed",
        ),
        (503, "the server is currently unable to handle the request", "Unreachable"),
        (429, "too many requests", "Busy"),
        (401, "Unauthorized", "Unauthorized"),
    ],
)
def test_statuses_are_translated(door, cluster, status, message, error):
    cluster.faults.answer("configmaps", status, message)

    with pytest.raises(kubernetes.ClusterError) as refusal:
        door.apply(config_map(b="1"))

    assert type(refusal.value).__name__ == error


def test_a_server_that_does_not_answer_is_unreachable_in_time(door, cluster, settings):
    settings.CLUSTER_TIMEOUT = 1
    cluster.faults.hang = True

    with pytest.raises(kubernetes.Unreachable, match="did not answer in time"):
        door.version()


def test_a_wrong_authority_is_said(cluster):
    with Cluster() as other:
        text = kubeconfig.reduce(other.kubeconfig().replace(str(other.port), str(cluster.port)))

    with pytest.raises(kubernetes.Unreachable, match="certificate"):
        kubernetes.connect_text(text).version()


def test_a_wrong_token_is_said(cluster):
    text = kubeconfig.reduce(cluster.kubeconfig().replace(cluster.token(), "wrong"))

    with pytest.raises(kubernetes.Unauthorized):
        kubernetes.connect_text(text).whoami()


def test_nobody_listening_is_said():
    with Cluster() as gone:
        text = kubeconfig.reduce(gone.kubeconfig())

    with pytest.raises(kubernetes.Unreachable, match="refuses the connection"):
        kubernetes.connect_text(text).version()


@pytest.mark.parametrize(
    "text",
    [
        "Bearer abcdef.ghijkl is wrong",
        "token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln is expired",
        'Secret "x" is invalid: data[k]: Invalid value: "canary-value": no',
    ],
)
def test_tokens_and_values_are_cut_out_of_messages(text):
    cut = errors.redact(text)

    for secret in ("abcdef.ghijkl", "eyJhbGciOiJSUzI1NiJ9", "canary-value"):
        assert secret not in cut


def _answers(door: Any, monkeypatch: Any, status: int, body: bytes) -> None:
    def answer(*args: Any, **options: Any) -> Any:
        return urllib3.HTTPResponse(body=io.BytesIO(body), status=status, preload_content=False)

    monkeypatch.setattr(door._pool, "request", answer)


def test_a_token_that_a_server_gives_back_is_told_to_nobody(door, monkeypatch):
    """Scaleway's is the secret key itself, which looks like any UUID."""
    door._token = "11111111-2222-3333-4444-555555555555"
    said = {"kind": "Status", "reason": "BadRequest", "message": f"who is {door._token}"}
    _answers(door, monkeypatch, 400, json.dumps(said).encode())

    with pytest.raises(errors.ClusterError) as caught:
        door.version()

    assert door._token not in caught.value.reason
    assert "who is" in caught.value.reason


@pytest.mark.parametrize("body", [b"x" * 2_000_000, b"[" * 100_000], ids=["too large", "too deep"])
def test_an_answer_without_an_end_is_refused(door, monkeypatch, body):
    monkeypatch.setattr(wire, "LARGEST", 1_000_000)
    _answers(door, monkeypatch, 200, body)

    with pytest.raises(errors.Unreachable):
        door.version()
