"""Plain kubectl against the sandbox cluster."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.kubernetes import Cluster
from tests.tools import need, which

pytestmark = pytest.mark.sandbox

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: nginx:1
          env: [{name: A, value: "1"}]
"""

type Kubectl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cluster() -> Any:
    with Cluster() as running:
        yield running


@pytest.fixture
def kubectl(cluster: Cluster, tmp_path: Any) -> Kubectl:
    binary = need(which("kubectl"), "kubectl")
    (tmp_path / "kubeconfig").write_text(cluster.kubeconfig())

    def run(*arguments: str, given: str = "", ok: bool = True) -> subprocess.CompletedProcess[str]:
        command = [
            binary,
            "--kubeconfig",
            str(tmp_path / "kubeconfig"),
            "--cache-dir",
            str(tmp_path),
            *arguments,
        ]
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode == 0) is ok, done.stdout + done.stderr
        return done

    return run


def install_crds(cluster: Cluster, project: Any) -> None:
    """Load our chart's CRDs as Helm would render them."""
    import yaml

    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    for kind, scope in (("ClusterSecretStore", "Cluster"), ("ExternalSecret", "Namespaced")):
        version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
        names = {
            "kind": kind,
            "plural": f"{kind.lower()}s",
            "singular": kind.lower(),
            "listKind": f"{kind}List",
        }
        spec = {"group": "external-secrets.io", "scope": scope, "names": names, "versions": [version]}
        metadata = {"name": f"{kind.lower()}s.external-secrets.io"}
        crd = {
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": metadata, "spec": spec,
        }  # fmt: skip
        cluster.load(yaml.safe_dump(crd))


def test_apply_get_diff_and_delete(kubectl):
    created = kubectl("apply", "-f", "-", given=DEPLOYMENT)
    configured = kubectl("apply", "-f", "-", given=DEPLOYMENT.replace("nginx:1", "nginx:2"))
    unchanged = kubectl("apply", "-f", "-", given=DEPLOYMENT.replace("nginx:1", "nginx:2"))
    diff = kubectl("diff", "-f", "-", given=DEPLOYMENT.replace("nginx:1", "nginx:3"), ok=False)
    table = kubectl("get", "deploy", "-A").stdout
    kubectl("delete", "deploy", "web")
    gone = kubectl("get", "deploy", "web", ok=False)

    assert "created" in created.stdout
    assert "configured" in configured.stdout
    assert "unchanged" in unchanged.stdout
    assert "+        image: nginx:3" in diff.stdout
    assert "UP-TO-DATE" in table
    assert 'deployments.apps "web" not found' in gone.stderr


def test_server_side_apply_keeps_owners_apart(kubectl):
    kubectl("apply", "--server-side", "--field-manager", "one", "-f", "-", given=DEPLOYMENT)

    refused = kubectl(
        "apply",
        "--server-side",
        "--field-manager",
        "two",
        "-f",
        "-",
        given=DEPLOYMENT.replace('"1"', '"2"'),
        ok=False,
    )
    kubectl(
        "apply", "--server-side", "--field-manager", "two", "--force-conflicts", "-f", "-",
        given=DEPLOYMENT.replace('"1"', '"2"'),
    )  # fmt: skip

    assert 'conflict with "one"' in refused.stderr
    assert '.spec.template.spec.containers[name="web"].env[name="A"].value' in refused.stderr
    found = json.loads(kubectl("get", "deploy", "web", "-o", "json", "--show-managed-fields").stdout)
    assert {entry["manager"] for entry in found["metadata"]["managedFields"]} >= {"one", "two"}


@pytest.mark.parametrize("flags", [["--server-side"], []])
def test_an_unknown_field_is_refused(kubectl, flags):
    refused = kubectl("apply", *flags, "-f", "-", given=DEPLOYMENT.replace("image:", "imag:"), ok=False)

    assert "imag" in refused.stderr


def test_external_secrets_kinds_are_listed_once_they_are_installed(kubectl, cluster, project):
    before = kubectl("get", "externalsecrets", "-A", ok=False)
    install_crds(cluster, project)

    after = kubectl("get", "clustersecretstores,externalsecrets,secrets", "-A")

    assert "doesn't have a resource type" in before.stderr
    assert "No resources found" in after.stderr


def test_labels_annotations_selectors_and_namespaces(kubectl):
    kubectl("create", "namespace", "shop")
    kubectl("create", "secret", "generic", "s", "-n", "shop", "--from-literal=a=b")
    kubectl("label", "secret", "s", "-n", "shop", "team=one")
    kubectl("annotate", "secret", "s", "-n", "shop", "note=x")

    found = json.loads(kubectl("get", "secrets", "-n", "shop", "-l", "team=one", "-o", "json").stdout)
    none = kubectl("get", "secrets", "-n", "shop", "-l", "team=two")
    kubectl("delete", "namespace", "shop")

    assert found["items"][0]["metadata"]["annotations"]["note"] == "x"
    assert found["items"][0]["data"] == {"a": "Yg=="}
    assert "No resources found" in none.stderr
    assert "not found" in kubectl("get", "secret", "s", "-n", "shop", ok=False).stderr


def test_it_says_who_we_are_and_what_we_may(kubectl, cluster, tmp_path):
    assert "sandbox-admin" in kubectl("auth", "whoami").stdout
    assert kubectl("auth", "can-i", "create", "secrets").stdout.strip() == "yes"
    (tmp_path / "kubeconfig").write_text(cluster.kubeconfig("sandbox-viewer"))
    assert kubectl("auth", "can-i", "create", "secrets", ok=False).stdout.strip() == "no"
    assert (
        'User "sandbox-viewer" cannot list resource "secrets"' in kubectl("get", "secrets", ok=False).stderr
    )


def test_watching_shows_what_happens(kubectl, cluster, tmp_path):
    kubectl("apply", "-f", "-", given=DEPLOYMENT)
    binary = need(which("kubectl"), "kubectl")
    command = [
        binary,
        "--kubeconfig",
        str(tmp_path / "kubeconfig"),
        "get",
        "deploy",
        "-w",
        "--request-timeout",
        "3s",
    ]

    watched = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert "web" in watched.stdout


def test_a_token_for_a_service_account_names_its_audience(kubectl, cluster):
    import base64

    service_account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "eso", "namespace": "default"},
    }
    cluster.load([service_account])

    token = kubectl(
        "create", "token", "eso", "--audience", "sts.amazonaws.com", "--duration", "10m"
    ).stdout.strip()
    short = kubectl("create", "token", "eso", "--duration", "1m", ok=False)

    body = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert claims["aud"] == ["sts.amazonaws.com"]
    assert claims["sub"] == "system:serviceaccount:default:eso"
    assert claims["iss"] == cluster.url
    assert "may not specify a duration less than 10 minutes" in short.stderr
