"""A whole deploy: from a link in the console to the value in the cluster's Secret, with the sandbox's own operator."""

import base64
import time
from functools import partial

import pytest

from accounts.models import AuditEvent
from clusters import deploys, kubernetes, runner
from clusters import services as cluster_services
from config.paths import BASE_DIR
from external_secrets import manifests, services
from external_secrets.models import ExternalSecret
from external_secrets.steps import restart, state
from sandbox.aws import Cloud
from sandbox.kubernetes import Cluster as SandboxCluster
from sandbox.reconciler import Reconciler
from tests import factories

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sandbox]

NAME = "prod/shop/database"


@pytest.fixture(scope="module")
def cloud():
    with Cloud(count=0) as running:
        yield running


@pytest.fixture
def kube(cloud):
    container = {"name": "web", "image": "shop/api:1", "env": [{"name": "LOG_LEVEL", "value": "info"}]}
    template = {"metadata": {"labels": {"app": "api"}}, "spec": {"containers": [container]}}
    with SandboxCluster() as running:
        reconciler = Reconciler(running, cloud.url)
        reconciler.start()
        running.load(
            [
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},
                {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "metadata": {"name": "api", "namespace": "shop"},
                    "spec": {"selector": {"matchLabels": {"app": "api"}}, "template": template},
                },
            ]
        )
        yield running
        reconciler.stop()


@pytest.fixture
def cluster(organization, kube, cloud, settings, monkeypatch):
    settings.OPERATOR_CHART = str(BASE_DIR / "sandbox" / "chart" / "external-secrets")
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.url)
    return factories.make_cluster(organization=organization, name="prod", kubeconfig=kube.kubeconfig())


@pytest.fixture
def service(cluster):
    cluster_services.refresh_services(cluster=cluster)
    return cluster.services.get(name="api")


@pytest.fixture
def access(cluster, cloud):
    key, secret = cloud.keys["reader"]
    credential = {"access_key_id": key, "secret_access_key": secret}
    return factories.make_access(cluster=cluster, name="aws", namespaces=["shop"], credential=credential)


@pytest.fixture
def deploy(cluster, devops, monkeypatch):
    """Return a function that deploys the cluster here and now."""
    monkeypatch.setattr(deploys.tasks.run_deploys, "delay", lambda: None)

    def act():
        asked = deploys.request(cluster=cluster, by=devops)
        runner.run(str(asked.pk))
        asked.refresh_from_db()
        return asked

    return act


def env_of(kube):
    spec = kube.get("Deployment", "api", "shop")["spec"]["template"]["spec"]
    return {entry["name"] for entry in spec["containers"][0]["env"]}


def test_link_deploy_vanish_unlink(cloud, kube, service, access, devops, deploy):
    cloud.put(NAME, '{"password": "hunter2"}')
    values = {"key": NAME, "variable": "DB_PASSWORD", "json_field": "password"}
    link = services.link(access=access, place=services.Place.of(service, "web"), by=devops, values=values)

    first = deploy()

    assert (first.status, first.error) == ("succeeded", "")
    secret = kube.get("Secret", link.object_name, "shop")
    assert base64.b64decode(secret["data"]["DB_PASSWORD"]) == b"hunter2"
    assert env_of(kube) == {"LOG_LEVEL", "DB_PASSWORD"}
    link.refresh_from_db()
    assert link.status == "in sync"
    assert not first.lines.filter(message__contains="hunter2").exists()

    cloud.delete(NAME)
    kube.store.remove(("", "secrets", "shop", link.object_name))
    # The operator notices it in its own time.
    until = time.monotonic() + 10
    while state.is_synced(kube.get("ExternalSecret", link.object_name, "shop")) and time.monotonic() < until:
        time.sleep(0.05)
    broken = deploy()

    assert broken.status == "failed"
    assert f"There is no secret named {NAME} in aws." in broken.error
    link.refresh_from_db()
    assert (link.status, link.status_reason) == ("failed", f"There is no secret named {NAME} in aws.")
    assert "unlink it" in link.status_remedy
    assert env_of(kube) == {"LOG_LEVEL", "DB_PASSWORD"}

    services.unlink(link=ExternalSecret.objects.get(), by=devops)
    last = deploy()

    assert (last.status, last.error) == ("succeeded", "")
    assert env_of(kube) == {"LOG_LEVEL"}
    assert kube.list("ExternalSecret") == []
    assert kube.get("Secret", link.object_name, "shop") is None


def pod_of(kube):
    return kube.get("Deployment", "api", "shop")["spec"]["template"]


def test_files_of_several_a_namespaces_variable_and_a_restart(
    cloud, kube, cluster, service, access, devops, deploy
):
    cloud.put("prod/app", '{"user": "shop", "token": "hunter2"}')
    cloud.put("prod/region", "eu")
    mine, space = services.Place.of(service, "web"), services.Place(cluster, "shop")
    several = {"key": "prod/app", "takes": "keys"}
    link = partial(services.link, access=access, by=devops)
    variables = link(place=mine, values=several | {"variable": "APP_", "restart_on_change": True})
    link(place=mine, values=several | {"target": "file", "path": "/vault/app"})
    link(place=space, values={"key": "prod/region", "variable": "REGION"})

    first = deploy()

    assert (first.status, first.error) == ("succeeded", "")
    assert env_of(kube) == {"LOG_LEVEL", "APP_TOKEN", "APP_USER", "REGION"}
    (mount,) = pod_of(kube)["spec"]["containers"][0]["volumeMounts"]
    assert mount["mountPath"] == "/vault/app"
    second = deploy()
    assert second.status == "succeeded"
    assert not second.changes.exists()

    before = pod_of(kube)["metadata"]["annotations"]
    cloud.put("prod/app", '{"user": "shop", "token": "another-one"}')
    door = kubernetes.connect(cluster)
    door.annotate(manifests.API, manifests.KIND, variables.object_name, "shop", {"force-sync": "now"})
    until = time.monotonic() + 10
    while not restart.restart_changed(cluster) and time.monotonic() < until:
        time.sleep(0.1)
    assert pod_of(kube)["metadata"]["annotations"] != before
    assert AuditEvent.objects.filter(action="service.restarted").count() == 1
    assert not deploy().changes.exists()

    for one in ExternalSecret.objects.all():
        services.unlink(link=one, by=devops)
    last = deploy()
    assert (last.status, last.error) == ("succeeded", "")
    assert env_of(kube) == {"LOG_LEVEL"}
    assert set(pod_of(kube)["spec"]) == {"containers"}
    assert "annotations" not in pod_of(kube)["metadata"]
    assert kube.list("ExternalSecret") == []
