"""Leaving a cluster: what Keyhaven made there stays, or is taken away first, as it was listed and typed."""

from typing import Any

import pytest

from accounts.models import AuditEvent
from clusters import deploys, kubeconfig, looks, removing, runner
from clusters import services as clusters
from clusters.models import Cluster, ConnectDraft, Deploy
from sandbox import world
from sandbox.kubernetes import Cluster as SandboxCluster
from sandbox.reconciler import Reconciler
from tests import factories
from tests.test_main_job import deploy, lines, link, make_access

URL = "/o/acme/clusters/prod/danger/"


@pytest.fixture(autouse=True)
def told(monkeypatch: Any) -> None:
    monkeypatch.setattr(deploys.tasks.run_deploys, "delay", lambda: None)
    monkeypatch.setattr(looks.tasks.look, "delay", lambda cluster_id: None)


@pytest.mark.sandbox
@pytest.mark.django_db(transaction=True)
class TestRemove:
    @pytest.fixture
    def kube(self, sandbox_cloud):
        with SandboxCluster() as running:
            running.load(list(world.manifests()))
            reconciler = Reconciler(running, sandbox_cloud.url)
            reconciler.start()
            yield running
            reconciler.stop()

    @pytest.fixture
    def cluster(self, kube, organization, devops, admin, settings, project, sandbox_cloud, aws_endpoint):
        """A cluster with the operator, a store and a linked secret, deployed."""
        settings.OPERATOR_CHART = str(project / "sandbox" / "chart" / "external-secrets")
        settings.SYNC_TIMEOUT = 8
        settings.CLUSTER_PATIENCE, settings.CLUSTER_RETRIES = 2, 3
        draft = ConnectDraft.objects.create(
            organization=organization, by=devops, kubeconfig=kubeconfig.reduce(kube.kubeconfig())
        )
        found = clusters.connect(draft=draft, name="prod", by=devops)
        access = make_access(found, sandbox_cloud.keys["reader"], devops)
        link(access, devops)
        made = deploy(found, devops)
        assert made.status == "succeeded", lines(made)
        found.refresh_from_db()
        return found

    def ours(self, kube: Any) -> list[str]:
        """Return what is in the cluster that Keyhaven made."""
        label = "app.kubernetes.io/managed-by"
        return sorted(
            f"{item['kind']} {item['metadata']['name']}"
            for item in kube.store.objects.values()
            if (item["metadata"].get("labels") or {}).get(label) == "keyhaven"
        )

    def variables(self, kube: Any) -> set[str]:
        """Return the variables of the service whose secret was linked."""
        spec = kube.get("Deployment", "api", "shop")["spec"]["template"]["spec"]
        return {one["name"] for container in spec["containers"] for one in container.get("env", ())}

    def run(self) -> Deploy:
        while runner.run_next():
            pass
        return Deploy.objects.order_by("-number").first()

    def test_what_was_made_is_listed_taken_away_and_the_cluster_can_go(self, kube, cluster, admin, sign_in):
        browser = sign_in(admin)
        listed = browser.get(URL).content.decode()
        before, variables = self.ours(kube), self.variables(kube)

        asked = browser.post(URL, {"then": "remove", "name": "prod"})
        removal = self.run()

        assert "ClusterSecretStore" in listed
        assert "ExternalSecret" in listed
        assert before
        assert asked.headers["Location"] == f"/o/acme/clusters/prod/deploys/{removal.number}/"
        assert removal.status == "succeeded", lines(removal)
        assert self.ours(kube) == []
        assert self.variables(kube) < variables
        assert kube.list("ExternalSecret") == []
        assert kube.get("Deployment", "external-secrets", "external-secrets"), "the operator stays"
        page = browser.get(URL).content.decode()
        assert "Nothing that Keyhaven made is left" in page
        assert "deploy-banner" not in page, "nobody wants it back now"
        assert browser.post(URL, {"name": "prod"}).status_code == 302
        assert not Cluster.objects.exists()
        told = AuditEvent.objects.order_by("sequence").values_list("action", flat=True)
        assert [code for code in told if code in ("deploy.removal_requested", "cluster.emptied", "cluster.disconnected")] == [
            "deploy.removal_requested", "cluster.emptied", "cluster.disconnected",
        ]  # fmt: skip

    def test_the_operator_goes_too_where_that_was_asked_for(self, kube, cluster, admin, sign_in):
        sign_in(admin).post(URL, {"then": "remove-all", "name": "prod"})

        removal = self.run()

        assert removal.status == "succeeded", lines(removal)
        assert self.ours(kube) == []
        assert kube.get("Deployment", "external-secrets", "external-secrets") is None

    def test_one_that_breaks_off_says_so_and_goes_on_when_asked_again(self, kube, cluster, admin, sign_in):
        browser = sign_in(admin)
        kube.faults.answer("clustersecretstores/", 403, "not now", method="DELETE")
        browser.post(URL, {"then": "remove", "name": "prod"})
        broken = self.run()
        kube.faults.clear()
        page = browser.get(URL).content.decode()

        browser.post(URL, {"then": "remove", "name": "prod"})
        again = self.run()

        assert broken.status == "failed", lines(broken)
        assert "Removing did not come to its end" in page
        assert again.status == "succeeded", lines(again)
        assert self.ours(kube) == []

    def test_after_a_deploy_it_is_not_called_empty_any_more(self, kube, cluster, admin, devops):
        removing.remove(cluster=cluster, operator=False, by=admin)
        self.run()
        emptied = removing.last(cluster)

        deploy(cluster, devops)

        assert emptied is not None
        assert removing.last(cluster) is None


@pytest.mark.django_db
class TestPage:
    @pytest.fixture
    def cluster(self, organization):
        return factories.make_cluster(organization=organization, name="prod")

    def test_a_cluster_that_does_not_answer_keeps_everything(self, cluster, admin, sign_in):
        factories.make_link(service=factories.make_service(cluster=cluster))

        answer = sign_in(admin).post(URL, {"then": "remove", "name": "prod"})

        assert answer.status_code == 422
        assert "Nothing can be removed there now, and nothing was changed." in answer.content.decode()
        assert cluster.external_secrets.count() == 1
        assert not Deploy.objects.exists()

    @pytest.mark.parametrize(
        ("sent", "said"),
        [
            ({"then": "leave", "name": "prd"}, "This cluster is called prod"),
            ({"name": "prod"}, "Say what becomes of what Keyhaven made."),
            ({"then": "burn", "name": "prod"}, "Choose one of what is listed."),
            ({"then": "leave"}, "Type the name of the cluster"),
        ],
    )
    def test_what_is_not_said_or_typed_does_nothing(self, cluster, admin, sign_in, sent, said):
        answer = sign_in(admin).post(URL, sent)

        assert answer.status_code == 422
        assert said in answer.content.decode()
        assert Cluster.objects.exists()

    def test_while_a_deploy_waits_nothing_is_removed(self, cluster, admin, sign_in, monkeypatch):
        Deploy.objects.create(cluster=cluster, number=1, by_name="x", status="queued")
        monkeypatch.setattr(
            removing.kubernetes, "connect", lambda cluster: type("D", (), {"version": lambda _: ""})()
        )

        answer = sign_in(admin).post(URL, {"then": "remove", "name": "prod"})

        assert "A deploy runs, waits or is scheduled" in answer.content.decode()
        assert Deploy.objects.count() == 1

    def test_leaving_it_is_told_to_be_harmless_and_chosen_at_first(self, cluster, admin, sign_in):
        page = sign_in(admin).get(URL).content.decode()

        assert "Services keep their secrets" in page
        assert 'value="leave"' in page.split("checked")[0].rsplit("<input", 1)[1]
