"""The main job on the sandbox, without a browser: connect, access, link, deploy, in sync."""

import base64
import time
from typing import Any

import pytest
from django.utils import timezone

from accesses import drafts, trials
from accesses import services as accesses
from accesses.models import Access, AccessDraft
from clusters import deploys, kubeconfig, looks, runner
from clusters import services as clusters
from clusters.models import Cluster, ConnectDraft, Deploy, Look
from external_secrets import inventory, moving
from external_secrets import services as external_secrets
from external_secrets.models import ExternalSecret

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: Any) -> None:
    """The worker ring is elsewhere; here a deploy is run by hand."""
    monkeypatch.setattr(deploys.tasks.run_deploys, "delay", lambda: None)
    monkeypatch.setattr(deploys.tasks.look, "delay", lambda cluster_id: None)


@pytest.fixture
def connected(sandbox_cluster, aws_endpoint, organization, devops, settings, project) -> Cluster:
    settings.OPERATOR_CHART = str(project / "sandbox" / "chart" / "external-secrets")
    settings.SYNC_TIMEOUT = 8
    text = kubeconfig.reduce(sandbox_cluster.kubeconfig())
    draft = ConnectDraft.objects.create(organization=organization, by=devops, kubeconfig=text)
    return clusters.connect(draft=draft, name="prod", by=devops)


def make_access(cluster: Cluster, keys: tuple[str, str], by: Any, **fields: Any) -> Access:
    values = {
        "provider": "aws-secrets-manager", "method": "static", "name": "aws",
        "configuration": {"region": "eu-west-3"}, "namespaces": ["shop"],
        "credential": {"access_key_id": keys[0], "secret_access_key": keys[1]},
        "credential_set_at": timezone.now(),
    }  # fmt: skip
    draft = AccessDraft.objects.create(cluster=cluster, by=by, **(values | fields))
    drafts.test_draft(draft)
    return accesses.create(draft=draft, by=by)


@pytest.fixture
def access(connected, sandbox_cloud, devops) -> Access:
    return make_access(connected, sandbox_cloud.keys["reader"], devops)


def link(
    access: Access, by: Any, service: str = "api", container: str = "web", **values: Any
) -> ExternalSecret:
    found = access.cluster.services.get(name=service)
    wanted = {"key": "prod/db-password", "container": container, "variable": "DB_PASSWORD"} | values
    container = wanted.pop("container")
    place = external_secrets.Place.of(found, container)
    return external_secrets.link(access=access, place=place, by=by, values=wanted)


def deploy(cluster: Cluster, by: Any) -> Deploy:
    made = deploys.request(cluster=cluster, by=by)
    runner.run(str(made.pk))
    made.refresh_from_db()
    return made


def lines(made: Deploy) -> str:
    return "\n".join(f"{line.step}: {line.message}" for line in made.lines.all())


def wait_until_settled(sandbox_cluster: Any) -> None:
    """Wait for the sandbox's own controllers, which write a workload's status soon after its spec."""
    for _ in range(100):
        workloads = sandbox_cluster.list("Deployment")
        if all(m["status"]["observedGeneration"] == m["metadata"]["generation"] for m in workloads):
            return
        time.sleep(0.05)


def env_of(sandbox_cluster: Any, name: str = "api") -> dict[str, Any]:
    manifest = sandbox_cluster.get("Deployment", name, "shop")
    containers = manifest["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry for entry in containers[0]["env"]}


def test_a_cluster_is_connected_with_its_services(connected):
    assert connected.version == "v1.36.2-sandbox"
    assert connected.identity == "sandbox-admin"
    assert all(entry["allowed"] for entry in connected.permissions)
    assert connected.services.count() == 6
    web = connected.services.get(name="api").container("web")
    assert {"name": "PORT", "source": "value"} in web["env"]


def test_a_linked_secret_reaches_the_service(access, devops, sandbox_cluster, sandbox_cloud):
    made_link = link(access, devops)

    made = deploy(access.cluster, devops)

    assert made.status == "succeeded", lines(made)
    secret = sandbox_cluster.get("Secret", made_link.object_name, "shop")
    assert base64.b64decode(secret["data"]["DB_PASSWORD"]).decode() == sandbox_cloud.value("prod/db-password")
    reference = {"secretKeyRef": {"name": made_link.object_name, "key": "DB_PASSWORD"}}
    assert env_of(sandbox_cluster)["DB_PASSWORD"]["valueFrom"] == reference
    assert env_of(sandbox_cluster)["PORT"]["value"] == "8080"
    made_link.refresh_from_db()
    access.refresh_from_db()
    access.cluster.refresh_from_db()
    assert made_link.status == "in sync"
    assert access.accepted_at
    assert access.validated
    assert access.verified_at
    assert access.cluster.operator_version == "v2.9.0"
    assert access.cluster.drift == "up to date"


def test_the_second_deploy_writes_nothing(access, devops, sandbox_cluster):
    link(access, devops)
    deploy(access.cluster, devops)
    wait_until_settled(sandbox_cluster)
    watched = ("Secret", "ClusterSecretStore", "ExternalSecret", "Deployment")
    before = {
        kind: {m["metadata"]["name"]: m["metadata"]["resourceVersion"] for m in sandbox_cluster.list(kind)}
        for kind in watched
    }

    made = deploy(access.cluster, devops)

    assert made.status == "succeeded", lines(made)
    assert not made.changes.exists()
    after = {
        kind: {m["metadata"]["name"]: m["metadata"]["resourceVersion"] for m in sandbox_cluster.list(kind)}
        for kind in watched
    }
    assert after == before


def test_unlinking_takes_the_variable_and_the_secret_away(access, devops, sandbox_cluster):
    made_link = link(access, devops)
    name = made_link.object_name
    deploy(access.cluster, devops)
    external_secrets.unlink(link=made_link, by=devops)

    made = deploy(access.cluster, devops)

    assert made.status == "succeeded", lines(made)
    assert "DB_PASSWORD" not in env_of(sandbox_cluster)
    assert "PORT" in env_of(sandbox_cluster)
    assert sandbox_cluster.get("ExternalSecret", name, "shop") is None
    assert sandbox_cluster.get("Secret", name, "shop") is None


def test_a_removed_access_takes_its_store_away(access, devops, sandbox_cluster):
    deploy(access.cluster, devops)
    name = access.store_name
    assert sandbox_cluster.get("ClusterSecretStore", name)
    accesses.delete(access=access, by=devops)

    deploy(access.cluster, devops)

    assert sandbox_cluster.get("ClusterSecretStore", name) is None
    assert sandbox_cluster.get("Secret", name, "external-secrets") is None


def test_what_used_an_access_moves_and_the_access_goes_with_one_deploy(
    access, devops, sandbox_cluster, sandbox_cloud
):
    cluster, store = access.cluster, access.store_name
    other = make_access(cluster, sandbox_cloud.keys["reader"], devops, name="aws-2")
    one = link(access, devops)
    deploy(cluster, devops)
    secret = sandbox_cluster.get("Secret", one.object_name, "shop")
    moving.move(source=access, target=other, by=devops)
    accesses.delete(access=access, by=devops)
    looks.take(str(cluster.pk))
    planned = Look.objects.get(cluster=cluster).changes

    made = deploy(cluster, devops)

    one.refresh_from_db()
    assert made.status == "succeeded", lines(made)
    assert store in {change["name"] for change in planned if change["action"] == "delete"}
    spec = sandbox_cluster.get("ExternalSecret", one.object_name, "shop")["spec"]
    assert spec["secretStoreRef"]["name"] == other.store_name
    assert (one.status, one.refused) == ("in sync", False)
    assert sandbox_cluster.get("ClusterSecretStore", store) is None
    assert sandbox_cluster.get("Secret", store, "external-secrets") is None
    assert sandbox_cluster.get("Secret", one.object_name, "shop")["data"] == secret["data"]


def test_a_name_that_vanished_upstream_is_said_and_nothing_is_broken(
    access, devops, sandbox_cluster, sandbox_cloud
):
    sandbox_cloud.put("prod/soon-gone", "x")
    good = link(access, devops)
    bad = link(access, devops, key="prod/soon-gone", variable="SOON_GONE")
    sandbox_cloud.delete("prod/soon-gone")

    made = deploy(access.cluster, devops)

    for one in (good, bad):
        one.refresh_from_db()
    assert made.status == "failed"
    assert "prod/soon-gone" in made.error
    assert good.status == "in sync"
    assert bad.status == "failed"
    assert bad.status_reason
    assert "DB_PASSWORD" in env_of(sandbox_cluster)
    assert "SOON_GONE" not in env_of(sandbox_cluster), (
        "a container must not wait for a Secret that is not there"
    )


def test_a_store_that_the_api_server_refuses_is_said_on_the_step_and_on_the_access(
    access, devops, sandbox_cluster
):
    message = (
        'ClusterSecretStore.external-secrets.io "x" is invalid: spec.provider.aws.region: Required value'
    )
    sandbox_cluster.faults.answer(f"clustersecretstores/{access.store_name}", 422, message, method="PATCH")

    made = deploy(access.cluster, devops)

    access.refresh_from_db()
    assert made.status == "failed"
    assert "spec.provider.aws.region: Required value" in made.error
    assert "spec.provider.aws.region: Required value" in access.accepted_error
    assert {step.slug: step.status for step in made.steps.all()}["stores"] == "failed"


def test_a_cluster_that_stops_answering_in_mid_deploy_fails_the_step(
    access, devops, sandbox_cluster, settings
):
    link(access, devops)
    settings.CLUSTER_TIMEOUT = 1
    sandbox_cluster.faults.answer(
        "externalsecrets", 503, "the server is currently unable to handle the request"
    )

    made = deploy(access.cluster, devops)

    assert made.status == "failed"
    assert "unable to handle" in made.error
    sandbox_cluster.faults.clear()
    assert deploy(access.cluster, devops).status == "succeeded"


def test_a_variable_that_somebody_else_sets_is_a_conflict_with_their_name(access, devops, sandbox_cluster):
    made_link = link(access, devops)
    theirs = {"metadata": {}, "spec": {"template": {"spec": {"containers": [
        {"name": "web", "env": [{"name": "DB_PASSWORD", "value": "mine"}]}
    ]}}}}  # fmt: skip
    from sandbox.kubernetes.operations import Options

    resource = sandbox_cluster.store.by_kind("Deployment")
    kind = "application/strategic-merge-patch+json"
    sandbox_cluster.api.operations.patch(
        resource, "shop", "api", theirs, kind, Options(manager="kubectl-edit")
    )

    made = deploy(access.cluster, devops)

    made_link.refresh_from_db()
    assert made.status == "failed"
    assert "kubectl-edit" in made_link.status_reason + made.error
    assert env_of(sandbox_cluster)["DB_PASSWORD"]["value"] == "mine"


def test_wrong_keys_are_refused_before_anything_is_saved(connected, devops):
    draft = AccessDraft(
        cluster=connected, by=devops, provider="aws-secrets-manager", method="static",
        configuration={"region": "eu-west-3"},
        credential={"access_key_id": "AKIAWRONGWRONGWRONG0", "secret_access_key": "wrong"},
    )  # fmt: skip

    result = trials.try_access(draft)

    assert not result.usable
    assert "does not accept these keys" in result.reason


def test_keys_that_may_not_list_can_still_be_used(connected, sandbox_cloud, sandbox_cluster, devops):
    access = make_access(connected, sandbox_cloud.limited, devops)
    inventory.read_all(access)
    made_link = link(access, devops)

    made = deploy(connected, devops)

    made_link.refresh_from_db()
    access.refresh_from_db()
    assert access.inventory_state.permission == "secretsmanager:ListSecrets"
    assert made.status == "succeeded", lines(made)
    assert made_link.status == "in sync"


def test_an_old_operator_is_refused_and_a_new_one_adopted(access, devops, sandbox_cluster):
    def operator(tag: str) -> dict[str, Any]:
        labels = {"app.kubernetes.io/name": "external-secrets"}
        pod = {"containers": [{"name": "eso", "image": f"ghcr.io/external-secrets/external-secrets:{tag}"}]}
        return {
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "eso", "namespace": "platform", "labels": labels},
            "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
        }  # fmt: skip

    sandbox_cluster.load([operator("v2.3.0")])

    made = deploy(access.cluster, devops)

    assert made.status == "failed"
    assert "v2.3.0" in made.error
    assert "older than 2.4.1" in made.error
