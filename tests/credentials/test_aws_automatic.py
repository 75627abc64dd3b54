"""Automatic access by a role that the console assumes: the template's parameter decides whether it may."""

import pytest

from accesses.steps import Identities
from clusters import addons, kubeconfig, waiting
from clusters import services as clusters
from clusters.models import Cluster
from credentials import issuer, services
from credentials.clouds.aws import cards, stacks
from tests import factories
from tests.runs import make_run

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]


@pytest.fixture
def make_credential(organization, admin, sandbox_cloud, own_identity, role_name):
    """Return a function that makes a role by our template, and a credential of it."""

    def make(*, automatic):
        given = cards.parameters(own_identity, issuer.subject(organization), automatic=automatic)
        cloud = sandbox_cloud.client("cloudformation", "administrator")
        cloud.create_stack(
            StackName=role_name, TemplateBody=stacks.CONSOLE.text, Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value}
                for key, value in (given | {"RoleName": role_name}).items()
            ],
        )  # fmt: skip
        (output,) = cloud.describe_stacks(StackName=role_name)["Stacks"][0]["Outputs"]
        return services.create(
            organization=organization, name="aws-role", cloud="aws", method="role", secret={},
            given={"arn": output["OutputValue"]}, by=admin,
        )  # fmt: skip

    return make


@pytest.fixture
def make_access(organization, make_sandbox_cluster, aws_endpoint, monkeypatch):
    """Return a function that makes a cluster of a credential, and an automatic access of it."""
    monkeypatch.setattr(waiting, "LONGEST", 0.1)

    def make(credential):
        cluster = factories.make_cluster(
            organization=organization, name="prod", credential=credential, account=credential.account,
            kubeconfig=kubeconfig.reduce(make_sandbox_cluster("eks").kubeconfig()),
        )  # fmt: skip
        return factories.make_access(
            cluster=clusters.check(cluster), name="aws", method="automatic", credential=None,
            configuration={"region": "eu-west-3", "scope": "all", "prefixes": "", "kms_keys": ""},
        )  # fmt: skip

    return make


def apply(access):
    return Identities().apply(make_run(Cluster.objects.get(pk=access.cluster_id)))


def test_deploys_make_roles_with_it(make_credential, make_access, sandbox_cloud):
    credential = make_credential(automatic=True)
    access = make_access(credential)

    said = apply(access)

    iam = sandbox_cloud.client("iam", "administrator")
    role = iam.get_role(RoleName=f"keyhaven-{access.store_name}")["Role"]
    credential.refresh_from_db()
    assert said == "1 identity in place"
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert credential.used_at is not None


def test_without_that_parameter_a_deploy_says_what_is_missing(make_credential, make_access):
    access = make_access(make_credential(automatic=False))

    with pytest.raises(addons.StepFailed, match="lacks iam:"):
        apply(access)
