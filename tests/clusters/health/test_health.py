"""Whether a cluster is well: what is looked at, what is kept of it, when it is told."""

import datetime
import time
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.utils import timezone

from accounts.models import AuditEvent, Noted
from clusters import kubeconfig, tasks
from clusters.health import examining, recording, schedule
from clusters.models import Cluster, Health
from sandbox import world
from sandbox.kubernetes import Cluster as Kube
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def kube() -> Any:
    with Kube(kind="eks") as running:
        running.load(list(world.manifests("eks")))
        yield running


@pytest.fixture
def cluster(organization: Any, kube: Kube) -> Cluster:
    cache.clear()
    return factories.make_cluster(
        organization=organization, name="prod", kubeconfig=kubeconfig.reduce(kube.kubeconfig())
    )


def look(cluster: Cluster) -> Health:
    cluster = Cluster.objects.get(pk=cluster.pk)
    return recording.keep(cluster, examining.examine(cluster))


def finding(health: Health, slug: str) -> dict[str, str]:
    return next(one for one in health.findings if one["slug"] == slug)


def node(name: str, ready: str) -> dict[str, Any]:
    status = {"conditions": [{"type": "Ready", "status": ready}]}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": status}


def codes() -> list[str]:
    found = AuditEvent.objects.filter(action__startswith="cluster.").order_by("sequence")
    return list(found.values_list("action", flat=True))


class TestExamine:
    def test_a_cluster_that_is_well(self, cluster):
        health = look(cluster)

        assert health.level == "ready"
        assert [one["slug"] for one in health.findings] == [
            "reachable", "version", "permissions", "nodes", "operator",
        ]  # fmt: skip
        assert finding(health, "version")["detail"] == "1.36 is supported by the External Secrets Operator."
        assert finding(health, "operator")["level"] == "unknown"
        assert (health.facts["nodes"], health.facts["nodes_ready"]) == (2, 2)

    def test_a_node_that_is_not_ready_is_named(self, cluster, kube):
        kube.load([node("broken-1", "False")])

        health = look(cluster)

        assert health.level == "degraded"
        assert finding(health, "nodes")["detail"] == "Not ready: broken-1."
        assert health.facts["nodes_ready"] == 2

    def test_a_cluster_that_is_gone_is_unreachable_and_says_since_when(self, cluster, kube):
        look(cluster)
        kube.stop()

        health = look(cluster)

        assert health.level == "unreachable"
        assert finding(health, "reachable")["level"] == "bad"
        cluster.refresh_from_db()
        assert cluster.status == "unreachable"
        assert Health.objects.filter(cluster=cluster).count() == 2

    def test_one_that_does_not_know_us_any_more_is_denied(self, cluster, kube):
        cluster.kubeconfig = cluster.kubeconfig.replace(kube.token(), "canary-token")
        cluster.save()

        health = look(cluster)

        assert health.level == "denied"
        assert "canary-token" not in str(health.findings)

    def test_missing_permissions_are_counted(self, organization, kube):
        cluster = factories.make_cluster(
            organization=organization, kubeconfig=kubeconfig.reduce(kube.kubeconfig("sandbox-viewer"))
        )

        health = look(cluster)

        assert health.level == "degraded"
        assert "are denied" in finding(health, "permissions")["detail"]

    def test_an_operator_whose_webhook_is_down(self, cluster, kube):
        labels = {"app.kubernetes.io/name": "external-secrets"}
        hook = {"app.kubernetes.io/name": "external-secrets-webhook"}
        kube.load([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "external-secrets"}}])
        kube.load([_deployment("external-secrets", labels), _deployment("eso-webhook", hook)])
        # The sandbox's own controllers let every Deployment run, in a moment, and say so again after each change.
        key = ("apps", "deployments", "external-secrets", "eso-webhook")
        until = time.monotonic() + 10
        while "status" not in kube.store.objects[key]:
            assert time.monotonic() < until
            time.sleep(0.05)
        kube._controllers.stop()
        stored = kube.store.objects[key]
        stored["status"]["conditions"][0]["status"] = "False"

        health = look(cluster)

        assert finding(health, "operator")["detail"].startswith("Not running: eso-webhook.")
        assert health.level == "degraded"

    def test_an_operator_that_was_removed(self, cluster):
        Cluster.objects.filter(pk=cluster.pk).update(operator_version="2.9.0")

        assert "is gone" in finding(look(cluster), "operator")["detail"]

    @pytest.mark.parametrize(
        ("version", "level", "said"),
        [
            ("v1.29.9", "bad", "too old"),
            ("v1.31.0-gke.1", "warning", "not tested with it any more"),
            ("v1.33.4", "ok", "supported"),
            ("v1.36.2-eks-3abbec1", "ok", "supported"),
            ("v1.37.0", "warning", "newer than"),
            ("", "unknown", "no version"),
        ],
    )
    def test_versions(self, version, level, said):
        found = examining.version(version)

        assert found.level == level
        assert said in found.detail

    @pytest.mark.parametrize(
        ("days", "level"), [(30, None), (10, "warning"), (-1, "bad")], ids=["later", "soon", "over"]
    )
    def test_what_signs_in_is_told_before_it_ends(self, cluster, days, level):
        cluster.signs_in_until = timezone.now() + datetime.timedelta(days=days)

        found = examining.sign_in(cluster)

        assert [one.level for one in found] == ([level] if level else [])

    def test_a_token_that_is_renewed_is_no_matter(self, cluster):
        cluster.signs_in_until, cluster.renews = timezone.now() + datetime.timedelta(hours=1), True

        assert examining.sign_in(cluster) == []

    def test_a_credential_that_fails_or_ends(self, cluster, organization):
        cluster.credential = factories.make_cloud_credential(
            organization=organization, name="aws-prod", check_error="AWS does not accept these keys."
        )
        failing = examining.credential(cluster)
        cluster.credential.check_error = ""
        cluster.credential.expires_at = timezone.now() + datetime.timedelta(days=3)
        ending = examining.credential(cluster)

        assert failing
        assert failing.level == "bad"
        assert failing.detail == "aws-prod: AWS does not accept these keys."
        assert ending
        assert ending.level == "warning"


def _deployment(name: str, labels: dict[str, str]) -> dict[str, Any]:
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "x", "image": "eso:v2.9.0"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "external-secrets", "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": pod},
    }


class TestKeep:
    def test_a_stretch_goes_on_while_nothing_changes(self, cluster):
        first = look(cluster)
        second = look(cluster)

        assert first.pk == second.pk
        assert second.seen_at > first.seen_at

    def test_a_change_ends_it_and_the_history_has_both(self, cluster, kube):
        look(cluster)
        kube.load([node("broken-1", "False")])
        look(cluster)

        now, before = Health.objects.filter(cluster=cluster)
        assert (before.level, now.level) == ("ready", "degraded")
        assert before.ended_at == now.began_at
        assert now.ended_at is None

    def test_it_is_told_once_that_it_was_lost_and_once_that_it_is_back(self, cluster, kube):
        lost = examining.Seen(Health.Level.UNREACHABLE)
        well = examining.Seen(Health.Level.READY)

        recording.keep(cluster, lost)
        flicker = codes()
        _age()
        recording.keep(cluster, lost)
        recording.keep(cluster, lost)
        recording.keep(cluster, well)
        _age()
        recording.keep(cluster, well)

        assert flicker == []
        assert codes() == ["cluster.lost", "cluster.found_again"]

    def test_old_stretches_are_forgotten_and_the_present_is_not(self, cluster):
        old = timezone.now() - datetime.timedelta(days=settings.HEALTH_DAYS + 1)
        Health.objects.create(cluster=cluster, level="ready", began_at=old, seen_at=old, ended_at=old)
        Health.objects.create(cluster=cluster, level="ready", began_at=old, seen_at=old)

        assert recording.sweep() == 1
        assert recording.sweep() == 0
        assert Health.objects.get().ended_at is None


def _age() -> None:
    """Let what was noted be two minutes older."""
    for row in Noted.objects.all():
        row.since -= datetime.timedelta(minutes=2)
        row.well_since = row.well_since and row.well_since - datetime.timedelta(minutes=2)
        row.save()


class TestSweep:
    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        sent: list[str] = []
        monkeypatch.setattr(tasks.examine, "delay", lambda cluster_id: sent.append(cluster_id))
        return sent

    def test_each_is_asked_for_once_while_it_is_looked_at(self, cluster, asked):
        schedule.sweep()
        schedule.sweep()

        assert asked == [str(cluster.pk)]

    def test_one_that_was_looked_at_is_left_until_its_time(self, cluster, asked):
        schedule.take(str(cluster.pk))
        schedule.sweep()
        Health.objects.update(
            seen_at=timezone.now() - datetime.timedelta(seconds=settings.HEALTH_SECONDS + 1)
        )
        schedule.sweep()

        assert asked == [str(cluster.pk)]

    def test_hundreds_are_not_asked_for_at_once(self, organization, asked):
        cache.clear()
        for _ in range(30):
            factories.make_cluster(organization=organization)

        first = schedule.sweep()
        second = schedule.sweep()

        assert (first, second) == (schedule.AT_ONCE, 30 - schedule.AT_ONCE)
        assert len(set(asked)) == 30

    def test_one_that_was_disconnected_meanwhile_is_no_matter(self, cluster):
        gone = str(cluster.pk)
        cluster.delete()

        schedule.take(gone)

        assert not Health.objects.exists()


class TestPages:
    def test_the_page_shows_now_and_before(self, cluster, kube, viewer, sign_in):
        look(cluster)
        kube.load([node("<b>broken</b>".replace("<b>", "").replace("</b>", ""), "False")])
        look(cluster)

        page = sign_in(viewer).get("/o/acme/clusters/prod/health/").content.decode()

        assert "Not ready: broken." in page
        assert "2 stretches of time" in page

    def test_look_now_looks_now(self, cluster, viewer, sign_in):
        answer = sign_in(viewer).post("/o/acme/clusters/prod/health/")

        assert answer.status_code == 302
        assert Health.objects.get(cluster=cluster).level == "ready"

    def test_the_list_says_degraded_and_where_to_see_why(self, cluster, kube, viewer, sign_in):
        kube.load([node("broken-1", "False")])
        look(cluster)

        page = sign_in(viewer).get("/o/acme/clusters/").content.decode()

        assert "Degraded" in page
        assert "/o/acme/clusters/prod/health/" in page

    def test_the_overview_shows_what_is_wrong(self, cluster, kube, viewer, sign_in):
        kube.load([node("broken-1", "False")])
        look(cluster)

        page = sign_in(viewer).get("/o/acme/clusters/prod/").content.decode()

        assert "Not ready: broken-1." in page

    def test_what_an_api_server_says_is_escaped(self, cluster, viewer, sign_in):
        Health.objects.create(
            cluster=cluster, level="degraded", began_at=timezone.now(), seen_at=timezone.now(),
            findings=[{"slug": "x", "level": "bad", "label": "<script>1", "detail": "<script>2", "remedy": "<script>3"}],
        )  # fmt: skip

        page = sign_in(viewer).get("/o/acme/clusters/prod/health/").content.decode()

        assert "<script>" not in page.replace("<script src", "").replace("<script type", "")
