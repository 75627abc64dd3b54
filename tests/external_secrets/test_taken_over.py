"""From somebody else's variable and file to ours: a deploy asks before it overwrites, and theirs stays whole."""

import base64

import pytest

from clusters import deploys, looks, runner
from clusters import services as cluster_services
from clusters.addons import Change
from clusters.models import Look
from config.paths import BASE_DIR
from external_secrets.exchange import finding, planning, taking
from sandbox.aws import Cloud
from sandbox.kubernetes import Cluster as SandboxCluster
from sandbox.reconciler import Reconciler
from tests import factories
from tests.external_secrets import foreigners as they

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sandbox]


@pytest.fixture(scope="module")
def cloud():
    with Cloud(count=0) as running:
        yield running


@pytest.fixture
def kube(cloud):
    with SandboxCluster() as running:
        reconciler = Reconciler(running, cloud.url)
        reconciler.start()
        running.load([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}])
        yield running
        reconciler.stop()


@pytest.fixture
def cluster(organization, kube, cloud, settings, monkeypatch):
    settings.OPERATOR_CHART = str(BASE_DIR / "sandbox" / "chart" / "external-secrets")
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.url)
    monkeypatch.setattr(deploys.tasks.run_deploys, "delay", lambda: None)
    made = factories.make_cluster(organization=organization, name="prod", kubeconfig=kube.kubeconfig())
    key, secret = cloud.keys["reader"]
    credential = {"access_key_id": key, "secret_access_key": secret}
    factories.make_access(cluster=made, name="aws", namespaces=["shop"], credential=credential)
    return made


@pytest.fixture
def deploy(cluster, devops):
    def act(overwrite=()):
        asked = deploys.request(cluster=cluster, by=devops, overwrite=list(overwrite))
        runner.run(str(asked.pk))
        asked.refresh_from_db()
        return asked

    return act


def entries(kube):
    spec = kube.get("Deployment", "api", "shop")["spec"]["template"]["spec"]
    return {one["name"]: one for one in spec["containers"][0]["env"]}


def test_take_over_deploy_overwrite(kube, cloud, cluster, devops, deploy):
    cloud.put("prod/db", "hunter2")
    deploy()
    kube.load(
        [
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "db", "namespace": "shop"},
                "data": {"password": "eA=="},
            },
            they.store("legacy"),
            they.external("db", they.entry("password", "prod/db"), target={"name": "db"}),
            they.workload(
                "api",
                {"env": [they.variable("DB_PASSWORD", "db", "password"), {"name": "LOG", "value": "1"}]},
            ),
        ]
    )
    theirs = kube.get("ExternalSecret", "db", "shop")["spec"]
    cluster_services.refresh_services(cluster)
    plan = planning.plan(cluster, finding.look(cluster).sources(["shop/db"]))
    (link,) = taking.take(cluster=cluster, rows=plan.takeable, by=devops, action="external_secret.taken_over")

    first = deploy()

    assert first.status == "failed"
    assert "already sets" in first.error
    assert entries(kube)["DB_PASSWORD"]["valueFrom"]["secretKeyRef"]["name"] == "db"

    looks.take(str(cluster.pk))
    changes = [Change.of(facts) for facts in Look.objects.get(cluster=cluster).changes]
    second = deploy([change.decision for change in changes if change.conflicts])

    assert (second.status, second.error) == ("succeeded", "")
    found = entries(kube)
    assert found["DB_PASSWORD"]["valueFrom"]["secretKeyRef"] == {
        "key": "DB_PASSWORD",
        "name": link.object_name,
    }
    assert found["LOG"] == {"name": "LOG", "value": "1"}
    data = kube.get("Secret", link.object_name, "shop")["data"]
    assert base64.b64decode(data["DB_PASSWORD"]) == b"hunter2"
    assert kube.get("ExternalSecret", "db", "shop")["spec"] == theirs
