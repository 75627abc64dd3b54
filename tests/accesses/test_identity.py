"""AWS automatic: what the identity step makes, keeps, shows and takes away in the account."""

import json
from typing import Any

import pytest
from botocore import exceptions

from accesses import drafts, services, trials
from accesses.models import Access, Identity
from accesses.providers import PROVIDERS
from accesses.steps import Identities
from clusters import addons, kubeconfig, waiting
from clusters import services as clusters
from clusters.models import Cluster
from credentials.clouds import aws
from credentials.models import CloudCredential
from tests import factories
from tests.runs import make_run

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]


@pytest.fixture
def kube(make_sandbox_cluster):
    return make_sandbox_cluster("eks")


@pytest.fixture
def credential(organization, sandbox_cloud):
    keys = sandbox_cloud.keys["console"]
    return factories.make_cloud_credential(
        organization=organization, secret={"access_key_id": keys[0], "secret_access_key": keys[1]}
    )


@pytest.fixture
def cluster(organization, kube, credential, aws_endpoint, monkeypatch) -> Cluster:
    monkeypatch.setattr(waiting, "LONGEST", 0.1)
    made = factories.make_cluster(
        organization=organization, name="prod", kubeconfig=kubeconfig.reduce(kube.kubeconfig()),
        credential=credential, account="123456789012",
    )  # fmt: skip
    return clusters.check(made)


@pytest.fixture
def iam(sandbox_cloud):
    return sandbox_cloud.client("iam", "administrator")


@pytest.fixture
def access(cluster):
    return make(cluster)


WIDE = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def make(cluster: Cluster, name: str = "aws", **configuration: str) -> Access:
    return factories.make_access(
        cluster=cluster, name=name, method="automatic", credential=None,
        configuration={"region": "eu-west-3", "scope": "linked", "prefixes": "", "kms_keys": ""} | configuration,
    )  # fmt: skip


def apply(cluster: Cluster) -> tuple[Any, str]:
    run = make_run(Cluster.objects.get(pk=cluster.pk))
    return run, Identities().apply(run)


def plan(cluster: Cluster) -> list[addons.Change]:
    return Identities().plan(make_run(Cluster.objects.get(pk=cluster.pk), ask=True))


def role_of(iam: Any, access: Access) -> dict[str, Any]:
    return dict(iam.get_role(RoleName=f"keyhaven-{access.store_name}")["Role"])


def policy_of(iam: Any, access: Access) -> dict[str, Any]:
    name = f"keyhaven-{access.store_name}"
    return dict(iam.get_role_policy(RoleName=name, PolicyName="keyhaven-secrets")["PolicyDocument"])


def test_where_the_cluster_is_was_found(cluster, kube):
    assert cluster.cloud == "aws"
    assert cluster.region == "eu-west-3"
    assert cluster.issuer == kube.issuer


def test_it_makes_the_issuers_provider_the_role_and_its_policy(cluster, access, iam, kube):
    host = kube.issuer.removeprefix("https://")

    run, said = apply(cluster)

    role = role_of(iam, access)
    trust = role["AssumeRolePolicyDocument"]["Statement"][0]
    provider = iam.get_open_id_connect_provider(
        OpenIDConnectProviderArn=f"arn:aws:iam::123456789012:oidc-provider/{host}"
    )
    assert said == "1 identity in place"
    assert trust["Principal"] == {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{host}"}
    assert trust["Condition"] == {
        "StringEquals": {
            f"{host}:aud": "sts.amazonaws.com",
            f"{host}:sub": f"system:serviceaccount:external-secrets:{access.service_account}",
        }
    }
    assert {"Key": "managed-by", "Value": "keyhaven"} in role["Tags"]
    assert provider["ClientIDList"] == ["sts.amazonaws.com"]
    assert Identity.objects.get().facts["role_arn"] == role["Arn"]
    assert "Made the IAM role" in run.log.of("info")


def test_the_cluster_can_then_sign_in_and_list_names(cluster, access):
    apply(cluster)

    result = trials.try_access(access)

    assert result.listed, result
    assert "assumed-role" in result.facts[0].text


def test_doing_it_again_changes_nothing(cluster, access):
    apply(cluster)

    assert {change.action for change in plan(cluster)} == {"unchanged"}
    run, _ = apply(cluster)

    assert "Made" not in run.log.of("info")
    assert "Changed" not in run.log.of("info")


class TestReach:
    def test_by_default_it_may_read_nothing_but_what_is_linked(self, cluster, access, iam):
        service = factories.make_service(cluster=cluster)
        factories.make_link(service=service, access=access, key="prod/db-password")

        apply(cluster)

        reading, listing = policy_of(iam, access)["Statement"]
        assert (
            reading["Resource"]
            == "arn:aws:secretsmanager:eu-west-3:123456789012:secret:prod/db-password-??????"
        )
        assert (listing["Action"], listing["Resource"]) == (["secretsmanager:ListSecrets"], "*")

    def test_what_is_linked_can_be_read_by_it_and_nothing_else(self, cluster, access, sandbox_cloud):
        service = factories.make_service(cluster=cluster)
        factories.make_link(service=service, access=access, key="prod/billing/api-key")
        apply(cluster)
        keys = PROVIDERS[access.provider].method_of(access).sign_in(access)

        manager = aws.client("secretsmanager", keys, "eu-west-3")

        read = manager.get_secret_value(SecretId="prod/billing/api-key")["SecretString"]
        assert read == sandbox_cloud.value("prod/billing/api-key")
        with pytest.raises(exceptions.ClientError, match="AccessDenied"):
            manager.get_secret_value(SecretId="dev/billing/api-key")

    @pytest.mark.parametrize(
        ("scope", "tried"),
        [({"scope": "linked"}, {"Read secrets": None}), ({"scope": "prefixes", "prefixes": "prod/"}, True)],
    )
    def test_that_it_is_narrow_is_no_missing_permission(self, cluster, scope, tried):
        access = make(cluster, **scope)
        apply(cluster)

        result = trials.try_access(access)

        found = {fact.label: fact.ok for fact in result.facts[2:]}
        assert found == tried or set(found.values()) == {tried}
        assert result.policy == ""

    def test_a_new_link_is_in_the_next_plan_and_deploy(self, cluster, access, iam):
        apply(cluster)
        factories.make_link(
            service=factories.make_service(cluster=cluster), access=access, key="prod/api-key"
        )

        (change,) = [change for change in plan(cluster) if change.action != "unchanged"]
        apply(cluster)

        assert change.kind == "IAM role"
        assert any(field.path.startswith("spec.policy.Statement") for field in change.fields)
        assert "prod/api-key" in json.dumps(policy_of(iam, access))

    def test_prefixes(self, cluster, iam):
        access = make(cluster, scope="prefixes", prefixes="prod/\nstaging/shop")

        apply(cluster)

        assert policy_of(iam, access)["Statement"][0]["Resource"] == [
            "arn:aws:secretsmanager:eu-west-3:123456789012:secret:prod/*",
            "arn:aws:secretsmanager:eu-west-3:123456789012:secret:staging/shop*",
        ]

    def test_all(self, cluster, iam):
        access = make(cluster, scope="all")

        apply(cluster)

        assert policy_of(iam, access)["Statement"] == [
            {
                "Effect": "Allow",
                "Action": [
                    "secretsmanager:GetResourcePolicy",
                    "secretsmanager:GetSecretValue",
                    "secretsmanager:DescribeSecret",
                    "secretsmanager:ListSecretVersionIds",
                    "secretsmanager:ListSecrets",
                ],
                "Resource": "*",
            }
        ]

    def test_more_linked_secrets_than_a_policy_can_name_fail_by_name(self, cluster, access):
        service = factories.make_service(cluster=cluster)
        for number in range(120):
            factories.make_link(service=service, access=access, key=f"prod/team/{number:03d}/{'x' * 60}")

        with pytest.raises(addons.StepFailed, match="IAM takes 10,240 for a role"):
            apply(cluster)

        assert any("IAM takes 10,240" in change.problem for change in plan(cluster))


class TestDrift:
    def test_what_somebody_changed_in_the_account_is_shown_and_brought_back(self, cluster, access, iam):
        apply(cluster)
        name = f"keyhaven-{access.store_name}"
        iam.put_role_policy(RoleName=name, PolicyName="keyhaven-secrets", PolicyDocument=json.dumps(WIDE))

        (change,) = [change for change in plan(cluster) if change.action != "unchanged"]
        run, _ = apply(cluster)

        assert (change.kind, change.action) == ("IAM role", "change")
        assert {field.path for field in change.fields} >= {"spec.policy.Statement.1.Action"}
        assert "Changed the IAM role" in run.log.of("info")
        assert policy_of(iam, access)["Statement"][0]["Action"] == ["secretsmanager:ListSecrets"]

    def test_a_role_that_was_deleted_is_made_again(self, cluster, access, iam):
        apply(cluster)
        name = f"keyhaven-{access.store_name}"
        iam.delete_role_policy(RoleName=name, PolicyName="keyhaven-secrets")
        iam.delete_role(RoleName=name)

        apply(cluster)

        assert role_of(iam, access)

    def test_a_role_of_that_name_that_is_not_ours_is_never_taken_over(self, cluster, access, iam):
        iam.create_role(RoleName=f"keyhaven-{access.store_name}", AssumeRolePolicyDocument="{}")

        with pytest.raises(addons.StepFailed, match="Keyhaven did not make it"):
            apply(cluster)

        assert role_of(iam, access)["AssumeRolePolicyDocument"] == {}

    def test_a_provider_of_others_only_gets_our_audience(self, cluster, access, iam, kube):
        arn = iam.create_open_id_connect_provider(Url=kube.issuer, ClientIDList=["theirs"])[
            "OpenIDConnectProviderArn"
        ]

        apply(cluster)

        found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
        assert sorted(found["ClientIDList"]) == ["sts.amazonaws.com", "theirs"]
        assert not found.get("Tags")


class TestEnd:
    def roles(self, iam: Any) -> list[str]:
        return [role["RoleName"] for role in iam.list_roles()["Roles"]]

    def test_with_the_access_go_the_role_and_our_provider(self, cluster, access, iam, devops, kube):
        apply(cluster)
        role = f"keyhaven-{access.store_name}"
        services.delete(access=access, by=devops)

        planned = plan(cluster)
        _, said = apply(cluster)

        host = kube.issuer.removeprefix("https://")
        assert {(change.action, change.kind) for change in planned} == {
            ("delete", "IAM role"), ("delete", "IAM OIDC provider"),
        }  # fmt: skip
        assert role not in self.roles(iam)
        arns = [one["Arn"] for one in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]]
        assert not any(arn.endswith(host) for arn in arns)
        assert not Identity.objects.exists()
        assert said == "0 identities in place, 1 removed"

    def test_the_provider_stays_while_another_role_trusts_it(
        self, cluster, access, iam, devops, kube, sandbox_cloud
    ):
        apply(cluster)
        sandbox_cloud.role("somebody-elses", kube.issuer, "system:serviceaccount:x:y", ["s3:GetObject"])
        services.delete(access=access, by=devops)

        apply(cluster)

        host = kube.issuer.removeprefix("https://")
        arns = [one["Arn"] for one in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]]
        assert any(arn.endswith(host) for arn in arns)

    def test_a_role_that_was_given_more_stays_and_is_tried_again(self, cluster, access, iam, devops):
        apply(cluster)
        name = f"keyhaven-{access.store_name}"
        iam.put_role_policy(RoleName=name, PolicyName="theirs", PolicyDocument=json.dumps(WIDE))
        services.delete(access=access, by=devops)

        run, _ = apply(cluster)

        assert "Somebody gave the role" in run.log.of("warning")
        assert Identity.objects.exists()
        iam.delete_role_policy(RoleName=name, PolicyName="theirs")
        apply(cluster)
        assert not Identity.objects.exists()


class TestWithoutTheRight:
    def test_a_credential_that_may_not_is_told_with_what_it_lacks(self, cluster, access, sandbox_cloud):
        keys = sandbox_cloud.keys["reader"]
        credential = CloudCredential.objects.get()
        credential.secret = {"access_key_id": keys[0], "secret_access_key": keys[1]}
        credential.save()

        with pytest.raises(addons.StepFailed, match="The identity lacks iam:GetOpenIDConnectProvider"):
            apply(cluster)

        assert any("iam:GetOpenIDConnectProvider" in change.problem for change in plan(cluster))

    def test_a_cluster_without_a_credential_says_where_to_choose_one(self, cluster, access):
        Cluster.objects.filter(pk=cluster.pk).update(credential=None)

        with pytest.raises(addons.StepFailed, match="no cloud credential") as failure:
            apply(cluster)

        assert "settings" in failure.value.remedy


def test_an_operator_of_others_elsewhere_is_known_before_anything_is_trusted(
    cluster, access, iam, kube, devops
):
    labels = {"app.kubernetes.io/name": "external-secrets"}
    container = {"name": "c", "image": "ghcr.io/external-secrets/external-secrets:v2.9.0"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    kube.load([
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "eso"}},
        {
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "eso", "namespace": "eso", "labels": labels},
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        },
    ])  # fmt: skip

    draft = drafts.begin(cluster=Cluster.objects.get(pk=cluster.pk), by=devops)
    apply(cluster)

    trust = role_of(iam, access)["AssumeRolePolicyDocument"]["Statement"][0]
    assert draft.cluster.operator_namespace == "eso"
    assert (
        f"system:serviceaccount:eso:{access.service_account}" in trust["Condition"]["StringEquals"].values()
    )


class TestATroubleOfOneAccess:
    def test_an_identity_that_was_made_holds_up_nothing_when_it_cannot_be_looked_at(self, cluster, access):
        apply(cluster)
        credential = CloudCredential.objects.get()
        credential.secret = {"access_key_id": "AKIA" + "Z" * 16, "secret_access_key": "z" * 40}
        credential.save()

        run, said = apply(cluster)

        assert "AWS does not accept these keys" in run.log.of("warning")
        assert "It stays as the last deploy left it." in run.log.of("warning")
        assert said == "No access is automatic" or "identit" in said

    def test_one_that_was_never_made_is_not_taken_for_made(self, cluster, access, iam, devops):
        iam.create_role(RoleName=f"keyhaven-{access.store_name}", AssumeRolePolicyDocument="{}")
        with pytest.raises(addons.StepFailed):
            apply(cluster)

        result = services.verify(access, by=devops)

        assert Identity.objects.exists(), "what was begun is known"
        assert result.untried
        assert result.reason == "The identity is not made yet."
