"""The three steps on the sandbox cluster: what they write, what they refuse, what they leave alone."""

import copy

import pytest

from accounts.models import AuditEvent
from clusters import addons, kubernetes
from external_secrets import manifests, ownership, services
from external_secrets.models import ExternalSecret
from external_secrets.steps import ApplyExternalSecrets, Inject, Observe
from tests import factories
from tests.external_secrets.deploys.world import VALUE, deployment, env_of, writes
from tests.runs import make_run

pytestmark = [pytest.mark.django_db, pytest.mark.sandbox]


def test_the_steps_run_after_the_stores_in_their_order():
    slugs = [step.slug for step in addons.steps()]

    assert slugs[-4:] == ["external-secrets", "inject", "leftovers", "observe"]


class TestHappy:
    def test_a_link_becomes_a_secret_and_a_variable(self, kube, operator, link, bring):
        one = link()

        run, failure = bring()

        assert failure is None
        assert env_of(kube) == {"LOG_LEVEL": "info", "DB": {"name": one.object_name, "key": "DB"}}
        assert kube.get("Secret", one.object_name, "shop") is not None
        one.refresh_from_db()
        assert (one.status, one.status_reason) == ("in sync", "")
        assert one.synced_at is not None
        assert one.checked_at is not None
        assert run.log[-1] == ("info", "1 in sync")
        assert VALUE not in str(run.log)

    def test_every_kind_of_workload_and_each_container(self, kube, operator, cluster, link, bring):
        for kind in ("StatefulSet", "CronJob"):
            kube.load([deployment("other", kind=kind)])
            other = factories.make_service(cluster=cluster, name="other", kind=kind)
            link("prod/db", "DB", service=other)
            link("prod/token", "TOKEN", service=other, container="proxy")

        _, failure = bring()

        assert failure is None
        for kind in ("StatefulSet", "CronJob"):
            assert set(env_of(kube, "other", "web", kind)) == {"LOG_LEVEL", "DB"}
            assert set(env_of(kube, "other", "proxy", kind)) == {"TOKEN"}

    def test_a_second_deploy_writes_nothing(self, kube, operator, link, bring):
        link()
        link("prod/token", "TOKEN")
        bring()
        generation = kube.get("Deployment", "api", "shop")["metadata"]["generation"]
        since = len(kube.requests)

        run, failure = bring()

        assert failure is None
        assert writes(kube, since) == []
        assert kube.get("Deployment", "api", "shop")["metadata"]["generation"] == generation
        assert ("info", "0 external secrets applied, 2 unchanged") in run.log
        assert ("info", "2 variables in place, 0 services changed") in run.log

    def test_without_a_change_it_costs_seven_requests_however_many_links(self, kube, operator, link, bring):
        for number in range(6):
            operator.upstream[f"prod/{number}"] = VALUE
            link(f"prod/{number}", f"N{number}", container="")
        link(service=None, namespace="shop", container="")
        link("prod/token", "", target="file", path="/vault/secrets/token")
        bring()
        since = len(kube.requests)

        bring()

        assert len(kube.requests) - since == 7

    def test_nobody_elses_field_is_touched(self, kube, operator, link, bring):
        before = copy.deepcopy(kube.get("Deployment", "api", "shop")["spec"])
        link()

        bring()

        after = kube.get("Deployment", "api", "shop")["spec"]
        env = after["template"]["spec"]["containers"][0]["env"]
        env[:] = [entry for entry in env if entry["name"] != "DB"]
        assert after == before

    def test_without_links_nothing_is_done_even_without_the_operator(self, kube, bring):
        run, failure = bring()

        assert failure is None
        assert run.log[-1] == ("info", "0 in sync")


class TestUnlinking:
    def test_the_entry_the_object_and_the_secret_go_in_this_order(self, kube, operator, link, bring, devops):
        one, other = link(), link("prod/token", "TOKEN")
        bring()
        services.unlink(link=ExternalSecret.objects.get(pk=one.pk), by=devops)
        since = len(kube.requests)

        _run, failure = bring()

        assert failure is None
        assert set(env_of(kube)) == {"LOG_LEVEL", "TOKEN"}
        assert kube.get("ExternalSecret", one.object_name, "shop") is None
        assert kube.get("Secret", one.object_name, "shop") is None
        assert kube.get("Secret", other.object_name, "shop") is not None
        done = writes(kube, since)
        assert [method for method, _, _ in done] == ["PATCH", "DELETE"]
        assert AuditEvent.objects.filter(action="external_secret.unlinked").count() == 1

    def test_the_last_link_leaves_nothing_of_ours(self, kube, operator, link, bring, devops):
        one = link()
        bring()
        services.unlink(link=ExternalSecret.objects.get(pk=one.pk), by=devops)

        _, failure = bring()

        assert failure is None
        assert env_of(kube) == {"LOG_LEVEL": "info"}
        live = ownership.read_all(kubernetes.connect(factories.make_cluster(kubeconfig=kube.kubeconfig())))
        assert live["Deployment", "shop", "api"].ours == frozenset()
        assert not live["Deployment", "shop", "api"].has_ours

    def test_a_deploy_that_ended_between_the_two_is_finished_by_the_next(
        self, kube, operator, link, bring, devops
    ):
        one = link()
        bring()
        services.unlink(link=ExternalSecret.objects.get(pk=one.pk), by=devops)
        kube.faults.answer(
            f"/externalsecrets/{one.object_name}", 500, "etcd is away", method="DELETE", times=1
        )
        with pytest.raises(kubernetes.Unreachable):
            bring()

        _, failure = bring()

        assert failure is None
        assert kube.get("Secret", one.object_name, "shop") is None

    def test_a_secret_that_somebody_else_uses_too_stays(self, kube, operator, link, bring, devops):
        one = link()
        bring()
        reference = {"secretKeyRef": {"name": one.object_name, "key": "DB"}}
        kube.load([deployment("guest", env=[{"name": "BORROWED", "valueFrom": reference}])])
        services.unlink(link=ExternalSecret.objects.get(pk=one.pk), by=devops)

        run, failure = bring()

        assert failure is None
        assert kube.get("Secret", one.object_name, "shop") is not None
        assert "guest in shop still uses it" in run.log.of("warning")

    def test_relinking_the_same_variable_swaps_the_secret(self, kube, operator, link, bring, devops):
        one = link()
        bring()
        services.unlink(link=ExternalSecret.objects.get(pk=one.pk), by=devops)
        other = link("prod/token", "DB")

        _, failure = bring()

        assert failure is None
        assert env_of(kube)["DB"]["name"] == other.object_name
        assert kube.get("Secret", one.object_name, "shop") is None


class TestVanishedUpstream:
    def test_a_name_that_never_was_is_left_out_and_the_others_go_on(self, kube, operator, link, bring):
        link()
        gone = link("prod/nope", "NOPE")

        run, failure = bring()

        assert set(env_of(kube)) == {"LOG_LEVEL", "DB"}
        assert failure is not None
        assert "There is no secret named prod/nope in aws." in failure.cause
        assert "Create it again" in failure.remedy
        assert "NOPE of shop/api is left out" in run.log.of("warning")
        gone.refresh_from_db()
        assert (gone.status, gone.status_reason) == ("failed", "There is no secret named prod/nope in aws.")
        assert ExternalSecret.objects.get(variable="DB").status == "in sync"

    def test_a_name_that_vanished_keeps_its_value_in_the_cluster(self, kube, operator, link, bring):
        one = link()
        bring()
        del operator.upstream["prod/db"]
        operator.again()
        generation = kube.get("Deployment", "api", "shop")["metadata"]["generation"]

        _, failure = bring()

        assert failure is not None
        assert kube.get("Deployment", "api", "shop")["metadata"]["generation"] == generation
        assert kube.get("Secret", one.object_name, "shop") is not None
        one.refresh_from_db()
        assert one.status == "failed"

    def test_a_running_workload_keeps_its_entry_when_the_secret_is_deleted(self, kube, operator, link, bring):
        one = link()
        bring()
        operator.upstream["prod/db"] = PermissionError("AccessDeniedException: no")
        operator.again()
        kube.store.remove(("", "secrets", "shop", one.object_name))

        _, failure = bring()

        assert "aws is not allowed to read prod/db" in failure.cause
        assert "DB" in env_of(kube)

    def test_once_it_is_there_the_next_deploy_brings_it(self, kube, operator, link, bring):
        one = link("prod/late", "LATE")
        bring()
        operator.upstream["prod/late"] = VALUE

        _, failure = bring()

        assert failure is None
        assert "LATE" in env_of(kube)
        one.refresh_from_db()
        assert (one.status, one.status_reason, one.status_remedy) == ("in sync", "", "")

    def test_an_operator_that_does_not_answer_is_waited_for_and_then_named(
        self, kube, operator, link, bring, settings
    ):
        settings.SYNC_TIMEOUT = 1
        operator.asleep = True
        one = link()

        _run, failure = bring()

        assert "The operator has not looked at it yet" in failure.cause
        assert "DB" not in env_of(kube)
        one.refresh_from_db()
        assert one.status == "waiting"

    def test_the_wait_ends_when_the_deploy_is_taken_over(self, kube, operator, link, run):
        operator.asleep = True
        link()
        one = run()
        ApplyExternalSecrets().apply(one)

        def lost() -> None:
            raise InterruptedError

        one.checkpoint = lost
        with pytest.raises(InterruptedError):
            Inject().apply(one)


class TestForeign:
    def test_a_foreign_secret_is_not_taken_over(self, kube, operator, link, bring):
        one, other = link(), link("prod/token", "TOKEN")
        theirs = {"name": one.object_name, "namespace": "shop"}
        kube.load([{"apiVersion": "v1", "kind": "Secret", "metadata": theirs, "data": {"x": "eQ=="}}])

        _, failure = bring()

        assert "that Keyhaven did not make" in failure.cause
        assert kube.get("ExternalSecret", one.object_name, "shop") is None
        assert kube.get("Secret", one.object_name, "shop")["data"] == {"x": "eQ=="}
        assert kube.get("ExternalSecret", other.object_name, "shop") is not None
        one.refresh_from_db()
        assert one.status == "failed"

    def test_a_foreign_external_secret_is_not_taken_over(self, kube, operator, link, bring):
        one = link()
        metadata = {"name": one.object_name, "namespace": "shop"}
        spec = {"data": [{"secretKey": "x", "remoteRef": {"key": "prod/token"}}], "target": {"name": "x"}}
        kube.load(
            [
                {
                    "apiVersion": "external-secrets.io/v1",
                    "kind": "ExternalSecret",
                    "metadata": metadata,
                    "spec": spec,
                }
            ]
        )

        _, failure = bring()

        assert "has an ExternalSecret" in failure.cause
        assert kube.get("ExternalSecret", one.object_name, "shop")["spec"]["target"] == {"name": "x"}

    def test_a_variable_that_somebody_else_sets_is_theirs_and_the_others_go_in(
        self, kube, operator, link, bring
    ):
        taken = link("prod/db", "LOG_LEVEL")
        link("prod/token", "TOKEN")

        _run, failure = bring()

        assert 'kubectl-create already sets containers[name="web"].env[name="LOG_LEVEL"]' in failure.cause
        assert env_of(kube)["LOG_LEVEL"] == "info"
        assert "TOKEN" in env_of(kube)
        taken.refresh_from_db()
        assert taken.status == "failed"
        assert ExternalSecret.objects.get(variable="TOKEN").status == "in sync"

    def test_a_conflict_that_only_the_server_sees_names_the_manager(
        self, kube, operator, link, bring, monkeypatch
    ):
        """Somebody takes the variable between our look and our write."""
        link("prod/db", "LOG_LEVEL")
        link("prod/token", "TOKEN")
        monkeypatch.setattr("external_secrets.steps.obstacles.clash", lambda *_: None)
        where = '.spec.template.spec.containers[name="web"].env[name="LOG_LEVEL"].valueFrom.secretKeyRef'
        message = f'Apply failed with 1 conflict: conflict with "argocd" using apps/v1: {where}'
        kube.faults.answer("/deployments/api", 409, message, method="PATCH", times=1)

        _, failure = bring()

        assert "argocd already sets spec.template" in failure.cause
        assert "TOKEN" in env_of(kube)

    def test_another_consoles_entries_are_left_alone(self, kube, operator, link, bring, organization):
        link()
        bring()
        second = factories.make_cluster(organization=organization, kubeconfig=kube.kubeconfig())
        theirs = make_run(second)

        Inject().apply(theirs)

        assert "DB" in env_of(kube)
        assert len(kube.list("ExternalSecret")) == 1

    def test_two_consoles_do_not_fight_over_one_workload(self, kube, operator, link, bring, organization):
        link()
        bring()
        second = factories.make_cluster(organization=organization, kubeconfig=kube.kubeconfig())
        service = factories.make_service(cluster=second, name="api")
        factories.make_link(service=service, key="prod/token", variable="TOKEN")
        theirs = make_run(second)
        ApplyExternalSecrets().apply(theirs)

        with pytest.raises(addons.StepFailed, match="Another Keyhaven cluster"):
            Inject().apply(theirs)

        assert set(env_of(kube)) == {"LOG_LEVEL", "DB"}


class TestGone:
    def test_a_workload_that_is_gone_fails_its_links_and_the_others_go_on(
        self, kube, operator, cluster, link, bring
    ):
        lost = link("prod/token", "TOKEN", service=factories.make_service(cluster=cluster, name="lost"))
        link()

        _, failure = bring()

        assert "The Deployment lost is gone from shop." in failure.cause
        assert "DB" in env_of(kube)
        assert kube.get("Deployment", "lost", "shop") is None
        lost.refresh_from_db()
        assert lost.status == "failed"

    def test_a_container_that_is_gone(self, kube, operator, link, bring):
        link(container="old")

        _, failure = bring()

        assert "There is no container old" in failure.cause
        assert set(env_of(kube)) == {"LOG_LEVEL"}

    def test_a_namespace_that_is_gone(self, kube, operator, cluster, link, bring):
        link(service=factories.make_service(cluster=cluster, namespace="nope"))

        _, failure = bring()

        assert 'namespaces "nope" not found' in failure.cause

    def test_without_the_operators_kinds_the_step_says_what_is_missing(self, kube, link, bring):
        link()

        with pytest.raises(kubernetes.KindMissing):
            bring()

    def test_a_cluster_that_stops_answering_ends_the_step(self, kube, operator, link, bring):
        link()
        kube.faults.answer("/deployments", 503, "the server is currently unable to handle the request")

        with pytest.raises(kubernetes.Unreachable):
            bring()


class TestPlan:
    def test_it_tells_and_writes_nothing(self, kube, operator, link, bring, run, devops):
        stays, goes = link(), link("prod/token", "TOKEN")
        bring()
        services.unlink(link=ExternalSecret.objects.get(pk=goes.pk), by=devops)
        comes = link("prod/token", "NEW")
        ExternalSecret.objects.filter(pk=stays.pk).update(refresh_seconds=300)
        since = len(kube.requests)

        first = ApplyExternalSecrets().plan(run())
        second = Inject().plan(run())

        assert {(change.action, change.name) for change in first} == {
            ("change", stays.object_name),
            ("create", comes.object_name),
        }
        assert {(change.action, change.kind, change.name) for change in second} == {
            ("change", "Deployment", "api"),
            ("delete", "ExternalSecret", goes.object_name),
        }
        assert writes(kube, since) == []
        assert Observe().plan(run()) == []

    def test_a_changed_interval_is_applied(self, kube, operator, link, bring):
        one = link()
        bring()
        ExternalSecret.objects.filter(pk=one.pk).update(refresh_seconds=300)

        _, failure = bring()

        assert failure is None
        one.refresh_from_db()
        spec = kube.get("ExternalSecret", one.object_name, "shop")["spec"]
        assert spec["refreshInterval"] == manifests.interval(manifests.jittered(one))
