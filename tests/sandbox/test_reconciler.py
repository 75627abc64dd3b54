"""What plays the operator behaves as the operator does."""

import base64
import time
from typing import Any

import pytest

pytestmark = pytest.mark.sandbox

API = "external-secrets.io/v1"


def wait_for(done: Any, seconds: float = 10) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = done()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("waited too long")


@pytest.fixture
def cluster(sandbox_cluster: Any, project: Any) -> Any:
    """The sandbox cluster with our chart installed by Helm."""
    from clusters import helm

    helm.install_or_upgrade(
        sandbox_cluster.kubeconfig(),
        release="external-secrets",
        namespace="external-secrets",
        chart=str(project / "sandbox" / "chart" / "external-secrets"),
        version="2.9.0",
        values={"crds": {"annotations": {"helm.sh/resource-policy": "keep"}}},
        timeout=60,
    )
    return sandbox_cluster


def store(cluster: Any, name: str = "s", **spec: Any) -> None:
    provider = {"fake": {"data": [{"key": "app", "value": '{"user": "u", "a.b": "dotted", "n": {"x": 1}}'}]}}
    manifest = {"apiVersion": API, "kind": "ClusterSecretStore", "metadata": {"name": name}}
    cluster.load([manifest | {"spec": {"provider": provider} | spec}])


def external_secret(cluster: Any, name: str = "e", namespace: str = "shop", **remote: Any) -> None:
    data = [{"secretKey": "K", "remoteRef": {"key": "app"} | remote}]
    spec = {"secretStoreRef": {"kind": "ClusterSecretStore", "name": "s"}, "data": data}
    metadata = {"name": name, "namespace": namespace}
    cluster.load([{"apiVersion": API, "kind": "ExternalSecret", "metadata": metadata, "spec": spec}])


def condition(cluster: Any, kind: str, name: str, namespace: str = "") -> dict[str, Any]:
    def found() -> Any:
        return ((cluster.get(kind, name, namespace) or {}).get("status") or {}).get("conditions")

    return dict(wait_for(found)[0])


def value(cluster: Any, name: str = "e") -> str:
    secret = wait_for(lambda: cluster.get("Secret", name, "shop"))
    return base64.b64decode(secret["data"]["K"]).decode()


def test_the_chart_keeps_its_kinds_and_names_its_version(cluster):
    crd = cluster.get("CustomResourceDefinition", "externalsecrets.external-secrets.io")
    deployment = cluster.get("Deployment", "external-secrets", "external-secrets")

    assert crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":v2.9.0")


def test_a_store_becomes_ready_in_the_operators_words(cluster):
    store(cluster)

    ready = condition(cluster, "ClusterSecretStore", "s")

    assert (ready["type"], ready["status"], ready["reason"], ready["message"]) == (
        "Ready",
        "True",
        "Valid",
        "store validated",
    )


@pytest.mark.parametrize(("wanted", "text"), [("user", "u"), ("a.b", "dotted"), ("n.x", "1")])
def test_a_property_is_read_literally_first_then_as_a_path(cluster, wanted, text):
    store(cluster)
    external_secret(cluster, property=wanted)

    assert value(cluster) == text
    assert condition(cluster, "ExternalSecret", "e", "shop")["reason"] == "SecretSynced"


def test_what_is_missing_upstream_is_an_event(cluster):
    store(cluster)
    external_secret(cluster, key="nope")

    failed = condition(cluster, "ExternalSecret", "e", "shop")
    event = wait_for(lambda: cluster.list("Event", "shop"))[0]

    assert (failed["status"], failed["reason"]) == ("False", "SecretSyncedError")
    assert failed["message"] == "could not get secret data from provider"
    assert event["reason"] == "UpdateFailed"
    assert "Secret does not exist" in event["message"]


def test_a_namespace_outside_the_conditions_is_denied(cluster):
    store(cluster, conditions=[{"namespaces": ["billing"]}])
    external_secret(cluster)

    event = wait_for(lambda: cluster.list("Event", "shop"))[0]

    assert 'is not allowed from namespace "shop": denied by spec.condition' in event["message"]


def test_a_secret_that_was_edited_is_repaired_and_goes_with_its_owner(cluster):
    store(cluster)
    external_secret(cluster, property="user")
    assert value(cluster) == "u"
    resource = cluster.store.by_kind("Secret")
    from sandbox.kubernetes.operations import Options

    patch = {"data": {"K": base64.b64encode(b"edited").decode()}}
    cluster.api.operations.patch(resource, "shop", "e", patch, "application/merge-patch+json", Options())
    wait_for(lambda: value(cluster) == "u")

    cluster.api.operations.delete(cluster.store.by_kind("ExternalSecret"), "shop", "e", False)

    assert cluster.get("Secret", "e", "shop") is None


def test_without_an_operator_nothing_happens(sandbox_cluster):
    assert sandbox_cluster.list("ClusterSecretStore") == []
