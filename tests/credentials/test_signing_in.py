"""EKS clusters that are signed in to by a cloud credential: found, connected, deployed to with Helm, refused."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.db import connection

from clusters import deploys, helm, kubeconfig, kubernetes, runner, services, waiting
from clusters.joining import manifest
from clusters.kubernetes import signing
from clusters.models import Cluster, ConnectDraft, Deploy
from credentials import services as credentials
from credentials import signing as credential_signing
from credentials.clouds.aws import admission
from credentials.models import CloudCredential
from sandbox import world
from tests import factories

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

REGION = "eu-west-3"


def user(name: str) -> str:
    return f"arn:aws:iam::{world.ACCOUNT}:user/{name}"


def connect(credential: CloudCredential, name: str = "prod") -> Cluster:
    """Connect a cluster that a credential finds."""
    owner = factories.make_member(credential.organization, "owner")
    draft = ConnectDraft.objects.create(
        organization=credential.organization, by=owner, credential=credential, kind="eks",
        locator={"region": REGION, "name": name},
    )  # fmt: skip
    return services.connect(draft=draft, name=name, by=owner)


@pytest.fixture
def kube(make_sandbox_cluster, aws_endpoint, sandbox_cloud, settings, project, monkeypatch) -> Any:
    settings.OPERATOR_CHART = str(project / "sandbox" / "chart" / "external-secrets")
    monkeypatch.setattr(waiting, "LONGEST", 0.1)
    found = make_sandbox_cluster("eks")
    sandbox_cloud.enroll(found, "prod", [user("console")])
    return found


@pytest.fixture
def by_role(organization, admin, console_role, kube, sandbox_cloud) -> CloudCredential:
    """A role with its access entry."""
    made = credentials.create(
        organization=organization, name="aws-prod", cloud="aws", method="role", secret={},
        given={"arn": console_role}, by=admin,
    )  # fmt: skip
    sandbox_cloud.enroll(kube, "prod", [console_role])
    return made


@pytest.fixture
def by_keys(organization, admin, keys, kube) -> CloudCredential:
    """The keys of a user with its access entry."""
    return credentials.create(
        organization=organization, name="aws-prod", cloud="aws", method="static", secret=keys("console"),
        given={"partition": "aws"}, by=admin,
    )  # fmt: skip


def test_a_role_is_assumed_and_signs_in(by_role, role_name):
    cluster = services.check(connect(by_role))

    by_role.refresh_from_db()
    assert (cluster.status, cluster.status_reason) == ("ready", "")
    assert cluster.identity.startswith(f"arn:aws:sts::{world.ACCOUNT}:assumed-role/{role_name}/keyhaven")
    assert all(entry["allowed"] for entry in cluster.permissions)
    assert (cluster.kind, cluster.region) == ("eks", REGION)
    assert by_role.used_at is not None


def test_what_is_stored_signs_nobody_in(by_keys):
    cluster = connect(by_keys)

    stored = yaml.safe_load(Cluster.objects.get(pk=cluster.pk).kubeconfig)
    once = yaml.safe_load(signing.kubeconfig_of(cluster))
    assert stored["users"][0]["user"] == {}
    assert once["users"][0]["user"]["token"].startswith("k8s-aws-v1.")
    assert once["clusters"] == stored["clusters"]


@pytest.mark.parametrize("who", ["reader", "foreigner"])
def test_an_identity_without_an_access_entry_is_told_the_command(organization, keys, kube, who):
    arn = user(who) if who == "reader" else f"arn:aws:iam::{world.OTHER_ACCOUNT}:user/administrator"
    stranger = factories.make_cloud_credential(
        organization=organization, secret=keys(who), facts={"partition": "aws", "arn": arn}
    )
    found = kubeconfig.reduce(kube.kubeconfig())
    server = yaml.safe_load(found)["clusters"][0]["cluster"]
    cluster = factories.make_cluster(
        organization=organization, kind="eks", signs_in="credential", credential=stranger,
        locator={"region": REGION, "name": "prod"},
        kubeconfig=kubeconfig.bare(server["server"], server["certificate-authority-data"]),
    )  # fmt: skip

    cluster = services.check(cluster)

    assert cluster.status == "denied"
    assert f"has no access entry for {arn}" in cluster.status_reason
    assert f"aws eks create-access-entry --cluster-name prod --region {REGION} --principal-arn {arn}" in (
        cluster.status_reason
    )


def test_another_clusters_name_is_refused(by_keys, sandbox_cloud, kube):
    cluster = connect(by_keys)
    cluster.locator = cluster.locator | {"name": "staging"}

    with pytest.raises(kubernetes.Unauthorized, match="The cluster staging has no access entry"):
        kubernetes.connect(cluster).version()


def test_a_key_that_is_replaced_while_a_deploy_runs_is_taken_up(by_keys, sandbox_cloud):
    cluster = connect(by_keys)
    door = kubernetes.connect(cluster)
    door.version()
    old, new = by_keys.secret, sandbox_cloud.make_key("console")
    elsewhere = CloudCredential.objects.get(pk=by_keys.pk)
    elsewhere.secret = {"access_key_id": new[0], "secret_access_key": new[1]}
    elsewhere.save()

    with sandbox_cloud.without_key("console", old["access_key_id"]):
        said = door.whoami()

    assert said == user("console")


def test_a_key_that_is_gone_is_told(by_keys, sandbox_cloud):
    cluster = connect(by_keys)

    with sandbox_cloud.without_key("console", by_keys.secret["access_key_id"]):
        cluster = services.check(cluster)

    assert cluster.status == "denied"
    assert "or does not know its keys" in cluster.status_reason


def test_keys_of_a_role_that_end_are_made_anew(by_role, sandbox_cloud):
    """Temporary keys may end before the token that they signed."""
    from credentials.clouds.aws import role

    door = kubernetes.connect(connect(by_role))
    door.version()
    sandbox_cloud.expire(credential_signing.session(by_role).access_key_id)
    role.kept.clear()

    assert door.version().startswith("v1.36")


def test_an_aws_that_is_silent_makes_the_cluster_unreachable(by_role, monkeypatch):
    from credentials.clouds.aws import role

    cluster = connect(by_role)
    role.kept.clear()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    cluster = services.check(cluster)

    assert cluster.status == "unreachable"
    assert "AWS does not answer" in cluster.status_reason


def test_helm_gets_its_token_by_no_file_and_no_argument(
    by_keys, kube, settings, project, tmp_path, monkeypatch
):
    """What somebody else on the machine could look at while Helm runs."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(helm, "forget_broken", lambda *_: 0)
    text = signing.kubeconfig_of(connect(by_keys))
    token = yaml.safe_load(text)["users"][0]["user"]["token"].encode()
    kube.faults.hang = True
    seen: list[str] = []

    def look() -> None:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                line = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            except OSError:
                continue
            seen.append("leaked" if token in line else "clean")
            if b"clusters.helm_process" in line:
                seen.append("helm")

    with pytest.raises(helm.HelmFailed, match="did not finish") as failure:
        helm.install_or_upgrade(
            text, release="x", namespace="x", version="2.9.0", timeout=4, values={}, alive=look,
            chart=settings.OPERATOR_CHART,
        )  # fmt: skip

    assert {"helm", "clean"} == set(seen)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and token in path.read_bytes()] == []
    assert token.decode() not in failure.value.reason


@pytest.mark.django_db(transaction=True)
class TestDeploys:
    """Whole runs, as a worker does them."""

    @pytest.fixture(autouse=True)
    def _no_broker(self, monkeypatch):
        monkeypatch.setattr(deploys.tasks.run_deploys, "delay", lambda: None)
        monkeypatch.setattr(deploys.tasks.look, "delay", lambda cluster_id: None)

    @staticmethod
    def ran(made: Deploy) -> Deploy:
        runner.run(str(made.pk))
        made.refresh_from_db()
        return made

    @pytest.fixture(params=["by_role", "by_keys"])
    def cluster(self, request) -> Cluster:
        cluster = services.check(connect(request.getfixturevalue(request.param)))
        services.refresh_services(cluster)
        return cluster

    def test_deployed_with_helm_then_uninstalled(
        self, cluster, kube, sandbox_cloud, devops, caplog, monkeypatch
    ):
        caplog.set_level(logging.DEBUG)
        given: list[str] = []
        monkeypatch.setattr(signing.Supplier, "_new", noting(given, signing.Supplier._new))
        link(cluster, sandbox_cloud)

        first = self.ran(deploys.request(cluster=cluster, by=devops))
        second = self.ran(deploys.request(cluster=cluster, by=devops))
        last = self.ran(deploys.uninstall(cluster=cluster, by=devops))

        assert [one.status for one in (first, second, last)] == ["succeeded"] * 3, told()
        assert kube.list("ExternalSecret", "shop")
        assert kube.list("Deployment", "external-secrets") == []
        assert given
        everything = told() + caplog.text
        assert [token for token in given if token in everything] == []

    def test_the_manifest_gives_a_group_what_deploys_need(self, by_role, kube, sandbox_cloud, devops):
        sandbox_cloud.enroll(kube, "prod", [])
        sandbox_cloud.client("eks", "administrator").create_access_entry(
            clusterName="prod", principalArn=by_role.facts["arn"], kubernetesGroups=[admission.GROUP]
        )
        cluster = connect(by_role)
        before = {entry["allowed"] for entry in cluster.permissions}
        kube.load(manifest.text(manifest.Options(group=admission.GROUP)))
        services.check(cluster)
        services.refresh_services(cluster)
        link(cluster, sandbox_cloud)

        made = self.ran(deploys.request(cluster=cluster, by=devops))

        assert before == {False}
        assert [entry["label"] for entry in cluster.permissions if not entry["allowed"]] == []
        assert made.status == "succeeded", made.error

    def test_a_cluster_that_stops_letting_in_fails_the_deploy_with_the_command(
        self, cluster, kube, sandbox_cloud, devops
    ):
        sandbox_cloud.enroll(kube, "prod", [])

        made = self.ran(deploys.request(cluster=cluster, by=devops))

        assert made.status == "failed"
        assert "aws eks create-access-entry" in f"{made.error} {made.remedy}"


def noting(given: list[str], make: Any) -> Any:
    """Return a function that notes the tokens which another one makes."""

    def act(supplier: signing.Supplier) -> Any:
        token = make(supplier)
        given.append(token.text)
        return token

    return act


def link(cluster: Cluster, cloud: Any) -> None:
    key = cloud.keys["reader"]
    access = factories.make_access(
        cluster=cluster, credential={"access_key_id": key[0], "secret_access_key": key[1]}
    )
    service = cluster.services.get(namespace="shop", name="api")
    factories.make_link(service=service, access=access, key="prod/db-password", variable="DB_PASSWORD")


def told() -> str:
    """Return everything that the database holds, as text."""
    rows = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            rows += cursor.fetchall()
    return json.dumps(rows, default=str)
