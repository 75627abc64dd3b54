"""The permission preflight: what an AWS identity may do is told without reading one value."""

import json
import socket
import time
from typing import Any

import pytest

from accesses import services, trials
from tests import factories

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

SECRETS = [
    "secretsmanager:GetResourcePolicy",
    "secretsmanager:GetSecretValue",
    "secretsmanager:DescribeSecret",
    "secretsmanager:ListSecretVersionIds",
]
PARAMETERS = ["ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath"]


@pytest.fixture
def user(sandbox_cloud):
    """Return a function that makes an IAM user that may do some things, and returns its keys as a credential."""
    iam = sandbox_cloud.client("iam", "administrator")
    made: list[str] = []

    def act(*actions: str) -> dict[str, str]:
        name = f"probe-{len(made)}"
        iam.create_user(UserName=name)
        made.append(name)
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName=name, PolicyName="some", PolicyDocument=document)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}

    yield act
    for name in made:
        for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
        iam.delete_user_policy(UserName=name, PolicyName="some")
        iam.delete_user(UserName=name)


@pytest.fixture
def cluster(organization, sandbox_cloud, aws_endpoint):
    keys = sandbox_cloud.keys["console"]
    console = factories.make_cloud_credential(
        organization=organization, secret={"access_key_id": keys[0], "secret_access_key": keys[1]}
    )
    return factories.make_cluster(organization=organization, credential=console)


def facts(cluster: Any, credential: dict[str, str], provider: str = "aws-secrets-manager") -> tuple[Any, Any]:
    access = factories.make_access(cluster=cluster, provider=provider, credential=credential)
    result = trials.try_access(access)
    return {fact.label: fact.ok for fact in result.facts}, result


def test_what_is_there_and_what_is_missing_is_told_action_by_action(cluster, user):
    found, result = facts(cluster, user("secretsmanager:ListSecrets", "secretsmanager:DescribeSecret"))

    assert found == {
        "Sign in": True, "List secrets": True, "secretsmanager:DescribeSecret": True,
        "secretsmanager:GetResourcePolicy": False, "secretsmanager:ListSecretVersionIds": False,
        "secretsmanager:GetSecretValue": False,
    }  # fmt: skip
    assert set(json.loads(result.policy)["Statement"][0]["Action"]) == {
        name for name, ok in found.items() if ok is False
    }


def test_the_name_that_it_was_tried_on_is_not_kept_for_those_who_may_not_browse(
    cluster, user, viewer, sign_in
):
    access = factories.make_access(
        cluster=cluster, credential=user("secretsmanager:ListSecrets", "secretsmanager:DescribeSecret")
    )

    result = services.verify(access, by=viewer)
    page = sign_in(viewer).get(f"/o/acme/clusters/{cluster.name}/secret-managers/{access.name}/")

    (name,) = {fact.on for fact in result.facts if fact.on}
    assert name == result.names[0]
    assert "secretsmanager:DescribeSecret: OK" in page.content.decode()
    assert name not in page.content.decode()


def test_the_policy_of_the_seeds_misses_nothing(cluster, user):
    found, result = facts(cluster, user(*SECRETS, "secretsmanager:ListSecrets"))

    assert set(found.values()) == {True}
    assert result.policy == ""


def test_parameters_are_asked_of_iams_simulation_alone(cluster, user):
    found, _ = facts(cluster, user("ssm:DescribeParameters", "ssm:GetParameter"), "aws-parameter-store")

    assert found == {
        "Sign in": True, "List secrets": True, "ssm:GetParameter": True, "ssm:GetParameters": False,
        "ssm:GetParametersByPath": False,
    }  # fmt: skip


def test_without_the_right_to_simulate_reading_is_left_open(user, organization, aws_endpoint):
    cluster = factories.make_cluster(organization=organization)

    found, result = facts(cluster, user(*SECRETS, "secretsmanager:ListSecrets"))

    assert found["secretsmanager:GetSecretValue"] is None
    assert "never reads a value" in result.facts[-1].text + result.facts[3].text + repr(result.facts)
    assert result.listed


def test_an_identity_may_simulate_itself(user, organization, aws_endpoint):
    cluster = factories.make_cluster(organization=organization)
    rights = [*SECRETS, "secretsmanager:ListSecrets", "iam:SimulatePrincipalPolicy"]

    found, _ = facts(cluster, user(*rights))

    assert found["secretsmanager:GetSecretValue"] is True


def test_no_value_is_asked_for(cluster, user, monkeypatch):
    """Every request to AWS goes through one place; none of the reading ones is ever there."""
    import botocore.client

    asked: list[str] = []
    real = botocore.client.BaseClient._make_api_call

    def listening(self: Any, operation: str, arguments: Any) -> Any:
        asked.append(operation)
        return real(self, operation, arguments)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", listening)
    facts(cluster, user(*SECRETS, "secretsmanager:ListSecrets"))
    facts(cluster, user(*PARAMETERS, "ssm:DescribeParameters"), "aws-parameter-store")

    assert {"ListSecrets", "DescribeSecret", "DescribeParameters", "SimulatePrincipalPolicy"} <= set(asked)
    assert not {
        "GetSecretValue",
        "BatchGetSecretValue",
        "GetParameter",
        "GetParameters",
        "GetParametersByPath",
    } & set(asked)


def test_what_is_only_nice_to_know_does_not_keep_anybody_waiting(
    user, organization, sandbox_cloud, monkeypatch
):
    """Names are listed; who asked and what is allowed are not told while STS and IAM hang."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", sandbox_cloud.url)
    access = factories.make_access(
        cluster=factories.make_cluster(organization=organization),
        credential=user("secretsmanager:ListSecrets"),
    )
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for service in ("STS", "IAM"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()

        result = trials.try_access(access)

    assert result.listed
    assert result.usable
    assert time.monotonic() - began < 12
