"""The operator's life on the sandbox: installed, proved, upgraded minor by minor, uninstalled; and its pages."""

import base64
import shutil
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from accesses import chart, installed, manifests, operators, releases
from accesses.models import OperatorState
from accesses.steps import Operator, Uninstall, operator, proof, readiness
from accounts.audit.models import AuditEvent
from clusters import addons, deploys, helm, kubeconfig, runner, waiting
from clusters.leases import LeaseLost
from clusters.models import Deploy, DeployChange
from tests import factories
from tests.runs import make_run

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

API, STORE, EXTERNAL, CRD = manifests.API, "ClusterSecretStore", "ExternalSecret", "CustomResourceDefinition"
SPACE = "external-secrets"
PAGE = "/o/acme/clusters/prod/add-ons/operator/"
UNINSTALL = f"{PAGE}uninstall/"


@pytest.fixture
def kube(sandbox_cluster):
    return sandbox_cluster


@pytest.fixture
def folder(project) -> Path:
    return project / "sandbox" / "chart" / "external-secrets"


@pytest.fixture
def cluster(organization, kube, settings, folder, monkeypatch):
    monkeypatch.setattr(waiting, "LONGEST", 0.1)
    settings.OPERATOR_CHART = str(folder)
    settings.SYNC_TIMEOUT = 10
    text = kubeconfig.reduce(kube.kubeconfig())
    return factories.make_cluster(organization=organization, name="prod", kubeconfig=text)


@pytest.fixture
def run(cluster) -> Any:
    def act(checkpoint: Any = lambda: None) -> addons.Run:
        return make_run(cluster, checkpoint)

    return act


@pytest.fixture
def mirror(settings, folder, tmp_path) -> Path:
    """A mirror of the chart with one folder for each version."""
    for release in releases.RELEASES:
        copy = shutil.copytree(folder, tmp_path / release.chart)
        text = (copy / "Chart.yaml").read_text().replace("2.9.0", release.chart)
        (copy / "Chart.yaml").write_text(text)
    settings.OPERATOR_CHART = str(tmp_path / "{version}")
    return tmp_path


@pytest.fixture
def at(run, mirror, settings) -> Any:
    """Return a function that makes the cluster have our operator in some version."""

    def act(version: str) -> None:
        pin, settings.OPERATOR_CHART_VERSION = settings.OPERATOR_CHART_VERSION, version
        Operator().apply(run())
        settings.OPERATOR_CHART_VERSION = pin

    return act


@pytest.fixture
def adopted(cluster, run, settings):
    """The cluster has an operator that somebody else installed, with its webhook."""
    helm.install_or_upgrade(
        cluster.kubeconfig, release="eso", namespace="platform", chart=settings.OPERATOR_CHART,
        version="2.9.0", values={"webhook": {"replicaCount": 1}}, timeout=60,
    )  # fmt: skip
    Operator().apply(run())


def state_of(cluster: Any) -> OperatorState:
    return OperatorState.objects.get(cluster=cluster)


def version_of(cluster: Any) -> str:
    cluster.refresh_from_db()
    return str(cluster.operator_version)


def want(cluster: Any, version: str) -> None:
    OperatorState.objects.filter(cluster=cluster).update(wanted=version)


def writes(kube: Any) -> list[tuple[str, str, int]]:
    """Return what was written to the cluster: all but reads, reviews and dry runs."""
    return [
        (method, path, status)
        for method, path, status in kube.requests
        if method != "GET" and "dryRun=All" not in path and "reviews" not in path
    ]


def proof_objects(kube: Any, cluster: Any) -> list[str]:
    name = proof.name_of(cluster)
    places = ((STORE, ""), (EXTERNAL, SPACE), ("Secret", SPACE))
    return [kind for kind, space in places if kube.get(kind, name, space)]


def others_secret(kube: Any) -> None:
    """Load a store and an external secret that others made, and wait for its Secret."""
    provider = {"fake": {"data": [{"key": "app", "value": "x"}]}}
    data = [{"secretKey": "K", "remoteRef": {"key": "app"}}]
    reference = {"kind": STORE, "name": "theirs"}
    kube.load(
        [
            {"apiVersion": API, "kind": STORE, "metadata": {"name": "theirs"}, "spec": {"provider": provider}},
            {
                "apiVersion": API, "kind": EXTERNAL, "metadata": {"name": "app", "namespace": "shop"},
                "spec": {"secretStoreRef": reference, "data": data},
            },
        ]
    )  # fmt: skip
    waited_for(lambda: kube.get("Secret", "app", "shop"))


def waited_for(true: Any) -> None:
    import time

    for _ in range(200):
        if true():
            return
        time.sleep(0.05)
    pytest.fail("it did not come true")


class TestReleases:
    def test_each_minor_up_to_the_pin_is_known_without_a_gap(self, settings):
        minors = [release.minor for release in releases.RELEASES]

        assert minors == [f"2.{number}" for number in range(4, 10)]
        assert releases.RELEASES[-1].chart == settings.OPERATOR_CHART_VERSION
        assert all(release.chart.startswith(f"{release.minor}.") for release in releases.RELEASES)

    @pytest.mark.parametrize(
        ("version", "following"),
        [
            ("v2.3.9", "2.4.1"),
            ("v2.4.1", "2.5.0"),
            ("2.8.3", "2.9.0"),
            ("v2.9.0", None),
            ("v2.10.0", None),
            ("v1.3.0", None),
            ("unknown", None),
            ("", None),
        ],
    )
    def test_it_goes_minor_by_minor(self, version, following):
        release = releases.next_after(version)

        assert (release and release.chart) == following

    def test_it_never_goes_beyond_the_pin_and_ends_at_it_exactly(self, settings):
        settings.OPERATOR_CHART_VERSION = "2.8.2"

        before, there = releases.next_after("v2.7.0"), releases.next_after("v2.8.0")

        assert before is not None
        assert before.chart == "2.8.2"
        assert there is None


class TestChart:
    def test_the_values_are_those_that_the_page_shows(self):
        values = chart.values()

        assert values["crds"]["annotations"] == {"helm.sh/resource-policy": "keep"}
        assert values["webhook"]["resources"]["limits"] == {"memory": "128Mi"}
        for one in chart.SET:
            place = values
            for name in one.path.split("."):
                place = place[name]
            assert place == one.value
            assert one.why.endswith(".")

    def test_a_version_may_stand_in_its_location(self, settings):
        settings.OPERATOR_CHART = "https://mirror.example/eso/{version}/chart.tgz"

        assert chart.location("2.8.0") == "https://mirror.example/eso/2.8.0/chart.tgz"

    def test_a_folder_of_another_version_is_refused(self, settings, folder):
        settings.OPERATOR_CHART = str(folder)

        with pytest.raises(addons.StepFailed, match=r"chart 2\.9\.0, and 2\.8\.0") as failure:
            chart.location("2.8.0")

        assert "{version}" in failure.value.remedy


class TestProof:
    def test_an_installation_is_proved_and_a_second_run_writes_nothing(self, run, cluster, kube):
        first, second = run(), run()

        Operator().apply(first)
        kube.requests.clear()
        Operator().apply(second)

        said = first.log.of("info")
        assert [check.said in said for check in readiness.ALL] == [True] * 5
        assert f"{proof.LABEL}." in said
        assert state_of(cluster).proved_version == "v2.9.0"
        assert proof_objects(kube, cluster) == []
        assert writes(kube) == []
        assert "DELETE" not in {method for method, _, _ in kube.requests}
        assert "Proving" not in second.log.of("info")

    def test_the_installation_is_written_down(self, run, cluster):
        Operator().apply(run())

        change = cluster.deploys.get().changes.get()
        assert (change.kind, change.namespace, change.name) == ("Release", SPACE, "external-secrets")
        assert change.facts["action"] == "create"
        assert change.done_at

    def test_the_store_of_the_proof_is_open_to_the_operators_namespace_only(self, cluster):
        one = installed.Installed(SPACE, "v2.9.0", ours=True)

        store = proof._store(cluster, one)

        assert store["spec"]["conditions"] == [{"namespaces": [SPACE]}]
        assert store["metadata"]["name"] == f"keyhaven-proof-{cluster.pk.hex[:8]}"
        assert manifests.labels(cluster, cluster.pk) == store["metadata"]["labels"]

    def test_an_operator_that_is_asleep_is_named_and_the_next_run_clears_up(
        self, run, cluster, kube, settings, monkeypatch
    ):
        from sandbox.reconciler import Reconciler

        Operator().apply(run())
        OperatorState.objects.update(proved_version="")
        settings.OPERATOR_TIMEOUT = 1
        with monkeypatch.context() as asleep:
            asleep.setattr(Reconciler, "_installed", lambda self: False)
            with pytest.raises(addons.StepFailed, match="does not work") as failure:
                Operator().apply(run())
        left = proof_objects(kube, cluster)
        settings.OPERATOR_TIMEOUT = 20
        one = run()
        Operator().apply(one)

        assert proof.name_of(cluster) in failure.value.cause
        assert "has not looked at it" in failure.value.cause
        assert "kubectl describe clustersecretstore" in failure.value.remedy
        assert STORE in left
        assert "Removed what an earlier proof left" in one.log.of("info")
        assert proof_objects(kube, cluster) == []
        assert state_of(cluster).proved_version == "v2.9.0"

    def test_what_a_killed_worker_left_goes_also_when_nothing_is_to_be_proved(self, run, cluster, kube):
        Operator().apply(run())
        one = installed.Installed(SPACE, "v2.9.0", ours=True)
        kube.load([proof._store(cluster, one), proof._external(cluster, one)])
        waited_for(lambda: "Secret" in proof_objects(kube, cluster))

        Operator().apply(run())

        assert proof_objects(kube, cluster) == []

    def test_somebody_elses_object_of_that_name_is_left_alone(self, run, cluster, kube):
        Operator().apply(run())
        name = {"metadata": {"name": proof.name_of(cluster)}, "spec": {"provider": {"fake": {"data": []}}}}
        kube.load([{"apiVersion": API, "kind": STORE} | name])

        Operator().apply(run())

        assert proof_objects(kube, cluster) == [STORE]

    def test_who_lost_the_lease_makes_nothing_more(self, run, cluster, kube):
        Operator().apply(run())
        OperatorState.objects.update(proved_version="")

        def lost() -> None:
            raise LeaseLost

        kube.requests.clear()
        with pytest.raises(LeaseLost):
            Operator().apply(run(lost))

        assert writes(kube) == []

    def test_a_new_installation_of_the_same_version_is_proved_anew(self, run, cluster, kube):
        Operator().apply(run())
        helm.uninstall(cluster.kubeconfig, release="external-secrets", namespace=SPACE, timeout=30)
        one = run()

        Operator().apply(one)

        assert f"{proof.LABEL}." in one.log.of("info")


class TestReadiness:
    def test_a_webhook_without_its_authority_is_waited_for_and_named(self, run, kube, settings):
        Operator().apply(run())
        hook = kube.get("ValidatingWebhookConfiguration", "externalsecret-validate")
        del hook["webhooks"][0]["clientConfig"]["caBundle"]
        replace(kube, "ValidatingWebhookConfiguration", hook)
        settings.OPERATOR_TIMEOUT = 1

        with pytest.raises(addons.StepFailed, match="authority of the webhook externalsecret-validate"):
            Operator().apply(run())

    def test_our_own_must_have_both_configurations_and_the_certificate(self, run, kube, settings):
        Operator().apply(run())
        delete(kube, "ValidatingWebhookConfiguration", "secretstore-validate")
        delete(kube, "Secret", "external-secrets-webhook", SPACE)
        settings.OPERATOR_TIMEOUT = 1

        with pytest.raises(addons.StepFailed, match="webhook configuration secretstore-validate") as failure:
            Operator().apply(run())

        assert "certificate in the Secret external-secrets-webhook" in failure.value.cause

    def test_a_secret_without_a_certificate_is_told_by_its_fields_alone(self):
        def secret(*names: str) -> dict[str, Any]:
            fields = {"f:data": {f"f:{name}": {} for name in names}}
            return {"metadata": {"managedFields": [{"fieldsV1": fields}]}}

        assert readiness._has_key(secret("ca.crt", "tls.crt"), "tls.crt")
        assert not readiness._has_key(secret("ca.crt"), "tls.crt")
        assert readiness._has_key({"metadata": {}}, "tls.crt"), "where nobody is named, it is there"

    def test_that_somebody_switched_the_webhook_off_is_said_once(self, run, cluster, settings):
        helm.install_or_upgrade(
            cluster.kubeconfig, release="eso", namespace="platform", chart=settings.OPERATOR_CHART,
            version="2.9.0", values={}, timeout=60,
        )  # fmt: skip
        one = run()

        Operator().apply(one)

        assert one.log.of("warning").count("switched off") == 1
        assert "The API server trusts its webhooks." not in one.log.of("info")

    def test_webhooks_that_we_may_not_read_are_said_to_be_unknown(self, run, kube):
        Operator().apply(run())
        kube.faults.answer("validatingwebhookconfigurations", 403, "forbidden: no")
        one = run()

        Operator().apply(one)

        assert "is unknown" in one.log.of("warning")


def replace(kube: Any, kind: str, manifest: dict[str, Any]) -> None:
    from sandbox.kubernetes.operations import Options

    metadata = manifest["metadata"]
    metadata.pop("resourceVersion")
    kube.api.operations.replace(
        kube.store.by_kind(kind), metadata.get("namespace", ""), metadata["name"], manifest, Options()
    )


def delete(kube: Any, kind: str, name: str, namespace: str = "") -> None:
    kube.api.operations.delete(kube.store.by_kind(kind), namespace, name, dry_run=False)


class TestUpgrade:
    def test_one_minor_at_a_time_and_only_when_decided(self, run, cluster, at, devops):
        at("2.7.0")

        undecided = Operator().plan(run())
        Operator().apply(run())
        stayed = version_of(cluster)
        operators.request_upgrade(cluster=cluster, version="2.8.0", by=devops)
        planned = Operator().plan(run())
        one = run()
        summary = Operator().apply(one)

        assert [change.action for change in undecided] == ["unchanged"]
        assert stayed == "v2.7.0"
        change = planned[0]
        assert (change.action, change.path, change.restarts) == (
            "change", "Release external-secrets/external-secrets", True,
        )  # fmt: skip
        assert [(field.path, field.before, field.after) for field in change.fields] == [
            ("version", "2.7.0", "2.8.0")
        ]
        assert summary == "Upgraded to External Secrets Operator v2.8.0 in external-secrets"
        assert version_of(cluster) == "v2.8.0"
        assert (state_of(cluster).wanted, state_of(cluster).proved_version) == ("", "v2.8.0")
        assert addons.Change.of(DeployChange.objects.latest("pk").facts) == change
        assert [change.action for change in Operator().plan(run())] == ["unchanged"]

    def test_a_decision_for_more_than_the_next_minor_is_forgotten_aloud(self, run, cluster, at):
        at("2.7.0")
        want(cluster, "2.9.0")
        one = run()

        Operator().apply(one)

        assert version_of(cluster) == "v2.7.0"
        assert "forgotten: it is not the next minor" in one.log.of("warning")
        assert state_of(cluster).wanted == ""

    @pytest.mark.parametrize("wanted", ["2.8.0", "2.9.0", "2.10.0"])
    def test_never_down_and_never_beyond_the_pin(self, run, cluster, at, kube, wanted):
        at("2.9.0")
        want(cluster, wanted)
        kube.requests.clear()

        Operator().apply(run())

        assert version_of(cluster) == "v2.9.0"
        assert writes(kube) == []
        assert state_of(cluster).wanted == ""

    def test_an_adopted_one_is_never_upgraded(self, run, cluster, mirror, kube, settings):
        settings.OPERATOR_CHART = str(mirror / "2.8.0")
        helm.install_or_upgrade(
            cluster.kubeconfig, release="eso", namespace="platform", chart=settings.OPERATOR_CHART,
            version="2.8.0", values={}, timeout=60,
        )  # fmt: skip
        Operator().apply(run())
        want(cluster, "2.9.0")
        kube.requests.clear()
        one = run()

        planned, summary = Operator().plan(run()), Operator().apply(one)

        assert [change.action for change in planned] == ["unchanged"]
        assert summary.startswith("Adopted External Secrets Operator v2.8.0")
        assert writes(kube) == []
        assert "somebody else looks after" in one.log.of("warning")

    def test_a_chart_that_cannot_be_fetched_keeps_the_decision(self, run, cluster, at, mirror):
        at("2.8.0")
        want(cluster, "2.9.0")
        shutil.rmtree(mirror / "2.9.0")

        with pytest.raises(addons.StepFailed, match="Helm says"):
            Operator().apply(run())

        assert state_of(cluster).wanted == "2.9.0"
        assert version_of(cluster) == "v2.8.0"
        assert DeployChange.objects.latest("pk").done_at is None

    def test_a_chart_that_brings_another_version_is_said(self, run, cluster, at, mirror):
        at("2.8.0")
        want(cluster, "2.9.0")
        file = mirror / "2.9.0" / "Chart.yaml"
        file.write_text(file.read_text().replace("v2.9.0", "v2.8.0"))

        with pytest.raises(
            addons.StepFailed, match=r"Chart 2\.9\.0 was installed, but the operator is v2\.8\.0"
        ):
            Operator().apply(run())

    def test_deciding_is_audited_and_makes_the_cluster_out_of_date(self, cluster, at, devops):
        at("2.8.0")
        cluster.refresh_from_db()
        before = cluster.generation

        for _ in range(2):
            operators.request_upgrade(cluster=cluster, version="2.9.0", by=devops)

        cluster.refresh_from_db()
        event = AuditEvent.objects.get(action="operator.upgrade_requested")
        assert event.details == {
            "changes": {"version to upgrade to": ["", "2.9.0"]}, "from": "v2.8.0", "version": "2.9.0",
        }  # fmt: skip
        assert event.target_name == "prod"
        assert cluster.generation == before + 1


class TestUninstall:
    def test_the_kinds_stores_and_secrets_stay(self, run, cluster, kube):
        Operator().apply(run())
        others_secret(kube)
        one = run()

        planned, summary = Uninstall().plan(run()), Uninstall().apply(one)

        cluster.refresh_from_db()
        assert [(change.action, change.kind) for change in planned] == [("delete", "Release")]
        assert summary.startswith("Uninstalled the External Secrets Operator")
        assert operator.find(run().door) == []
        assert kube.get("ValidatingWebhookConfiguration", "secretstore-validate") is None
        assert kube.get(CRD, "externalsecrets.external-secrets.io")
        assert kube.get(STORE, "theirs")
        assert kube.get(EXTERNAL, "app", "shop")
        assert kube.get("Secret", "app", "shop")
        assert "1 × ExternalSecret, 1 × Secret." in one.log.of("info")
        assert "no longer refreshed" in one.log.of("warning")
        assert cluster.operator_version == ""
        assert not OperatorState.objects.exists()
        change = DeployChange.objects.latest("pk")
        assert (change.facts["action"], change.kind) == ("delete", "Release")
        assert change.done_at

    def test_a_second_turn_finds_nothing_to_do(self, run, kube):
        Operator().apply(run())
        Uninstall().apply(run())
        kube.requests.clear()

        assert Uninstall().apply(run()) == "There is no operator to uninstall"
        assert writes(kube) == []

    def test_a_turn_that_broke_off_is_taken_up_again(self, run, cluster, kube):
        Operator().apply(run())
        delete(kube, "Deployment", "external-secrets", SPACE)

        Uninstall().apply(run())

        assert kube.list("Deployment", SPACE) == []
        assert not OperatorState.objects.exists()

    def test_it_comes_back_and_goes_on_with_what_is_there(self, run, cluster, kube):
        Operator().apply(run())
        others_secret(kube)
        Uninstall().apply(run())

        assert Operator().apply(run()).startswith("Installed")
        assert kube.get("Secret", "app", "shop")

    def test_an_adopted_one_is_refused(self, run, kube, adopted):
        with pytest.raises(addons.StepFailed, match="is not ours"):
            Uninstall().apply(run())

        assert kube.get("Deployment", "external-secrets", "platform")
        assert Uninstall().plan(run()) == []

    @pytest.mark.parametrize("by_hand", [False, True])
    def test_without_keep_in_the_release_it_is_refused(self, run, cluster, kube, settings, by_hand):
        """Helm goes by its own record: an annotation that somebody added to the CRD keeps nothing."""
        values = chart.values()
        del values["crds"]
        helm.install_or_upgrade(
            cluster.kubeconfig, release="external-secrets", namespace=SPACE, chart=settings.OPERATOR_CHART,
            version="2.9.0", values=values, timeout=60,
        )  # fmt: skip
        Operator().apply(run())
        if by_hand:
            for crd in kube.list(CRD):
                crd["metadata"].setdefault("annotations", {})["helm.sh/resource-policy"] = "keep"
                patch_annotations(kube, crd)
        kube.requests.clear()

        with pytest.raises(addons.StepFailed, match="Uninstalling would delete the kind") as failure:
            Uninstall().apply(run())

        assert "helm.sh/resource-policy: keep" in failure.value.remedy
        assert kube.get("Deployment", "external-secrets", SPACE)
        assert writes(kube) == []

    def test_what_went_with_it_is_a_failure(self, run):
        from accesses.steps import uninstall

        with pytest.raises(addons.StepFailed, match="Secret shop/app and 1 more went with it"):
            uninstall._say_what_stays(run(), {"Secret": {"shop/app", "shop/b"}}, {"Secret": set()})


def patch_annotations(kube: Any, crd: dict[str, Any]) -> None:
    from sandbox.kubernetes.operations import Options

    body = {"metadata": {"annotations": {"helm.sh/resource-policy": "keep"}}}
    kube.api.operations.patch(
        kube.store.by_kind(CRD), "", crd["metadata"]["name"], body, "application/merge-patch+json",
        Options(manager="kubectl-annotate"),
    )  # fmt: skip


class TestRuns:
    """The same by deploys, as a worker runs them."""

    pytestmark = pytest.mark.django_db(transaction=True)

    @pytest.fixture(autouse=True)
    def _no_broker(self, monkeypatch):
        monkeypatch.setattr(deploys.tasks.run_deploys, "delay", lambda: None)
        monkeypatch.setattr(deploys.tasks.look, "delay", lambda cluster_id: None)

    def test_deployed_twice_then_uninstalled(self, cluster, kube, devops):
        def ran(made: Deploy) -> Deploy:
            runner.run(str(made.pk))
            made.refresh_from_db()
            assert made.status == "succeeded", made.error
            return made

        first = ran(deploys.request(cluster=cluster, by=devops))
        kube.requests.clear()
        second = ran(deploys.request(cluster=cluster, by=devops))
        written = writes(kube)
        last = ran(deploys.uninstall(cluster=cluster, by=devops))

        cluster.refresh_from_db()
        assert [change.kind for change in first.changes.all()] == ["Release"]
        assert not second.changes.exists()
        assert written == []
        assert [step.slug for step in last.steps.all()] == ["connect", "uninstall"]
        assert cluster.drift == "never deployed"
        assert kube.get(CRD, "externalsecrets.external-secrets.io")


def page(browser: Any, url: str = PAGE) -> str:
    response = browser.get(url)
    assert response.status_code == 200
    return str(response.content.decode())


class TestPage:
    """The pages go by the database alone, but for what an uninstall would stop."""

    @pytest.fixture
    def known(self, organization):
        """A cluster whose operator is ours, in 2.8.0, proved three days ago."""
        cluster = factories.make_cluster(organization=organization, name="prod", operator_version="v2.8.0")
        self.state(cluster, adopted=False)
        return cluster

    def state(self, cluster: Any, **fields: Any) -> OperatorState:
        now = timezone.now()
        ago = {"seen_at": now, "proved_version": "v2.8.0", "proved_at": now - timezone.timedelta(days=3)}
        return OperatorState.objects.create(cluster=cluster, **ago | fields)

    def test_ours_shows_what_is_set_and_what_comes_next(self, known, sign_in, devops):
        shown = page(sign_in(devops))

        assert "Keyhaven, which installed it" in shown
        assert "3 d ago" in shown
        assert "Upgrade to 2.9.0" in shown
        assert releases.next_after("2.8.0").breaks in shown  # type: ignore[union-attr]
        assert "Uninstall operator…" in shown
        for one in chart.SET:
            assert one.path in shown
            assert one.why in shown.replace("&#x27;", "'")

    def test_the_add_ons_page_leads_there(self, known, sign_in, viewer):
        assert f'href="{PAGE}"' in page(sign_in(viewer), "/o/acme/clusters/prod/add-ons/")

    def test_an_adopted_one_is_left_to_others(self, organization, sign_in, devops):
        cluster = factories.make_cluster(
            organization=organization, name="prod", operator_version="v2.8.0", operator_namespace="platform"
        )
        self.state(cluster, adopted=True)

        shown = page(sign_in(devops))

        assert "Whoever installed it" in shown
        assert "--version 2.9.0 --namespace platform" in shown
        assert "upgrade_operator" not in shown
        assert 'action="/o/acme/clusters/prod/add-ons/operator/upgrade/"' not in shown
        assert "Uninstall operator" not in shown
        assert "Values that Keyhaven sets" not in shown

    def test_none_says_what_the_first_deploy_installs(self, organization, sign_in, devops):
        factories.make_cluster(organization=organization, name="prod")

        shown = page(sign_in(devops))

        assert "Not installed" in shown
        assert "2.9.0" in shown
        assert "Prove again" not in shown
        assert "Uninstall" not in shown

    def test_who_may_only_look_gets_no_button(self, known, sign_in, viewer):
        shown = page(sign_in(viewer))

        assert "Needs the role" in shown
        assert 'method="post" action="/o/acme/clusters/prod/add-ons' not in shown
        assert UNINSTALL not in shown

    def test_a_check_is_shown_as_passed_only_where_a_deploys_log_says_so(self, known, sign_in, devops):
        fresh = page(sign_in(devops))
        deploy = Deploy.objects.create(
            cluster=known, number=1, by_name="x", status="failed", finished_at=timezone.now()
        )
        deploy.steps.create(
            slug="operator", label="Operator", position=2, status="failed", summary="No webhook.",
            started_at=timezone.now(),
        )  # fmt: skip
        deploy.lines.create(step="operator", number=1, message=readiness.CHECKS[0].said)

        shown = page(sign_in(devops))

        assert fresh.count(": yes</b>") == 1, "only the proof is known"
        assert shown.count(": yes</b>") == 2
        assert "Its kinds are served: yes" in shown
        assert "No webhook." in shown

    def test_deciding_to_upgrade_and_taking_it_back(self, known, sign_in, devops):
        browser = sign_in(devops)

        decided = browser.post(f"{PAGE}upgrade/", {"version": "2.9.0"}, follow=True).content.decode()
        wanted = state_of(known).wanted
        back = browser.post(f"{PAGE}upgrade/", {"wish": "withdraw"}, follow=True).content.decode()

        assert wanted == "2.9.0"
        assert "Upgrade to 2.9.0 is decided" in decided
        assert "Deploy to upgrade to 2.9.0" in decided
        assert 'id="review"' in decided
        assert "Upgrade to 2.9.0</button>" in back
        assert state_of(known).wanted == ""

    @pytest.mark.parametrize("version", ["2.8.0", "2.10.0", "", "x" * 500])
    def test_another_version_than_the_next_is_refused_on_the_page(self, known, sign_in, devops, version):
        response = sign_in(devops).post(f"{PAGE}upgrade/", {"version": version})

        assert response.status_code == 422
        assert "is not the version that follows v2.8.0" in response.content.decode()
        assert state_of(known).wanted == ""

    def test_an_adopted_one_cannot_be_upgraded_by_hand_made_requests(self, known, sign_in, devops):
        OperatorState.objects.update(adopted=True)

        response = sign_in(devops).post(f"{PAGE}upgrade/", {"version": "2.9.0"})

        assert response.status_code == 422
        assert state_of(known).wanted == ""

    def test_prove_again_makes_the_next_deploy_prove(self, known, sign_in, devops):
        response = sign_in(devops).post(f"{PAGE}prove/", follow=True)

        known.refresh_from_db()
        assert state_of(known).proved_version == ""
        assert "The next deploy proves that it works." in response.content.decode()
        assert known.drift != "up to date"
        assert AuditEvent.objects.get(action="operator.proof_requested").details == {"version": "v2.8.0"}

    @pytest.mark.parametrize("act", ["upgrade", "prove"])
    def test_a_viewer_decides_nothing(self, known, sign_in, viewer, act):
        assert sign_in(viewer).post(f"{PAGE}{act}/", {"version": "2.9.0"}).status_code == 403

    def test_the_page_does_not_grow_queries(self, known, sign_in, devops, django_assert_max_num_queries):
        browser = sign_in(devops)

        with django_assert_max_num_queries(12):
            page(browser)


class TestUninstallPage:
    @pytest.fixture(autouse=True)
    def _no_broker(self, monkeypatch):
        monkeypatch.setattr(deploys.tasks.run_deploys, "delay", lambda: None)

    @pytest.fixture
    def browser(self, sign_in, devops):
        return sign_in(devops)

    def test_it_lists_every_external_secret_and_who_uses_it(self, run, cluster, kube, browser):
        Operator().apply(run())
        others_secret(kube)
        service = factories.make_service(cluster=cluster, namespace="shop", name="api")
        link = factories.make_link(
            service=service, access=factories.make_access(cluster=cluster, namespaces=["shop"])
        )
        ours = {"name": link.object_name, "namespace": "shop", "labels": manifests.labels(cluster, link.pk)}
        spec = {"secretStoreRef": {"kind": STORE, "name": "theirs"}, "data": []}
        kube.load([{"apiVersion": API, "kind": EXTERNAL, "metadata": ours, "spec": spec}])

        shown = page(browser, UNINSTALL)

        assert "2 external secrets of this cluster" in shown
        assert link.object_name in shown
        assert "1 service uses them by links made here" in shown
        assert "shop/api" in shown
        assert "Others" in shown
        assert "are kept" in shown
        value = base64.b64encode(b"x").decode()
        assert value not in shown

    def test_the_name_is_typed_and_leads_to_the_deploy(self, run, cluster, browser):
        Operator().apply(run())

        response = browser.post(UNINSTALL, {"name": "prod"})

        deploy = Deploy.objects.get(kind="uninstall")
        assert response.headers["Location"] == f"/o/acme/clusters/prod/deploys/{deploy.number}/"

    @pytest.mark.parametrize("name", ["", "Prod", "prods"])
    def test_another_name_uninstalls_nothing(self, run, cluster, browser, name):
        Operator().apply(run())

        response = browser.post(UNINSTALL, {"name": name})

        assert response.status_code == 422
        assert not Deploy.objects.filter(kind="uninstall").exists()

    def test_a_deploy_that_waits_is_in_the_way(self, run, cluster, browser, devops):
        Operator().apply(run())
        deploys.request(cluster=cluster, by=devops)

        response = browser.post(UNINSTALL, {"name": "prod"})

        assert response.status_code == 422
        assert "runs, waits" in response.content.decode()

    def test_a_cluster_that_does_not_answer_is_said_and_refused(self, run, cluster, kube, browser):
        Operator().apply(run())
        kube.faults.answer("externalsecrets", 503, "the server is currently unable to handle the request")

        shown, response = page(browser, UNINSTALL), browser.post(UNINSTALL, {"name": "prod"})

        assert "What would stop is not known" in shown
        assert '<button class="btn danger' not in shown
        assert response.status_code == 422
        assert not Deploy.objects.filter(kind="uninstall").exists()

    @pytest.mark.parametrize(("adopted", "words"), [(True, "Somebody else installed"), (None, "No deploy")])
    def test_what_is_not_ours_is_refused(self, organization, browser, adopted, words):
        cluster = factories.make_cluster(organization=organization, name="prod")
        if adopted:
            OperatorState.objects.create(cluster=cluster, adopted=True, seen_at=timezone.now())

        shown, response = page(browser, UNINSTALL), browser.post(UNINSTALL, {"name": "prod"})

        assert words in shown
        assert response.status_code == 422
        assert not Deploy.objects.exists()

    def test_a_viewer_does_not_get_there(self, organization, sign_in, viewer):
        factories.make_cluster(organization=organization, name="prod")

        assert sign_in(viewer).get(UNINSTALL).status_code == 403
