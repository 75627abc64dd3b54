"""Services whose links ask for it are restarted when a value changed, by a mark that says nothing of the value."""

import copy

import pytest
from django.core.cache import cache

from accounts.models import AuditEvent
from clusters import looks
from clusters.models import Cluster, Deploy
from external_secrets import syncing, tasks
from external_secrets.models import ExternalSecret
from external_secrets.steps import Inject, restart
from sandbox.kubernetes.operations import Options
from tests import factories
from tests.external_secrets.deploys.world import VALUE, deployment, env_of, fields_of, pod_of, rich, writes

pytestmark = [pytest.mark.django_db, pytest.mark.sandbox]

MARK = "keyhaven.io/synced"


@pytest.fixture(autouse=True)
def fresh():
    cache.clear()


@pytest.fixture
def cluster(organization, kube):
    return factories.make_cluster(
        organization=organization, name="prod", kubeconfig=kube.kubeconfig(), operator_version="2.9.0"
    )


def template(kube, name="api", kind="Deployment"):
    spec = kube.get(kind, name, "shop")["spec"]
    spec = spec["jobTemplate"]["spec"] if kind == "CronJob" else spec
    return spec["template"]


def mark(kube, **where):
    return (template(kube, **where)["metadata"].get("annotations") or {}).get(MARK)


def rotate(operator, value="another-value-77", key="prod/db"):
    operator.upstream[key] = value
    operator.again()


def act(cluster):
    return restart.restart_changed(Cluster.objects.get(pk=cluster.pk))


def test_it_is_off_unless_a_link_asks_for_it(kube, operator, link, bring, cluster):
    link()
    bring()
    rotate(operator)

    assert act(cluster) == 0

    assert mark(kube) is None


def test_a_deploy_marks_and_a_second_one_writes_nothing(kube, operator, link, bring):
    link(restart_on_change=True)
    bring()
    since = len(kube.requests)

    _, failure = bring()

    assert failure is None
    assert len(mark(kube)) == 32
    assert writes(kube, since) == []


def test_a_new_value_restarts_the_service_and_changes_nothing_else(kube, operator, link, bring, cluster):
    kube.load([rich()])
    service = factories.make_service(cluster=cluster, name="rich")
    link(service=service, restart_on_change=True)
    link("prod/token", service=service, variable="", target="file", path="/vault/secrets/token")
    bring()
    before, spec = (
        mark(kube, name="rich"),
        pod_of(kube.get("Deployment", "rich", "shop") | {"kind": "Deployment"}),
    )
    owned = fields_of(kube, "Deployment", "rich")
    rotate(operator)

    assert act(cluster) == 1

    assert mark(kube, name="rich") not in (None, before)
    assert pod_of(kube.get("Deployment", "rich", "shop") | {"kind": "Deployment"}) == spec
    assert fields_of(kube, "Deployment", "rich") == owned
    event = AuditEvent.objects.get(action="service.restarted")
    assert (event.actor_name, event.target_id) == ("Keyhaven", str(service.pk))
    assert event.details == {"cluster": "prod", "service": "shop/rich", "changed": "DB"}
    assert VALUE not in str(event.details)


def test_what_restarted_is_in_step_with_the_next_deploy(kube, operator, link, bring, cluster, run):
    link(restart_on_change=True)
    bring()
    rotate(operator)
    act(cluster)
    since = len(kube.requests)

    _, failure = bring()

    assert failure is None
    assert writes(kube, since) == []
    assert act(cluster) == 0


def test_a_new_value_is_no_difference_that_a_deploy_would_bring(kube, operator, link, bring, run):
    link(restart_on_change=True)
    bring()
    rotate(operator)
    one = run()

    (change,) = Inject().plan(one)

    assert change.action == "unchanged"
    assert one.facts[restart.STALE] == [("Deployment", "shop", "api")]


def test_a_look_has_a_worker_restart_it(kube, operator, link, bring, cluster, monkeypatch):
    asked = []
    monkeypatch.setattr(tasks.restart_changed, "delay", lambda **about: asked.append(about))
    monkeypatch.setattr("clusters.addons._steps", {"deploy": {"inject": Inject()}})
    link(restart_on_change=True)
    bring()
    looks.take(str(cluster.pk))
    assert asked == []
    rotate(operator)
    since = len(kube.requests)

    looks.take(str(cluster.pk))

    assert asked == [{"cluster_id": str(cluster.pk)}]
    assert writes(kube, since) == []
    tasks.restart_changed(**asked[0])
    assert AuditEvent.objects.get(action="service.restarted").origin == "worker"


@pytest.mark.parametrize("wanted", [True, False])
def test_what_is_read_again_by_hand_restarts_at_once(
    kube, operator, link, bring, cluster, admin, monkeypatch, wanted
):
    asked = []
    monkeypatch.setattr(tasks.restart_changed, "delay", lambda **about: asked.append(about))
    one = link(restart_on_change=wanted)
    bring()
    operator.upstream["prod/db"] = "another-value-77"

    syncing.run([str(one.pk)], admin.pk)

    assert len(asked) == wanted
    for about in asked:
        tasks.restart_changed(**about)
    assert AuditEvent.objects.filter(action="service.restarted").count() == wanted


def test_at_most_once_in_an_interval(kube, operator, link, bring, cluster):
    link(restart_on_change=True)
    bring()
    rotate(operator)
    act(cluster)
    before = mark(kube)
    rotate(operator, "a-third-value")

    assert act(cluster) == 0

    assert mark(kube) == before
    cache.clear()
    assert act(cluster) == 1


def test_never_while_a_deploy_runs(kube, operator, link, bring, cluster):
    link(restart_on_change=True)
    bring()
    rotate(operator)
    Deploy.objects.create(cluster=cluster, number=90, by_name="x", status=Deploy.Status.RUNNING)

    assert act(cluster) == 0


def test_what_somebody_changes_meanwhile_is_left_to_the_next_look(
    kube, operator, link, bring, cluster, monkeypatch
):
    link(restart_on_change=True)
    bring()
    rotate(operator)
    before = mark(kube)
    extract = restart.fields.extract

    def late(manifest):
        live = copy.deepcopy(kube.get("Deployment", "api", "shop"))
        live["spec"]["replicas"] = live["spec"].get("replicas", 1) + 1
        resource = kube.store.by_kind("Deployment")
        kube.api.operations.replace(resource, "shop", "api", live, Options(manager="kubectl-edit"))
        return extract(manifest)

    monkeypatch.setattr(restart.fields, "extract", late)

    assert act(cluster) == 0

    assert mark(kube) == before
    assert not AuditEvent.objects.filter(action="service.restarted").exists()
    monkeypatch.undo()
    assert act(cluster) == 1


def test_a_cron_job_is_never_restarted(kube, operator, link, bring, cluster):
    kube.load([deployment("nightly", kind="CronJob")])
    link(
        service=factories.make_service(cluster=cluster, name="nightly", kind="CronJob"),
        restart_on_change=True,
    )
    bring()
    rotate(operator)

    assert act(cluster) == 0

    assert mark(kube, name="nightly", kind="CronJob") is None
    assert "DB" in env_of(kube, "nightly", "web", "CronJob")


def test_another_value_than_the_links_restarts_nothing(kube, operator, link, bring, cluster):
    link(restart_on_change=True)
    link("prod/token", "TOKEN")
    bring()
    rotate(operator, key="prod/token")

    assert act(cluster) == 0


def test_a_secret_that_is_gone_restarts_nothing(kube, operator, link, bring, cluster):
    one = link(restart_on_change=True)
    bring()
    kube.store.remove(("", "secrets", "shop", one.object_name))

    assert act(cluster) == 0


def test_new_pods_that_could_not_start_are_not_asked_for(kube, operator, link, bring, cluster):
    """Another Secret of the workload is gone: what runs with the old value is better than nothing."""
    link(restart_on_change=True)
    other = link("prod/token", "TOKEN")
    bring()
    kube.store.remove(("", "secrets", "shop", other.object_name))
    rotate(operator)
    kube.store.remove(("", "secrets", "shop", other.object_name))

    assert act(cluster) == 0

    assert not AuditEvent.objects.filter(action="service.restarted").exists()


def test_turned_off_it_stays_quiet_and_no_pod_starts_anew_for_it(kube, operator, link, bring, cluster):
    link(restart_on_change=True)
    bring()
    generation = kube.get("Deployment", "api", "shop")["metadata"]["generation"]
    ExternalSecret.objects.update(restart_on_change=False)
    rotate(operator)

    _, failure = bring()

    assert failure is None
    assert act(cluster) == 0
    assert kube.get("Deployment", "api", "shop")["metadata"]["generation"] == generation


def test_unlinked_the_mark_leaves_too(kube, operator, link, bring):
    link(restart_on_change=True)
    bring()
    ExternalSecret.objects.all().delete()

    _, failure = bring()

    assert failure is None
    assert "annotations" not in template(kube)["metadata"]


def test_without_the_right_to_look_it_is_said(kube, operator, link, bring):
    link(restart_on_change=True)
    kube.faults.answer("/api/v1/namespaces/shop/secrets/", 403, "secrets is forbidden", method="GET")

    run, failure = bring()

    assert failure is None
    assert "Not allowed to look at Secrets in shop" in run.log.of("warning")
    assert "DB" in env_of(kube)
    assert mark(kube) is None
