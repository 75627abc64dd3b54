"""Roles by the cluster's own tokens: who is let in, and why not."""

import json
from typing import Any

import pytest

from accesses import trials
from clusters import kubeconfig
from clusters import services as clusters
from clusters.models import Cluster
from tests import factories

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

READING = ["secretsmanager:ListSecrets", "secretsmanager:GetSecretValue", "sts:GetCallerIdentity"]


@pytest.fixture
def kube(make_sandbox_cluster):
    return make_sandbox_cluster("eks")


@pytest.fixture
def cluster(organization, kube, aws_endpoint, sandbox_cloud) -> Cluster:
    keys = sandbox_cloud.keys["administrator"]
    credential = factories.make_cloud_credential(
        organization=organization, secret={"access_key_id": keys[0], "secret_access_key": keys[1]}
    )
    made = factories.make_cluster(
        organization=organization, kubeconfig=kubeconfig.reduce(kube.kubeconfig()), credential=credential,
        account="123456789012",
    )  # fmt: skip
    return clusters.check(made)


@pytest.fixture
def access(cluster):
    return make(cluster, "arn:aws:iam::123456789012:role/not-made")


def make(cluster: Cluster, arn: str) -> Any:
    configuration = {"region": "eu-west-3", "role_arn": arn}
    return factories.make_access(cluster=cluster, method="role", credential=None, configuration=configuration)


def subject(access: Any) -> str:
    return f"system:serviceaccount:external-secrets:{access.service_account}"


def let_in(access: Any, cloud: Any, issuer: str, who: str, **more: Any) -> Any:
    """Make a role and have the access use it."""
    arn = cloud.role(f"role-{access.id.hex[:8]}", issuer, who, READING, **more)
    access.configuration = access.configuration | {"role_arn": arn}
    access.save()
    return trials.try_access(access)


def test_a_role_that_trusts_the_serviceaccount_is_signed_in_to_and_names_are_listed(
    access, sandbox_cloud, kube
):
    result = let_in(access, sandbox_cloud, kube.issuer, subject(access))

    assert result.listed, result
    assert (
        result.facts[0].text == f"As arn:aws:sts::123456789012:assumed-role/role-{access.id.hex[:8]}/keyhaven"
    )


def test_the_test_makes_the_serviceaccount_and_says_whose_it_is(access, kube, sandbox_cloud):
    let_in(access, sandbox_cloud, kube.issuer, subject(access))

    made = kube.get("ServiceAccount", access.service_account, "external-secrets")
    assert made["metadata"]["labels"]["keyhaven.io/owner"] == str(access.pk)
    assert made["automountServiceAccountToken"] is False


def test_a_role_that_is_not_there(access):
    result = trials.try_access(access)

    assert result.reason == "There is no role not-made in the account 123456789012."
    assert (result.refused, result.usable, result.about) == (True, False, "role_arn")


def test_a_role_that_trusts_another_serviceaccount(access, sandbox_cloud, kube):
    result = let_in(access, sandbox_cloud, kube.issuer, "system:serviceaccount:shop:api")

    assert "trusts the ServiceAccount system:serviceaccount:shop:api, but this access's is" in result.reason
    assert subject(access) in result.policy


def test_a_role_that_trusts_another_cluster(access, sandbox_cloud, make_sandbox_cluster, kube):
    other = make_sandbox_cluster("eks")
    sandbox_cloud.role(f"also-{access.id.hex[:8]}", kube.issuer, subject(access), READING)

    result = let_in(access, sandbox_cloud, other.issuer, subject(access))

    assert result.reason == (
        f"The role trusts the issuer {other.issuer.removeprefix('https://')}, "
        f"but the cluster's is {kube.issuer.removeprefix('https://')}."
    )


def test_an_account_without_the_issuers_provider(access, sandbox_cloud, kube, make_sandbox_cluster):
    iam = sandbox_cloud.client("iam", "administrator")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    name = f"ec2-{access.id.hex[:8]}"
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    access.configuration = access.configuration | {"role_arn": arn}

    result = trials.try_access(access)

    assert result.reason == "The role trusts no issuer of tokens; its trust policy is for something else."
    assert json.loads(result.policy)["Statement"][0]["Action"] == "sts:AssumeRoleWithWebIdentity"


def test_without_a_cloud_credential_both_causes_are_named_with_the_trust_to_paste(
    access, sandbox_cloud, kube
):
    access.cluster.credential = None

    result = let_in(access, sandbox_cloud, kube.issuer, "system:serviceaccount:shop:api")

    assert "does not trust this cluster's issuer and this access's ServiceAccount" in result.reason
    assert subject(access) in result.policy


def test_a_right_to_tokens_that_is_missing_is_no_failure_of_the_access(access, kube):
    verbs = ["get", "list", "patch", "create"]
    rule = {"apiGroups": ["*"], "resources": ["*"], "verbs": verbs, "not": ["serviceaccounts/token"]}
    kube.add_user("narrow", [rule])
    access.cluster.kubeconfig = kubeconfig.reduce(kube.kubeconfig("narrow"))

    result = trials.try_access(access)

    assert result.untried
    assert result.reason == "The console may not ask for tokens of ServiceAccounts in external-secrets."
    assert "serviceaccounts/token" in result.remedy


def test_no_token_is_kept_or_told(access, sandbox_cloud, kube, caplog):
    with caplog.at_level("DEBUG"):
        result = let_in(access, sandbox_cloud, kube.issuer, subject(access))

    access.refresh_from_db()
    assert "eyJ" not in caplog.text + repr(result) + repr(access.__dict__)
