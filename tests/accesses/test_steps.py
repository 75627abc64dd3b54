"""The steps operator, stores and verify on the sandbox: what they write, what they refuse, what they leave alone."""

import copy
from typing import Any

import pytest

from accesses import manifests, services, watching
from accesses.models import Access, OperatorState
from accesses.steps import Leftovers, Operator, Stores, Verify, operator, stores, verify
from clusters import addons, helm, kubeconfig, kubernetes, waiting
from clusters.leases import LeaseLost
from tests import factories
from tests.runs import make_run

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

API, STORE = manifests.API, "ClusterSecretStore"
WEBHOOK_DOWN = (
    'Internal error occurred: failed calling webhook "validate.clustersecretstore": connection refused'
)


@pytest.fixture
def kube(sandbox_cluster):
    return sandbox_cluster


@pytest.fixture
def cluster(organization, kube, settings, project, monkeypatch):
    monkeypatch.setattr(waiting, "LONGEST", 0.1)
    settings.OPERATOR_CHART = str(project / "sandbox" / "chart" / "external-secrets")
    settings.SYNC_TIMEOUT = 10
    text = kubeconfig.reduce(kube.kubeconfig())
    return factories.make_cluster(organization=organization, name="prod", kubeconfig=text)


@pytest.fixture
def run(cluster) -> Any:
    """Return a function that makes what a step is given."""

    def act(checkpoint: Any = lambda: None) -> addons.Run:
        return make_run(cluster, checkpoint)

    return act


@pytest.fixture
def operated(run):
    """The cluster has an operator that we installed."""
    Operator().apply(run())


@pytest.fixture
def access(cluster, sandbox_cloud, aws_endpoint):
    return make(cluster, sandbox_cloud.keys["reader"], name="aws")


def make(cluster: Any, keys: tuple[str, str], **fields: Any) -> Access:
    credential = {"access_key_id": keys[0], "secret_access_key": keys[1]}
    return factories.make_access(cluster=cluster, credential=credential, **fields)


def versions(kube: Any, *kinds: str) -> dict[str, str]:
    return {
        f"{kind}/{item['metadata']['name']}": item["metadata"]["resourceVersion"]
        for kind in kinds
        for item in kube.list(kind)
    }


def deployment(tag: str, namespace: str = "platform", **labels: str) -> dict[str, Any]:
    named = {"app.kubernetes.io/name": "external-secrets"} | labels
    containers = [
        {"name": "sidecar", "image": "proxy:9.9.9"},
        {"name": "eso", "image": f"registry.local:5000/external-secrets/external-secrets{tag}"},
    ]
    return {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "eso", "namespace": namespace, "labels": named},
        "spec": {
            "selector": {"matchLabels": named},
            "template": {"metadata": {"labels": named}, "spec": {"containers": containers}},
        },
    }  # fmt: skip


class TestOperator:
    def test_none_is_there_so_the_chart_is_installed_and_known_again_as_ours(self, run, cluster, kube):
        first, second = run(), run()

        planned = Operator().plan(first)
        installed = Operator().apply(first)
        before = versions(kube, "Deployment", "CustomResourceDefinition")
        found = Operator().apply(second)

        assert [change.action for change in planned] == ["create"]
        assert installed == "Installed External Secrets Operator v2.9.0 in external-secrets"
        assert found == "Found External Secrets Operator v2.9.0 in external-secrets"
        assert versions(kube, "Deployment", "CustomResourceDefinition") == before
        assert not OperatorState.objects.get(cluster=cluster).adopted
        assert "The API server reaches its webhook." in first.log.of("info")
        crd = kube.get("CustomResourceDefinition", "clustersecretstores.external-secrets.io", "")
        assert crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"

    def test_somebody_elses_is_adopted_where_it_is(self, run, cluster, kube, settings):
        helm.install_or_upgrade(
            cluster.kubeconfig, release="eso", namespace="platform", chart=settings.OPERATOR_CHART,
            version="2.9.0", values={}, timeout=60,
        )  # fmt: skip

        summary = Operator().apply(run())

        cluster.refresh_from_db()
        assert summary == "Adopted External Secrets Operator v2.9.0 in platform"
        assert (cluster.operator_namespace, cluster.operator_version) == ("platform", "v2.9.0")
        assert OperatorState.objects.get(cluster=cluster).adopted
        assert kube.get("Deployment", "external-secrets", "external-secrets") is None

    @pytest.mark.parametrize(
        ("tag", "words"),
        [
            (":v2.4.0", "older than 2.4.1 are not safe"),
            (":v0.9.20@sha256:0123", "is v0.9.20"),
            ("", "does not say its version"),
            (":latest", "does not say its version"),
        ],
    )
    def test_what_is_old_or_unknown_is_refused(self, run, cluster, kube, tag, words):
        kube.load([deployment(tag)])

        with pytest.raises(addons.StepFailed, match=words) as failure:
            Operator().apply(run())

        assert failure.value.remedy
        assert not OperatorState.objects.exists()

    def test_a_label_says_the_version_where_the_tag_does_not(self, run, kube):
        kube.load([deployment("@sha256:0123", **{"app.kubernetes.io/version": "v2.6.0"})])

        assert operator.find(run().door) == [operator.Installed("platform", "v2.6.0", ours=False)]

    def test_of_two_none_is_chosen(self, run, kube):
        kube.load([deployment(":v2.9.0"), deployment(":v2.8.0", "shop")])

        with pytest.raises(addons.StepFailed, match=r"2 operators: v2.9.0 in platform, v2.8.0 in shop"):
            Operator().apply(run())

    def test_webhooks_of_a_hidden_operator_are_not_run_over(self, run, kube):
        hook = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
        kube.load([hook | {"metadata": {"name": "secretstore-validate"}, "webhooks": []}])

        with pytest.raises(addons.StepFailed, match="secretstore-validate"):
            Operator().apply(run())

        assert operator.find(run().door) == []

    def test_a_chart_that_is_not_there_fails_with_helms_words(self, run, settings, tmp_path):
        settings.OPERATOR_CHART = str(tmp_path / "nothing")

        with pytest.raises(addons.StepFailed, match="Helm says") as failure:
            Operator().apply(run())

        assert "location" in failure.value.remedy

    def test_a_webhook_that_starts_late_is_waited_for(self, run, kube):
        kube.faults.answer("clustersecretstores/keyhaven-probe", 500, WEBHOOK_DOWN, times=2)
        one = run()

        Operator().apply(one)

        assert "Waiting for its webhook." in one.log.of("info")
        assert kube.get(STORE, "keyhaven-probe", "") is None, "the probe is never written"

    def test_a_webhook_that_never_answers_fails_the_step(self, run, kube, operated, settings):
        settings.OPERATOR_TIMEOUT = 1
        kube.faults.answer("clustersecretstores/keyhaven-probe", 500, WEBHOOK_DOWN)

        with pytest.raises(addons.StepFailed, match="failed calling webhook") as failure:
            Operator().apply(run())

        assert "10250" in failure.value.remedy

    def test_what_is_missing_is_named(self, run, kube, settings):
        settings.OPERATOR_TIMEOUT = 1
        kube.load([deployment(":v2.9.0")])

        with pytest.raises(addons.StepFailed, match="the kind clustersecretstores") as failure:
            Operator().apply(run())

        assert "pods in platform" in failure.value.remedy

    def test_who_lost_the_lease_stops_waiting(self, run, kube):
        kube.load([deployment(":v2.9.0")])

        def lost() -> None:
            raise LeaseLost

        with pytest.raises(LeaseLost):
            Operator().apply(run(lost))


@pytest.mark.usefixtures("operated")
class TestStores:
    def test_the_store_and_its_credential_are_applied_once(self, run, access, kube):
        planned = Stores().plan(run())
        Stores().apply(run())
        waited_for(lambda: watching.ready(kube.get(STORE, access.store_name, "")))
        before = versions(kube, "Secret", STORE)
        again = Stores().apply(run())

        access.refresh_from_db()
        store = kube.get(STORE, access.store_name, "")
        assert [(change.action, change.kind) for change in planned] == [
            ("create", "Secret"),
            ("create", STORE),
        ]
        assert {change.action for change in Stores().plan(run())} == {"unchanged"}
        assert store["spec"]["conditions"] == [{"namespaces": ["shop"]}]
        assert kube.get("Secret", access.store_name, "external-secrets")
        assert versions(kube, "Secret", STORE) == before
        assert again == "1 store in place"
        assert access.accepted_at
        assert access.accepted_error == ""

    def test_no_log_holds_the_credential(self, run, access):
        one = run()

        Stores().apply(one)

        assert access.credential["secret_access_key"] not in repr(one.log)

    def test_a_refused_one_keeps_why_and_the_others_are_still_brought(self, run, access, kube, cluster):
        bad = factories.make_access(cluster=cluster, name="aaa")
        kube.faults.answer(
            f"clustersecretstores/{bad.store_name}", 422, "spec.provider.aws.region: Required value"
        )

        with pytest.raises(addons.StepFailed, match=r"store of aaa was refused: .*Required value"):
            Stores().apply(run())

        bad.refresh_from_db()
        access.refresh_from_db()
        assert "Required value" in bad.accepted_error
        assert bad.accepted_at is None
        assert access.accepted_at

    def test_a_cluster_that_does_not_answer_has_refused_nothing(self, run, access, kube):
        kube.faults.answer(
            "clustersecretstores/", 503, "the server is currently unable to handle the request"
        )

        with pytest.raises(kubernetes.Unreachable):
            Stores().apply(run())

        access.refresh_from_db()
        assert access.accepted_error == ""

    def test_what_was_changed_meanwhile_is_not_called_accepted(self, run, access):
        old = copy.copy(access)
        Access.objects.filter(pk=access.pk).update(version=2)

        stores._accepted(old)

        access.refresh_from_db()
        assert access.accepted_at is None

    def test_a_deleted_access_takes_its_store_and_credential_away(self, run, access, kube, devops):
        Stores().apply(run())
        name = access.store_name
        services.delete(access=access, by=devops)

        planned = Stores().plan(run())
        summary = Stores().apply(run())

        assert [change.path for change in planned] == [f"{STORE} {name}", f"Secret external-secrets/{name}"]
        assert {change.action for change in planned} == {"delete"}
        assert summary == "0 stores in place, 1 removed"
        assert kube.get(STORE, name, "") is None
        assert kube.get("Secret", name, "external-secrets") is None

    def test_a_store_that_is_still_read_from_stays_with_its_credential(self, run, access, kube, devops):
        Stores().apply(run())
        name = access.store_name
        kube.load(
            [
                {
                    "apiVersion": API, "kind": "ExternalSecret",
                    "metadata": {"name": "theirs", "namespace": "shop"},
                    "spec": {
                        "secretStoreRef": {"kind": STORE, "name": name},
                        "data": [{"secretKey": "A", "remoteRef": {"key": "prod/db-password"}}],
                    },
                }
            ]
        )  # fmt: skip
        services.delete(access=access, by=devops)
        one = run()

        Stores().apply(one)
        said = Leftovers().apply(one)

        assert kube.get(STORE, name, "")
        assert kube.get("Secret", name, "external-secrets")
        assert f"The store {name} stays" in one.log.of("warning")
        assert said == "Nothing is left over"

    def test_what_is_not_ours_is_left_alone(self, run, access, kube, cluster):
        Stores().apply(run())
        ours = manifests.labels(cluster, "0")
        elsewhere = ours | {manifests.CLUSTER: "00000000-0000-0000-0000-000000000000"}
        fake = {"provider": {"fake": {"data": []}}}
        kube.load(
            [
                {"apiVersion": API, "kind": STORE, "metadata": {"name": "theirs"}, "spec": fake},
                {
                    "apiVersion": API,
                    "kind": STORE,
                    "metadata": {"name": "far", "labels": elsewhere},
                    "spec": fake,
                },
                secret("theirs", {}),
                secret("synced", ours | {stores.SYNCED: "true"}),
                secret("leftover", ours),
            ]
        )

        Stores().apply(run())

        assert {item["metadata"]["name"] for item in kube.list(STORE)} == {access.store_name, "theirs", "far"}
        assert kube.get("Secret", "theirs", "external-secrets")
        assert kube.get("Secret", "synced", "external-secrets")
        assert kube.get("Secret", "leftover", "external-secrets") is None


def secret(name: str, labels: dict[str, str]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "external-secrets", "labels": labels}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {}}


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ({"secretStoreRef": {"kind": STORE, "name": "a"}}, ["a"]),
        ({"secretStoreRef": {"name": "a"}}, []),
        ({"data": [{"sourceRef": {"storeRef": {"kind": STORE, "name": "b"}}}, {}]}, ["b"]),
        ({"dataFrom": [{"sourceRef": {"storeRef": {"kind": STORE, "name": "c"}}}]}, ["c"]),
        ({}, []),
    ],
)
def test_every_way_to_name_a_store_counts_as_use(spec, names):
    assert list(stores._stores_in({"spec": spec})) == names


@pytest.mark.usefixtures("operated")
class TestVerify:
    def bring(self, run: Any) -> addons.Run:
        Stores().apply(run())
        return run()

    def test_both_sides_are_asked(self, run, access):
        summary = Verify().apply(self.bring(run))

        access.refresh_from_db()
        assert summary == "1 store ready"
        assert (access.validated, access.validated_reason) == (True, "store validated")
        assert access.validated_at
        assert access.verified_at

    def test_wrong_keys_pass_the_operator_but_not_the_step(self, run, access):
        access.credential = access.credential | {"secret_access_key": "w" * 40}
        access.save()

        with pytest.raises(addons.StepFailed, match="AWS does not accept these keys") as failure:
            Verify().apply(self.bring(run))

        access.refresh_from_db()
        assert failure.value.remedy
        assert access.validated is True, "for static keys the operator proves nothing"
        assert "does not accept" in access.verified_error
        assert access.verified_at is None

    def test_that_listing_is_denied_only_warns(self, run, cluster, access, sandbox_cloud):
        limited = make(cluster, sandbox_cloud.limited, name="limited")
        one = self.bring(run)

        Verify().apply(one)

        limited.refresh_from_db()
        assert "secretsmanager:ListSecrets" in one.log.of("warning")
        assert "secretsmanager:ListSecrets" in limited.verified_error

    def test_that_the_console_does_not_reach_aws_only_warns(self, run, access, monkeypatch):
        one = self.bring(run)
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

        Verify().apply(one)

        assert "AWS does not answer" in one.log.of("warning")

    def test_a_store_that_the_operator_refuses_fails_with_its_reason(self, run, access, kube, settings):
        settings.SYNC_TIMEOUT = 2
        one = self.bring(run)
        one.door.delete("v1", "Secret", access.store_name, "external-secrets")
        waited_for(lambda: watching.ready(kube.get(STORE, access.store_name, "")).get("status") == "False")

        with pytest.raises(addons.StepFailed, match="unable to create client"):
            Verify().apply(one)

        access.refresh_from_db()
        store = kube.get(STORE, access.store_name, "")
        assert (access.validated, access.validated_reason) == (
            False,
            "The credential of the store is not in the cluster.",
        )
        assert store["metadata"]["annotations"][verify.LOOK_AGAIN] == one.turn

    def test_an_operator_that_never_looks_is_said(self, run, access, kube, settings):
        settings.SYNC_TIMEOUT = 1

        with pytest.raises(addons.StepFailed, match="has not looked at the store of aws yet"):
            Verify().apply(run())

        access.refresh_from_db()
        assert access.validated is None


def waited_for(true: Any) -> None:
    import time

    for _ in range(200):
        if true():
            return
        time.sleep(0.05)
    pytest.fail("it did not come true")
