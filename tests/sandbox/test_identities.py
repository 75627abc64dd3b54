"""The AWS stand-in judges a cluster's tokens as AWS does, and what they lead to is limited."""

import time
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox import tokens, world
from sandbox.aws import Cloud
from sandbox.kubernetes import Cluster
from tests.sandbox import identities
from tests.sandbox.identities import SUBJECT, assume, client, service_account, token

pytestmark = pytest.mark.sandbox

READ = ("secretsmanager:GetSecretValue",)
HERE = "arn:aws:secretsmanager:eu-west-3:123456789012:secret"


@pytest.fixture(scope="module")
def cluster(sandbox_cloud: Cloud) -> Any:
    """An EKS cluster whose issuer AWS reaches."""
    with Cluster(kind="eks") as running:
        running.load([service_account()])
        sandbox_cloud.trust(running)
        yield running


@pytest.fixture
def name() -> str:
    return f"r-{uuid.uuid4().hex[:8]}"


def refusal(url: str, role_arn: str, presented: str) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as refused:
        assume(url, role_arn, presented)
    error = refused.value.response["Error"]
    return refused.value.response["ResponseMetadata"]["HTTPStatusCode"], error["Code"], error["Message"]


def denied(act: Any, *arguments: Any, **keywords: Any) -> str:
    with pytest.raises(ClientError) as refused:
        act(*arguments, **keywords)
    return str(refused.value.response["Error"]["Code"])


NOT_AUTHORIZED = (403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")


def test_a_role_that_trusts_the_account_gives_keys_that_say_whose_they_are(sandbox_cloud, cluster, name):
    arn = sandbox_cloud.role(name, cluster.issuer, SUBJECT, READ)

    found = assume(sandbox_cloud.url, arn, token(cluster))

    caller = client(sandbox_cloud.url, "sts", found).get_caller_identity()
    assert caller["Arn"] == f"arn:aws:sts::{world.ACCOUNT}:assumed-role/{name}/test"
    assert caller["Account"] == world.ACCOUNT


def test_the_keys_may_what_the_roles_policy_says_and_no_more(sandbox_cloud, cluster, name):
    arn = sandbox_cloud.role(name, cluster.issuer, SUBJECT, READ, resource=f"{HERE}:prod/*")
    found = assume(sandbox_cloud.url, arn, token(cluster))

    manager = client(sandbox_cloud.url, "secretsmanager", found)

    assert manager.get_secret_value(SecretId="prod/db-password")["Name"] == "prod/db-password"
    assert denied(manager.get_secret_value, SecretId="staging/db-password") == "AccessDeniedException"
    assert denied(manager.list_secrets) == "AccessDeniedException"
    assert denied(client(sandbox_cloud.url, "eks", found).list_clusters) == "AccessDeniedException"


def test_a_role_of_another_account_sees_that_account(sandbox_cloud, cluster, name):
    listing = ("secretsmanager:ListSecrets",)
    arn = sandbox_cloud.role(name, cluster.issuer, SUBJECT, listing, account=world.OTHER_ACCOUNT)

    found = assume(sandbox_cloud.url, arn, token(cluster))

    assert f"::{world.OTHER_ACCOUNT}:" in client(sandbox_cloud.url, "sts", found).get_caller_identity()["Arn"]
    assert client(sandbox_cloud.url, "secretsmanager", found).list_secrets()["SecretList"] == []


def test_temporary_keys_end(sandbox_cloud, cluster, name):
    arn = sandbox_cloud.role(name, cluster.issuer, SUBJECT, READ)
    found = assume(sandbox_cloud.url, arn, token(cluster))

    sandbox_cloud.expire(found["AccessKeyId"])

    assert denied(client(sandbox_cloud.url, "sts", found).get_caller_identity) == "ExpiredToken"
    manager = client(sandbox_cloud.url, "secretsmanager", found)
    assert denied(manager.get_secret_value, SecretId="prod/db-password") == "ExpiredTokenException"


class TestRefusals:
    def test_no_provider_for_the_issuer(self, sandbox_cloud, name):
        with Cluster(kind="eks") as other:
            other.load([service_account()])
            sandbox_cloud.trust(other)

            status, code, message = refusal(
                sandbox_cloud.url, f"arn:aws:iam::{world.ACCOUNT}:role/{name}", token(other)
            )

        assert (status, code) == (400, "InvalidIdentityToken")
        assert message == f"No OpenIDConnect provider found in your account for {other.issuer}"

    def test_an_issuer_that_aws_cannot_reach(self, sandbox_cloud, name):
        with Cluster(kind="eks") as other:
            other.load([service_account()])
            arn = sandbox_cloud.role(name, other.issuer, SUBJECT, READ)

            assert refusal(sandbox_cloud.url, arn, token(other))[:2] == (400, "IDPCommunicationError")

    def test_an_audience_that_the_provider_does_not_have(self, sandbox_cloud, cluster, name):
        arn = sandbox_cloud.role(name, cluster.issuer, SUBJECT, READ)

        found = refusal(sandbox_cloud.url, arn, token(cluster, "https://kubernetes.default.svc"))

        assert found == (400, "InvalidIdentityToken", "Incorrect token audience")

    def test_another_service_account(self, sandbox_cloud, cluster, name):
        arn = sandbox_cloud.role(name, cluster.issuer, f"{SUBJECT}-2", READ)

        assert refusal(sandbox_cloud.url, arn, token(cluster)) == NOT_AUTHORIZED

    def test_another_issuer_in_the_trust_policy(self, sandbox_cloud, cluster, name):
        sandbox_cloud.role(f"{name}-mine", cluster.issuer, SUBJECT, READ)
        arn = sandbox_cloud.role(name, "https://oidc.example.com/other", SUBJECT, READ)

        assert refusal(sandbox_cloud.url, arn, token(cluster)) == NOT_AUTHORIZED

    def test_no_such_role(self, sandbox_cloud, cluster, name):
        sandbox_cloud.role(name, cluster.issuer, SUBJECT, READ)
        missing = f"arn:aws:iam::{world.ACCOUNT}:role/{name}-missing"

        assert refusal(sandbox_cloud.url, missing, token(cluster)) == NOT_AUTHORIZED

    def test_a_token_that_another_key_signed(self, sandbox_cloud, cluster, name):
        arn = sandbox_cloud.role(name, cluster.issuer, SUBJECT, READ)
        with Cluster(issuer=cluster.issuer) as impostor:
            impostor.load([service_account()])

            status, code, _ = refusal(sandbox_cloud.url, arn, token(impostor))

        assert (status, code) == (400, "InvalidIdentityToken")

    def test_a_token_that_has_ended(self, sandbox_cloud, cluster, name, monkeypatch):
        arn = sandbox_cloud.role(name, cluster.issuer, SUBJECT, READ)
        now = time.time()
        with monkeypatch.context() as earlier:
            earlier.setattr(time, "time", lambda: now - 7200)
            old = token(cluster)

        assert refusal(sandbox_cloud.url, arn, old)[:2] == (400, "ExpiredTokenException")

    @pytest.mark.parametrize("presented", ["nonsense", "a.b.c", "e30.e30.e30", "e30.W10.e30"])
    def test_what_is_no_token(self, sandbox_cloud, cluster, name, presented):
        arn = sandbox_cloud.role(name, cluster.issuer, SUBJECT, READ)

        assert refusal(sandbox_cloud.url, arn, presented)[:2] == (400, "InvalidIdentityToken")

    def test_what_is_no_role(self, sandbox_cloud, cluster):
        arn = f"arn:aws:iam::{world.ACCOUNT}:user/reader"

        assert refusal(sandbox_cloud.url, arn, token(cluster))[:2] == (400, "ValidationError")


class TestTrustPolicy:
    """Beyond the usual one: how conditions are read."""

    def trust(self, cloud: Cloud, cluster: Cluster, name: str, **statement: Any) -> str:
        import json

        arn = cloud.role(name, cluster.issuer, SUBJECT, READ)
        provider = f"arn:aws:iam::{world.ACCOUNT}:oidc-provider/{cluster.issuer.removeprefix('https://')}"
        base = {
            "Effect": "Allow", "Principal": {"Federated": provider}, "Action": "sts:AssumeRoleWithWebIdentity",
        }  # fmt: skip
        document = {"Version": "2012-10-17", "Statement": [base | statement]}
        iam = cloud.client("iam", "administrator")
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(document))
        return arn

    @pytest.mark.parametrize(
        ("operator", "wanted", "fits"),
        [
            ("StringLike", "system:serviceaccount:default:*", True),
            ("StringLike", "system:serviceaccount:other:*", False),
            ("StringLike", ["system:serviceaccount:other:*", "system:serviceaccount:default:es?"], True),
            ("StringEquals", "system:serviceaccount:default:*", False),
            ("StringEquals", ["x", SUBJECT], True),
            ("ArnLike", SUBJECT, False),
        ],
    )
    def test_conditions(self, sandbox_cloud, cluster, name, operator, wanted, fits):
        key = f"{cluster.issuer.removeprefix('https://')}:sub"
        arn = self.trust(sandbox_cloud, cluster, name, Condition={operator: {key: wanted}})

        if fits:
            assert assume(sandbox_cloud.url, arn, token(cluster))["SessionToken"]
        else:
            assert refusal(sandbox_cloud.url, arn, token(cluster)) == NOT_AUTHORIZED

    @pytest.mark.parametrize(
        "statement",
        [
            {"Action": "sts:AssumeRole"},
            {"Principal": {"Service": "pods.eks.amazonaws.com"}},
            {"Effect": "Deny"},
        ],
    )
    def test_what_does_not_let_in(self, sandbox_cloud, cluster, name, statement):
        arn = self.trust(sandbox_cloud, cluster, name, **statement)

        assert refusal(sandbox_cloud.url, arn, token(cluster)) == NOT_AUTHORIZED


def test_a_token_is_judged_by_its_own_issuers_keys(cluster):
    good = token(cluster)
    head, body, signature = good.split(".")

    assert tokens.is_signed(good, cluster.jwks())
    assert not tokens.is_signed(f"{head}.{body}.{signature[:-4]}AAAA", cluster.jwks())
    assert not tokens.is_signed(good, {"keys": []})
    assert tokens.audiences(tokens.claims(good)) == [identities.AUDIENCE]
