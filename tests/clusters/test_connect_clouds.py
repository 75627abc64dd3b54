"""Connecting clusters of Google, Azure and Scaleway by a cloud credential, page by page as a person does it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import yaml

from clusters import deploys, runner, services, waiting
from clusters.models import Cluster, ConnectDraft
from credentials import issuer
from credentials.clouds.google import federation
from credentials.models import CloudCredential
from sandbox import google_gke, scaleway_kapsule, world
from sandbox.scaleway import IAM, ORGANIZATION, PROJECT, READ
from sandbox.scaleway import Scaleway as ScalewayStandIn
from tests import factories

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

CREDENTIALS = "/o/acme/credentials/new/"
CHOOSE = "/o/acme/clusters/connect/credential/"
CONSOLE = f"{world.GOOGLE_CONSOLE}@{world.GOOGLE_CLUSTERS}.iam.gserviceaccount.com"


@dataclass
class Way:
    """One way into one cloud's clusters: what a person enters, and what then is found."""

    kind: str
    entered: dict[str, str]
    kube: Any
    found: str
    region: str
    account: str
    # As whom the cluster knows it, and what takes every right but those of bindings from it.
    identity: str
    shut: Callable[[], None] = lambda: None
    secrets: list[str] = field(default_factory=list)


@pytest.fixture
def cluster_of(make_sandbox_cluster, settings, project, monkeypatch) -> Any:
    """Return a function that starts a cluster which the sandbox's operator can be deployed to."""
    settings.OPERATOR_CHART = str(project / "sandbox" / "chart" / "external-secrets")
    monkeypatch.setattr(waiting, "LONGEST", 0.1)
    monkeypatch.setattr(deploys.tasks.run_deploys, "delay", lambda: None)
    monkeypatch.setattr(deploys.tasks.look, "delay", lambda cluster_id: None)
    return make_sandbox_cluster


def gke(google: Any, kube: Any, kind: str, **entered: str) -> Way:
    google_gke.enroll(google.url, kube, CONSOLE)

    def shut() -> None:
        google_users = kube.identities.authenticators[-1]
        google_users._rules = {}

    return Way(
        kind, entered, kube, "prod", "europe-west9", world.GOOGLE_CLUSTERS, CONSOLE, shut,
        [text for text in entered.values() if "PRIVATE KEY" in text],
    )  # fmt: skip


@pytest.fixture
def gke_key(cluster_of, google_endpoint, sandbox_google) -> Way:
    return gke(sandbox_google, cluster_of("gke"), "gcp.key", key=sandbox_google.keys["console"])


@pytest.fixture
def gke_federation(cluster_of, google_endpoint, sandbox_google, organization) -> Way:
    subject = issuer.subject(organization)
    sandbox_google.trust(issuer.address(), issuer.keys())
    audience = sandbox_google.pool("wizard", "console", issuer.address(), project=world.GOOGLE_CLUSTERS)
    provider = audience.removeprefix("//iam.googleapis.com/")
    sandbox_google.bind(
        "roles/iam.workloadIdentityUser", federation.principal(provider, subject), account=CONSOLE
    )
    return gke(
        sandbox_google, cluster_of("gke"), "gcp.federation", project=world.GOOGLE_CLUSTERS,
        provider=provider, email=CONSOLE,
    )  # fmt: skip


def aks(azure: Any, kube: Any, kind: str, **more: str) -> Way:
    app = azure.apps["console"]
    azure.enroll(kube, "prod", [app["object"]])
    entered = {name: app[name] for name in ("tenant", "client", "subscription")}
    return Way(
        kind, entered | {"environment": "AzureCloud"} | more, kube, "prod", "westeurope", azure.subscription,
        app["object"], lambda: kube.identities.users.pop(app["object"]), list(more.values()),
    )  # fmt: skip


@pytest.fixture
def aks_secret(cluster_of, azure_endpoint, sandbox_azure) -> Way:
    made = sandbox_azure.plant("secret", client=sandbox_azure.apps["console"]["client"])["secret"]
    return aks(sandbox_azure, cluster_of("aks"), "azure.service-principal", client_secret=made)


@pytest.fixture
def aks_federation(cluster_of, azure_endpoint, sandbox_azure, organization) -> Any:
    sandbox_azure.trust(issuer.address(), issuer.keys())
    sandbox_azure.federate("console", issuer.address(), issuer.subject(organization))
    yield aks(sandbox_azure, cluster_of("aks"), "azure.federation")
    sandbox_azure.plant("unfederated", client=sandbox_azure.apps["console"]["client"])


@pytest.fixture
def scaleway(settings) -> Any:
    with ScalewayStandIn() as running:
        settings.SCALEWAY_ENDPOINT_URL = running.url
        yield running


@pytest.fixture
def kapsule_key(cluster_of, scaleway) -> Way:
    kube = cluster_of("kapsule")
    bearer = "aaaaaaaa-2222-4333-8444-555555555555"
    secret = scaleway.key((READ, IAM, scaleway_kapsule.MASTERS), bearer=bearer)
    scaleway_kapsule.enroll(scaleway.url, kube, "shop")

    def shut() -> None:
        scaleway.permissions[bearer] = frozenset((READ, IAM))

    entered = secret | {"project": PROJECT, "organization": ORGANIZATION, "region": "fr-par"}
    return Way(
        "scaleway.key", entered, kube, "shop", "fr-par", PROJECT, f"scaleway:bearer:{bearer}", shut,
        [secret["secret_key"]],
    )  # fmt: skip


WAYS = ("gke_federation", "gke_key", "aks_federation", "aks_secret", "kapsule_key")


@pytest.fixture(params=WAYS)
def way(request) -> Way:
    return request.getfixturevalue(request.param)


@pytest.fixture
def browser(sign_in, devops) -> Any:
    return sign_in(devops)


def text(response: Any) -> str:
    return str(response.content.decode())


def store(browser: Any, way: Way, name: str = "cloud-prod") -> str:
    """Enter the credential on its page, and return the page of the clusters that it finds."""
    sent = browser.post(f"{CREDENTIALS}?kind={way.kind}&next={CHOOSE}", way.entered | {"name": name})
    assert sent.status_code == 302, [sent.context["form"].errors, sent.context["form"].non_field_errors()]
    return str(browser.get(sent.headers["Location"]).headers["Location"])


def choose(browser: Any, way: Way, listed: str) -> str:
    """Choose the cluster as the list's button sends it, and return the page of its test."""
    seen = text(browser.get(listed))
    action = re.search(r'<form method="post" action="(/o/acme/clusters/[^"]+)"', seen)
    key = re.search(rf'value="(\w+)" aria-label="Choose {way.found}"', seen)
    assert action, seen
    assert key, seen
    return str(browser.post(action[1].replace("&amp;", "&"), {"cluster": key[1]}).headers["Location"])


def connect(browser: Any, way: Way) -> Cluster:
    draft = choose(browser, way, store(browser, way))
    sent = browser.post(draft, {"name": "prod"})
    assert sent.status_code == 302, text(sent)
    return Cluster.objects.get()


def told(page: str) -> str:
    """Return the commands of a page's cards."""
    import html

    return "\n".join(
        html.unescape(one) for one in re.findall(r"<pre[^>]*>(?:<code[^>]*>)?(.*?)</", page, re.DOTALL)
    )


def apply_manifest(browser: Any, way: Way, page: str) -> None:
    """Apply to the cluster what the cards say: the manifest at the address that they name."""
    (address,) = re.findall(r"curl -fsSL ['\"]http://[^/]+(/setup/[^'\"]+)", told(page))
    manifest = browser.get(address).content.decode()
    assert "cluster-admin" not in manifest
    way.kube.load(manifest)


class TestConnecting:
    def test_from_the_credential_to_health(self, browser, way):
        listed = store(browser, way)
        draft = choose(browser, way, listed)

        tested = browser.get(draft)
        done = browser.post(draft, {"name": tested.context["form"].initial["name"]})
        overview = text(browser.get(done.headers["Location"]))
        browser.post("/o/acme/clusters/" + way.found + "/health/")
        health = browser.get("/o/acme/clusters/" + way.found + "/health/")

        cluster = Cluster.objects.get()
        assert "The cluster answers" in text(tested)
        assert way.identity in text(tested)
        assert (cluster.name, cluster.kind, cluster.region) == (way.found, way.kube.kind, way.region)
        assert (cluster.signs_in, cluster.account) == ("credential", way.account)
        assert cluster.identity == way.identity
        assert cluster.server == way.kube.url
        assert yaml.safe_load(cluster.kubeconfig)["users"][0]["user"] == {}
        assert cluster.services.count() == 6
        assert "/o/acme/credentials/cloud-prod/" in overview
        assert services.check(cluster).status == "ready"
        findings = {one["slug"]: one["level"] for one in health.context["now"].findings}
        assert findings["permissions"] == "ok"
        shown = text(tested) + overview + text(health) + str(ConnectDraft.objects.values())
        assert [secret for secret in way.secrets if secret in shown] == []

    def test_it_is_listed_as_connected_afterwards(self, browser, way):
        cluster = connect(browser, way)

        listed = text(browser.get(f"{CHOOSE}clusters/?credential=cloud-prod"))

        assert f"Connected as {cluster.name}" in listed

    def test_who_may_nothing_there_is_given_the_manifest_and_then_it_works(self, browser, way):
        way.shut()
        draft = choose(browser, way, store(browser, way))

        before = text(browser.get(draft))
        apply_manifest(browser, way, before)
        after = browser.get(draft)

        assert "curl -fsSL" in told(before)
        assert [one["label"] for one in after.context["test"].denied] == []
        assert browser.post(draft, {"name": "prod"}).status_code == 302
        assert services.check(Cluster.objects.get()).status == "ready"

    def test_the_back_link_leads_to_the_place_where_it_was_found(self, browser, way):
        draft = choose(browser, way, store(browser, way))

        back = browser.get(draft).context["back"]

        assert back.startswith(f"{CHOOSE}clusters/?credential=cloud-prod")
        assert f'aria-label="Choose {way.found}"' in text(browser.get(back))

    def test_it_does_so_where_the_cluster_was_not_described(self, browser, kapsule_key, scaleway):
        way = kapsule_key
        moved = scaleway_kapsule.enroll(scaleway.url, way.kube, "moved", region="nl-ams")
        listed = store(browser, way)
        draft = choose(browser, replace(way, found="moved"), f"{listed}&place=nl-ams")
        del scaleway.clusters[moved]

        page = browser.get(draft)

        assert "found" not in page.context
        assert page.context["back"].endswith("credential=cloud-prod&place=nl-ams")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", WAYS, indirect=True)
def test_it_is_deployed_to_with_the_least(browser, devops, way):
    way.shut()
    draft = choose(browser, way, store(browser, way))
    apply_manifest(browser, way, text(browser.get(draft)))
    browser.post(draft, {"name": "prod"})
    cluster = Cluster.objects.get()

    made = deploys.request(cluster=cluster, by=devops)
    runner.run(str(made.pk))

    made.refresh_from_db()
    assert made.status == "succeeded", made.error
    assert way.kube.get("CustomResourceDefinition", "externalsecrets.external-secrets.io")


@pytest.mark.parametrize("way", ["gke_key", "aks_secret", "kapsule_key"], indirect=True)
class TestAccount:
    def test_one_of_the_same_account_may_take_over(self, browser, way, organization, devops):
        cluster = connect(browser, way)
        store(browser, way, "cloud-second")
        second = CloudCredential.objects.get(name="cloud-second")

        assert services.use_credential(cluster=cluster, credential=second, by=devops)
        cluster.refresh_from_db()
        assert cluster.credential == second

    def test_one_of_another_cloud_is_refused_as_such(self, browser, way, organization, devops):
        """Of another cloud, even where the numbers of the accounts are alike."""
        cluster = connect(browser, way)
        Cluster.objects.update(signs_in="kubeconfig", credential=None, locator={})
        cluster.refresh_from_db()
        foreign = factories.make_cloud_credential(
            organization=organization, facts=factories.aws_facts(way.account)
        )

        with pytest.raises(services.WrongAccount, match="is of AWS; prod is not"):
            services.use_credential(cluster=cluster, credential=foreign, by=devops)
