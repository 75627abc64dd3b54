"""Clusters of three kinds tell what they are, and give tokens and rights as a real API server does."""

import base64
import json
import re
import ssl
import urllib.error
import urllib.request
from typing import Any

import pytest

from sandbox import world
from sandbox.kubernetes import Cluster
from tests.sandbox.identities import service_account

pytestmark = pytest.mark.sandbox

TOKEN = "/api/v1/namespaces/default/serviceaccounts/eso/token"
WHERE = "/.well-known/openid-configuration"


def ask(cluster: Cluster, method: str, path: str, body: Any = None, user: str = "sandbox-admin") -> Any:
    """Return (status, answer)."""
    patch = method == "PATCH"
    request = urllib.request.Request(
        f"{cluster.url}{path}",
        data=json.dumps(body).encode() if body is not None else None,
        method=method,
        headers={
            "Authorization": f"Bearer {cluster.token(user)}",
            "Content-Type": "application/apply-patch+yaml" if patch else "application/json",
        },
    )
    trusted = ssl.create_default_context(cadata=cluster.ca_pem)
    try:
        with urllib.request.urlopen(request, timeout=10, context=trusted) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def may(cluster: Cluster, user: str, **spec: Any) -> bool:
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    return bool(ask(cluster, "POST", path, review, user)[1]["status"]["allowed"])


@pytest.fixture
def cluster() -> Any:
    with Cluster() as running:
        running.load([service_account()])
        yield running


@pytest.mark.parametrize(
    ("kind", "version", "issuer", "provider_id"),
    [
        (
            "eks", r"v1\.36\.2-eks-\w+", r"https://oidc\.eks\.eu-west-3\.amazonaws\.com/id/[0-9A-F]{32}",
            "aws:///eu-west-3a/i-",
        ),
        (
            "gke", r"v1\.36\.2-gke\.\d+",
            r"https://container\.googleapis\.com/v1/projects/acme-prod/locations/europe-west9/clusters/prod",
            "gce://acme-prod/europe-west9-a/",
        ),
        (
            "aks", r"v1\.36\.2",
            r"https://westeurope\.oic\.prod-aks\.azure\.com/7a1e0c52-5d3b-4f60-9c8e-0b6f2d9a4e11/[0-9a-f-]{36}/",
            "azure:///subscriptions/3f5c7b19-2e84-4d6a-a07b-91c4e8d2f530/resourceGroups/mc_platform-prod_prod_westeurope/",
        ),
        ("plain", r"v1\.36\.2", r"https://127\.0\.0\.1:\d+", ""),
    ],
)  # fmt: skip
def test_a_cluster_tells_what_it_is(kind, version, issuer, provider_id):
    with Cluster(kind=kind) as cluster:
        cluster.load(list(world.manifests(kind)))

        said = ask(cluster, "GET", "/version")[1]["gitVersion"]
        node = ask(cluster, "GET", "/api/v1/nodes")[1]["items"][0]
        configuration = ask(cluster, "GET", WHERE)[1]

    assert re.fullmatch(version, said)
    assert node["status"]["nodeInfo"]["kubeletVersion"] == said
    assert node["spec"].get("providerID", "").startswith(provider_id)
    assert ("providerID" in node["spec"]) == (kind != "plain")
    assert re.fullmatch(issuer, configuration["issuer"])


def test_gke_nodes_name_their_pool_and_eks_nodes_their_group():
    labels = {
        kind: [set(m["metadata"]["labels"]) for m in world.manifests(kind) if m["kind"] == "Node"]
        for kind in ("eks", "gke", "plain")
    }

    assert all("cloud.google.com/gke-nodepool" in found for found in labels["gke"])
    assert all("eks.amazonaws.com/nodegroup" in found for found in labels["eks"])
    assert not any("topology.kubernetes.io/region" in found for found in labels["plain"])


def test_each_eks_cluster_has_an_issuer_of_its_own_and_any_may_have_a_given_one():
    with (
        Cluster(kind="eks") as one,
        Cluster(kind="eks") as two,
        Cluster(issuer="https://oidc.a.example") as own,
    ):
        issuers = {one.issuer, two.issuer, own.issuer}

    assert len(issuers) == 3
    assert "https://oidc.a.example" in issuers


def test_a_token_needs_its_service_account(cluster):
    spec = {"spec": {"audiences": ["sts.amazonaws.com"], "expirationSeconds": 600}}

    status, given = ask(cluster, "POST", TOKEN, spec)
    missing = ask(cluster, "POST", TOKEN.replace("eso", "nobody"), spec)

    body = given["status"]["token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert status == 201
    assert (claims["iss"], claims["sub"]) == (cluster.issuer, "system:serviceaccount:default:eso")
    assert missing[0] == 404
    assert missing[1]["message"] == 'serviceaccounts "nobody" not found'


def test_a_service_account_is_applied(cluster):
    path = "/api/v1/namespaces/default/serviceaccounts/applied?fieldManager=keyhaven&fieldValidation=Strict"
    role = {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/x"}

    created = ask(cluster, "PATCH", path, service_account("applied", **role))
    again = ask(cluster, "PATCH", path, service_account("applied", **role))
    fewer = ask(cluster, "PATCH", path, service_account("applied"))

    assert (created[0], again[0]) == (201, 200)
    assert again[1]["metadata"]["resourceVersion"] == created[1]["metadata"]["resourceVersion"]
    assert not fewer[1]["metadata"].get("annotations")


class TestRights:
    def test_asking_for_tokens_is_a_right_of_its_own(self, cluster):
        rule = {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["create", "get"]}
        token = {"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]}
        cluster.add_user("maker", [rule])
        cluster.add_user("asker", [token])
        wanted = {"verb": "create", "group": "", "resource": "serviceaccounts", "namespace": "default"}

        refused = ask(cluster, "POST", TOKEN, {}, "maker")
        given = ask(cluster, "POST", TOKEN, {}, "asker")

        assert (refused[0], given[0]) == (403, 201)
        assert 'cannot create resource "serviceaccounts/token"' in refused[1]["message"]
        assert may(cluster, "maker", resourceAttributes=wanted)
        assert not may(cluster, "maker", resourceAttributes=wanted | {"subresource": "token"})
        assert may(cluster, "asker", resourceAttributes=wanted | {"subresource": "token"})
        assert may(cluster, "sandbox-admin", resourceAttributes=wanted | {"subresource": "token"})

    def test_who_the_issuer_is_needs_a_right(self, cluster):
        discoverer = {"nonResourceURLs": [WHERE], "verbs": ["get"]}
        cluster.add_user("discoverer", [discoverer])

        assert ask(cluster, "GET", WHERE, user="discoverer")[0] == 200
        status, said = ask(cluster, "GET", WHERE, user="sandbox-viewer")

        assert status == 403
        assert said["message"] == f'forbidden: User "sandbox-viewer" cannot get path "{WHERE}"'
        assert ask(cluster, "GET", "/version", user="sandbox-viewer")[0] == 200

    def test_addresses_are_reviewed(self, cluster):
        asked = {"path": WHERE, "verb": "get"}

        assert may(cluster, "sandbox-admin", nonResourceAttributes=asked)
        assert not may(cluster, "sandbox-viewer", nonResourceAttributes=asked)
        assert may(cluster, "sandbox-viewer", nonResourceAttributes={"path": "/version", "verb": "get"})
