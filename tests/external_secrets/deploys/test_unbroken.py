"""No deploy makes a pod that cannot start, or takes a variable away for which there is nothing in its place yet."""

import copy
import json

import pytest

from clusters import addons
from external_secrets import services, workloads
from external_secrets.models import ExternalSecret
from external_secrets.steps import ApplyExternalSecrets, Inject, Observe
from sandbox.kubernetes.operations import Options
from tests import factories
from tests.external_secrets.deploys.world import (
    VALUE,
    deployment,
    env_of,
    mounts_of,
    pod_of,
    rich,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sandbox]

FILE = {"target": "file", "variable": ""}
REFUSED = PermissionError("AccessDeniedException: no")


def change(link, **fields):
    ExternalSecret.objects.filter(pk=link.pk).update(**fields)
    return ExternalSecret.objects.get(pk=link.pk)


def spec_of(kube, name="api"):
    return copy.deepcopy(kube.get("Deployment", name, "shop")["spec"])


def missing(kube):
    """Return what containers need of Secrets that is not there, as the kubelet would look for it."""
    found = []
    for kind in ("Deployment", "StatefulSet", "CronJob"):
        for item in kube.list(kind, "shop"):
            pod = pod_of(item | {"kind": kind})
            for container in pod["containers"]:
                for entry in container.get("env", []):
                    reference = (entry.get("valueFrom") or {}).get("secretKeyRef")
                    found += lacks(kube, reference, [reference["key"]]) if reference else []
            for volume in pod.get("volumes", []):
                for source in (volume.get("projected") or {}).get("sources", []):
                    secret = source["secret"]
                    found += lacks(kube, secret, [one["key"] for one in secret.get("items", [])])
    return found


def lacks(kube, reference, keys):
    if reference.get("optional"):
        return []
    secret = kube.get("Secret", reference["name"], "shop")
    return [
        (reference["name"], key)
        for key in keys or ["*"]
        if secret is None or (key != "*" and key not in secret["data"])
    ]


def gone(kube, operator, link, key="prod/db"):
    """Make a link's Secret vanish, while its secret manager says nothing any more."""
    operator.upstream[key] = REFUSED
    operator.again()
    kube.store.remove(("", "secrets", "shop", link.object_name))


class TestNothingNewYet:
    def test_a_renamed_variable_stays_under_its_old_name(self, kube, operator, link, bring):
        one = link()
        bring()
        before = spec_of(kube)
        operator.upstream["prod/db"] = REFUSED
        change(one, variable="DATABASE")

        _, failure = bring()

        assert failure is not None
        assert spec_of(kube) == before
        assert missing(kube) == []
        operator.upstream["prod/db"] = VALUE
        _, failure = bring()
        assert failure is None
        assert set(env_of(kube)) == {"LOG_LEVEL", "DATABASE"}
        assert len(kube.list("ExternalSecret")) == 1

    def test_two_that_swap_their_variables_never_lose_one(self, kube, operator, link, bring):
        one, two = link("prod/db", "A"), link("prod/token", "B")
        bring()
        before = spec_of(kube)
        change(one, variable="T")
        change(two, variable="A")
        change(one, variable="B")
        operator.upstream["prod/db"] = REFUSED

        _, failure = bring()

        assert failure is not None
        assert spec_of(kube) == before
        assert missing(kube) == []
        operator.upstream["prod/db"] = VALUE
        _, failure = bring()
        assert failure is None
        assert env_of(kube)["B"]["name"] == change(one).object_name
        assert env_of(kube)["A"]["name"] == change(two).object_name

    def test_a_narrower_link_that_is_not_there_leaves_the_wider(self, kube, operator, link, bring):
        wide = link("prod/token", "DB", service=None, namespace="shop", container="")
        bring()
        link("prod/nope", "DB")

        _, failure = bring()

        assert failure is not None
        assert env_of(kube)["DB"]["name"] == wide.object_name

    def test_another_link_takes_a_variables_place(self, kube, operator, link, bring, devops):
        one = link()
        bring()
        services.unlink(link=change(one), by=devops)
        link("prod/nope", "DB")

        _, failure = bring()

        assert failure is not None
        assert env_of(kube)["DB"]["name"] == one.object_name
        assert missing(kube) == []

    def test_a_variable_that_becomes_a_file(self, kube, operator, link, bring):
        one = link()
        bring()
        before = spec_of(kube)
        operator.upstream["prod/db"] = REFUSED
        change(one, target="file", variable="", path="/vault/secrets/other")

        _, failure = bring()

        assert failure is not None
        assert spec_of(kube) == before
        assert missing(kube) == []

    def test_a_file_that_is_renamed(self, kube, operator, link, bring):
        one = link(path="/vault/secrets/db", **FILE)
        bring()
        before = spec_of(kube)
        operator.upstream["prod/db"] = REFUSED
        change(one, path="/vault/other/token")

        _, failure = bring()

        assert failure is not None
        assert spec_of(kube) == before
        assert missing(kube) == []

    def test_one_value_that_becomes_all_of_them(self, kube, operator, link, bring):
        operator.upstream["prod/app"] = json.dumps({"user": VALUE})
        one = link("prod/app", "APP")
        bring()
        before = spec_of(kube)
        operator.upstream["prod/app"] = REFUSED
        change(one, takes="keys", variable="APP")

        _, failure = bring()

        assert failure is not None
        assert spec_of(kube) == before
        assert missing(kube) == []

    def test_all_of_them_that_become_one_value(self, kube, operator, link, bring):
        operator.upstream["prod/app"] = json.dumps({"user": VALUE})
        one = link("prod/app", "APP", takes="keys")
        bring()
        before = spec_of(kube)
        operator.upstream["prod/app"] = REFUSED
        change(one, takes="value")

        _, failure = bring()

        assert failure is not None
        assert spec_of(kube) == before
        assert missing(kube) == []

    def test_one_value_that_becomes_all_of_them_is_never_without(self, kube, operator, link, run, bring):
        """Between two steps of a deploy a pod may start, too."""
        operator.upstream["prod/app"] = json.dumps({"user": VALUE})
        one = link("prod/app", "APP")
        bring()
        change(one, takes="keys")
        from external_secrets.steps import state

        now = run()
        ApplyExternalSecrets().apply(now)
        state.settle(now, state.links_of(now.cluster, now.facts))

        assert missing(kube) == []


class TestGone:
    def test_a_workload_whose_secret_is_gone_is_not_started_anew(self, kube, operator, link, bring):
        """Its pods run; new ones could not, whatever else was linked meanwhile."""
        one = link()
        bring()
        before = spec_of(kube)
        gone(kube, operator, one)
        link("prod/token", "TOKEN")

        _, failure = bring()

        assert failure is not None
        assert spec_of(kube) == before

    def test_unlinked_it_goes_on(self, kube, operator, link, bring, devops):
        one = link()
        bring()
        gone(kube, operator, one)
        link("prod/token", "TOKEN")
        services.unlink(link=change(one), by=devops)

        _, failure = bring()

        assert failure is None
        assert set(env_of(kube)) == {"LOG_LEVEL", "TOKEN"}

    def test_a_key_that_is_missing_in_a_secret_that_is_there(self, kube, operator, link, bring):
        one = link("prod/nope", "DB")
        body = {
            "apiVersion": "v1", "kind": "Secret", "data": {"other": "eQ=="},
            "metadata": {
                "name": one.object_name, "namespace": "shop",
                "ownerReferences": [{"apiVersion": "v1", "kind": "ExternalSecret", "name": one.object_name, "uid": "1"}],
            },
        }  # fmt: skip
        kube.load([body])

        _, failure = bring()

        assert failure is not None
        assert missing(kube) == []
        assert "DB" not in env_of(kube)

    @pytest.mark.parametrize("fields", [{"variable": "DB"}, FILE | {"path": "/vault/secrets/db"}])
    def test_gone_upstream_and_merged_pods_start_without(self, kube, operator, link, bring, fields):
        link("prod/db", **{"when_gone": "Merge"} | {"variable": ""} | fields)
        bring()
        one = ExternalSecret.objects.get()
        secret = kube.get("Secret", one.object_name, "shop")
        kube.api.operations.replace(
            kube.store.by_kind("Secret"),
            "shop",
            one.object_name,
            secret | {"data": {}},
            Options(manager="op"),
        )

        assert missing(kube) == []

    def test_a_key_that_disappears_keeps_no_pod_from_starting(self, kube, operator, link, bring):
        operator.upstream["prod/app"] = json.dumps({"user": VALUE, "password": VALUE})
        link("prod/app", "APP_", takes="keys")
        bring()

        operator.upstream["prod/app"] = json.dumps({"user": VALUE})
        operator.again()

        assert missing(kube) == []


class TestShared:
    """Somebody applied our entries as well, as when a live workload was exported and applied again."""

    def share(self, kube, name="api"):
        live = copy.deepcopy(kube.get("Deployment", name, "shop"))
        body = {key: live[key] for key in ("apiVersion", "kind", "spec")}
        body["metadata"] = {"name": name, "namespace": "shop"}
        kube.api.operations.patch(
            kube.store.by_kind("Deployment"), "shop", name, body, "application/apply-patch+yaml",
            Options(manager="argocd", force=True),
        )  # fmt: skip

    @pytest.mark.parametrize("fields", [{"variable": "DB"}, FILE | {"path": "/vault/secrets/db"}])
    def test_what_they_keep_keeps_its_secret(self, kube, operator, link, bring, run, devops, fields):
        one = link("prod/db", **{"variable": ""} | fields)
        bring()
        self.share(kube)
        services.unlink(link=change(one), by=devops)
        told = [found.action for found in Inject().plan(run())]

        done, failure = bring()

        assert failure is None
        assert missing(kube) == []
        assert "still uses it" in done.log.of("warning")
        assert told == ["change"]

    def test_a_file_is_added_where_they_own_the_directory(self, kube, operator, link, bring):
        link("prod/db", path="/vault/secrets/db", **FILE)
        bring()
        self.share(kube)
        link("prod/token", path="/vault/secrets/token", **FILE)
        link("prod/token", "TOKEN")

        _, failure = bring()

        assert "argocd" in failure.cause
        assert "volumes" in failure.cause
        assert set(mounts_of(kube)) == {"/vault/secrets"}
        assert missing(kube) == []

    def test_somebody_sets_our_mark(self, kube, operator, link, bring):
        link(restart_on_change=True)
        bring()
        body = {"spec": {"template": {"metadata": {"annotations": {"keyhaven.io/synced": "mine"}}}}}
        kube.api.operations.patch(
            kube.store.by_kind("Deployment"), "shop", "api", body, "application/merge-patch+json",
            Options(manager="kubectl-edit"),
        )  # fmt: skip
        link("prod/token", "TOKEN")

        _, failure = bring()

        assert "kubectl-edit" in failure.cause
        assert "DB" in env_of(kube)

    def test_a_volume_of_somebody_else_with_our_name_is_named(self, kube, operator, link, bring, cluster):
        link("prod/db", path="/vault/secrets/db", **FILE)
        bring()
        (volume,) = mounts_of(kube).values()
        manifest = deployment("other")
        pod_of(manifest)["volumes"] = [{"name": volume["name"], "emptyDir": {}}]
        kube.load([manifest])
        other = factories.make_service(cluster=cluster, name="other")
        link("prod/db", service=other, path="/vault/secrets/db", **FILE)
        link("prod/token", "TOKEN", service=other)

        _, failure = bring()

        assert f"volume {volume['name']}" in failure.cause
        assert "kubectl-create" in failure.cause
        assert "TOKEN" in env_of(kube, "other")
        assert mounts_of(kube, "other") == {}


class TestTakenOver:
    """By decision an entry that reads somebody else's Secret becomes ours; unlinked, no hollow entry is left of it."""

    @pytest.fixture
    def theirs(self, kube, cluster):
        env = [
            {"name": "LOG_LEVEL", "value": "info"},
            {"name": "DB", "valueFrom": {"secretKeyRef": {"name": "legacy", "key": "db", "optional": True}}},
        ]
        kube.load([deployment("old", env=env)])
        return factories.make_service(cluster=cluster, name="old")

    def take(self, run):
        change = next(found for found in Inject().plan(run()) if found.name == "old")
        one = run(overwrite=frozenset({change.decision}))
        for step in (ApplyExternalSecrets(), Inject(), Observe()):
            step.apply(one)

    def test_it_is_ours_and_leaves_whole(self, kube, operator, link, bring, run, devops, theirs):
        one = link(service=theirs)
        bring()

        self.take(run)

        assert env_of(kube, "old")["DB"] == {"name": one.object_name, "key": "DB"}
        services.unlink(link=change(one), by=devops)
        _, failure = bring()
        assert failure is None
        containers = pod_of(kube.get("Deployment", "old", "shop"))["containers"]
        assert containers[0]["env"] == [{"name": "LOG_LEVEL", "value": "info"}]
        assert kube.list("ExternalSecret") == []

    def test_it_leaves_also_while_somebody_writes_to_the_workload(
        self, kube, operator, link, bring, run, devops, theirs, monkeypatch
    ):
        one = link(service=theirs)
        bring()
        self.take(run)
        services.unlink(link=change(one), by=devops)
        without, written = workloads.without, []

        def late(*arguments):
            if not written:
                live = copy.deepcopy(kube.get("Deployment", "old", "shop"))
                live["spec"]["replicas"] = live["spec"].get("replicas", 1) + 1
                resource = kube.store.by_kind("Deployment")
                written.append(
                    kube.api.operations.replace(
                        resource, "shop", "old", live, Options(manager="kubectl-edit")
                    )
                )
            return without(*arguments)

        monkeypatch.setattr(workloads, "without", late)

        _, failure = bring()

        assert failure is None
        assert written, "somebody did write"
        containers = pod_of(kube.get("Deployment", "old", "shop"))["containers"]
        assert containers[0]["env"] == [{"name": "LOG_LEVEL", "value": "info"}]

    def test_a_mount_is_not_taken_over_by_any_decision(self, kube, operator, link, bring, run, cluster):
        kube.load([rich()])
        service = factories.make_service(cluster=cluster, name="rich")
        link("prod/db", service=service, path="/etc/nginx/db", **FILE)
        before = spec_of(kube, "rich")
        told = next(found for found in Inject().plan(run()) if found.name == "rich")

        assert (told.conflicts, "already mounts" in told.problem) == ((), True)
        one = run(overwrite=frozenset({told.decision, "Deployment shop/rich|kubectl-create anything"}))
        ApplyExternalSecrets().apply(one)
        with pytest.raises(addons.StepFailed, match="already mounts"):
            Inject().apply(one)
        assert spec_of(kube, "rich") == before
