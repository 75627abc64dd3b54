"""What plays the operator reads as the identity that each store names."""

import base64
import uuid
from typing import Any

import pytest

from sandbox import world
from sandbox.kubernetes import Cluster
from sandbox.reconciler import Reconciler
from tests.sandbox.identities import SUBJECT, service_account
from tests.sandbox.test_reconciler import API, wait_for

pytestmark = pytest.mark.sandbox

ROLE = "eks.amazonaws.com/role-arn"
OPERATOR = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "external-secrets",
        "namespace": "default",
        "labels": {"app.kubernetes.io/name": "external-secrets"},
    },
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "x"}},
        "template": {"spec": {"containers": [{"name": "x", "image": "x"}]}},
    },
}
REFERENCE = {"jwt": {"serviceAccountRef": {"name": "eso", "namespace": "default"}}}


def kinds() -> list[dict[str, Any]]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    found = []
    for kind, scope in (("ClusterSecretStore", "Cluster"), ("ExternalSecret", "Namespaced")):
        version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
        names = {"kind": kind, "plural": f"{kind.lower()}s"}
        spec = {"group": "external-secrets.io", "scope": scope, "names": names, "versions": [version]}
        metadata = {"name": f"{kind.lower()}s.external-secrets.io"}
        api = "apiextensions.k8s.io/v1"
        found.append(
            {"apiVersion": api, "kind": "CustomResourceDefinition", "metadata": metadata, "spec": spec}
        )
    return found


@pytest.fixture
def cluster(sandbox_cloud: Any) -> Any:
    """An EKS cluster that AWS knows, with the operator in it."""
    with Cluster(kind="eks") as running:
        sandbox_cloud.trust(running)
        running.load([*kinds(), *world.manifests("eks"), OPERATOR])
        reconciler = Reconciler(running, sandbox_cloud.url)
        reconciler.start()
        yield running
        reconciler.stop()


def store(cluster: Cluster, auth: dict[str, Any] | None, **provider: Any) -> None:
    aws = {"service": "SecretsManager", "region": "eu-west-3"} | provider
    aws |= {"auth": auth} if auth else {}
    spec = {"provider": {"aws": aws}}
    cluster.load([{"apiVersion": API, "kind": "ClusterSecretStore", "metadata": {"name": "s"}, "spec": spec}])


def link(cluster: Cluster, key: str, name: str = "e", **remote: Any) -> None:
    spec = {
        "secretStoreRef": {"kind": "ClusterSecretStore", "name": "s"},
        "data": [{"secretKey": "K", "remoteRef": {"key": key} | remote}],
    }
    metadata = {"name": name, "namespace": "shop"}
    cluster.load([{"apiVersion": API, "kind": "ExternalSecret", "metadata": metadata, "spec": spec}])


def ready(cluster: Cluster, status: str) -> dict[str, Any]:
    """Wait until the store's condition has this status."""

    def found() -> Any:
        conditions = ((cluster.get("ClusterSecretStore", "s") or {}).get("status") or {}).get("conditions")
        return [one for one in conditions or [] if one["status"] == status]

    return dict(wait_for(found)[0])


def event(cluster: Cluster, reason: str, word: str) -> str:
    def found() -> Any:
        messages = [one["message"] for one in cluster.list("Event") if one["reason"] == reason]
        return [message for message in messages if word in message]

    return str(wait_for(found)[0])


def value(cluster: Cluster, name: str = "e") -> str:
    secret = wait_for(lambda: cluster.get("Secret", name, "shop"))
    return base64.b64decode(secret["data"]["K"]).decode()


def role(cloud: Any, cluster: Cluster, *actions: str, subject: str = SUBJECT) -> str:
    return str(cloud.role(f"r-{uuid.uuid4().hex[:8]}", cluster.issuer, subject, actions))


class TestRole:
    def test_a_secret_is_read_as_the_role(self, sandbox_cloud, cluster):
        sandbox_cloud.put("operator/role", "of the role")
        arn = role(sandbox_cloud, cluster, "secretsmanager:GetSecretValue")
        cluster.load([service_account(**{ROLE: arn})])

        store(cluster, REFERENCE)
        assert ready(cluster, "True")["message"] == "store validated"
        link(cluster, "operator/role")

        assert value(cluster) == "of the role"

    def test_what_the_role_may_not_read_fails_at_reading(self, sandbox_cloud, cluster):
        cluster.load([service_account(**{ROLE: role(sandbox_cloud, cluster, "ssm:GetParameter")})])
        store(cluster, REFERENCE)
        ready(cluster, "True")

        link(cluster, "prod/db-password")

        assert "GetSecretValue" in event(cluster, "UpdateFailed", "AccessDeniedException")

    def test_a_missing_annotation_is_said(self, cluster):
        cluster.load([service_account()])

        store(cluster, REFERENCE)

        condition = ready(cluster, "False")
        assert (condition["reason"], condition["message"]) == (
            "InvalidProviderConfig",
            "unable to create client",
        )
        wanted = "an IAM role must be associated with service account eso (namespace: default)"
        assert event(cluster, "InvalidProviderConfig", "role") == wanted

    def test_a_missing_service_account_is_said(self, cluster):
        store(cluster, REFERENCE)

        ready(cluster, "False")
        assert event(cluster, "InvalidProviderConfig", "eso") == 'ServiceAccount "eso" not found'

    @pytest.mark.parametrize(
        ("subject", "annotation", "code"),
        [
            ("system:serviceaccount:default:other", {}, "AccessDenied: Not authorized to perform"),
            (
                SUBJECT,
                {"eks.amazonaws.com/audience": "mine"},
                "InvalidIdentityToken: Incorrect token audience",
            ),
        ],
    )
    def test_a_refusal_of_aws_is_an_event(self, sandbox_cloud, cluster, subject, annotation, code):
        arn = role(sandbox_cloud, cluster, "secretsmanager:GetSecretValue", subject=subject)
        cluster.load([service_account(**{ROLE: arn}, **annotation)])

        store(cluster, REFERENCE)

        assert ready(cluster, "False")["message"] == "unable to create client"
        said = event(cluster, "InvalidProviderConfig", code)
        assert said.startswith("operation error STS: AssumeRoleWithWebIdentity, https response error")

    def test_it_recovers_and_says_each_trouble_once(self, sandbox_cloud, cluster):
        from sandbox.kubernetes.operations import Options

        cluster.load([service_account()])
        store(cluster, REFERENCE)
        ready(cluster, "False")

        arn = role(sandbox_cloud, cluster, "secretsmanager:GetSecretValue")
        patch = {"metadata": {"annotations": {ROLE: arn}}}
        resource = cluster.store.by_kind("ServiceAccount")
        kind = "application/merge-patch+json"
        cluster.api.operations.patch(resource, "default", "eso", patch, kind, Options())

        ready(cluster, "True")
        troubles = [one for one in cluster.list("Event") if one["reason"] == "InvalidProviderConfig"]
        assert len(troubles) == 1


class TestParameterStore:
    def test_a_parameter_and_a_version_of_it(self, sandbox_cloud, cluster):
        sandbox_cloud.put_parameter("/operator/p", '{"user": "one"}')
        sandbox_cloud.put_parameter("/operator/p", '{"user": "two"}')
        cluster.load([service_account(**{ROLE: role(sandbox_cloud, cluster, "ssm:GetParameter")})])
        store(cluster, REFERENCE, service="ParameterStore")
        ready(cluster, "True")

        link(cluster, "/operator/p", property="user")
        link(cluster, "/operator/p", "older", property="user", version="1")

        assert value(cluster) == "two"
        assert value(cluster, "older") == "one"

    def test_a_missing_one_is_no_secret(self, sandbox_cloud, cluster):
        cluster.load([service_account(**{ROLE: role(sandbox_cloud, cluster, "ssm:GetParameter")})])
        store(cluster, REFERENCE, service="ParameterStore")
        ready(cluster, "True")

        link(cluster, "/operator/nope")

        assert event(cluster, "UpdateFailed", "Secret does not exist")


class TestOthers:
    def test_static_keys_prove_nothing_until_something_is_read(self, cluster):
        data = {name: base64.b64encode(b"wrong").decode() for name in ("id", "secret")}
        metadata = {"name": "keys", "namespace": "default"}
        cluster.load([{"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}])
        named = {"name": "keys", "namespace": "default"}
        reference = {
            "accessKeyIDSecretRef": named | {"key": "id"}, "secretAccessKeySecretRef": named | {"key": "secret"},
        }  # fmt: skip

        store(cluster, {"secretRef": reference})
        ready(cluster, "True")
        link(cluster, "prod/db-password")

        assert event(cluster, "UpdateFailed", "UnrecognizedClientException")

    def test_the_pods_own_identity_is_used_where_there_is_one(self, sandbox_cloud, cluster):
        sandbox_cloud.put("operator/ambient", "of the Pod")
        cluster.ambient_aws = sandbox_cloud.keys["reader"]

        store(cluster, None)
        ready(cluster, "True")
        link(cluster, "operator/ambient")

        assert value(cluster) == "of the Pod"

    def test_without_one_it_fails_at_reading(self, cluster):
        store(cluster, None)
        ready(cluster, "True")

        link(cluster, "prod/db-password")

        assert event(cluster, "UpdateFailed", "no EC2 IMDS role found")

    def test_google_that_is_not_there_is_said(self, cluster):
        spec = {"provider": {"gcpsm": {"projectID": "p"}}}
        manifest = {"apiVersion": API, "kind": "ClusterSecretStore", "metadata": {"name": "s"}, "spec": spec}

        cluster.load([manifest])

        assert ready(cluster, "False")["reason"] == "InvalidProviderConfig"
