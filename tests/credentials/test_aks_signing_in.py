"""AKS clusters that are signed in to by a cloud credential: connected, deployed to, refused."""

from typing import Any

import pytest
import yaml

from clusters import deploys, kubernetes, runner, services, waiting
from clusters.kubernetes import signing
from clusters.models import Cluster, ConnectDraft
from credentials import issuer
from credentials import services as credentials
from credentials.models import CloudCredential
from tests import factories
from tests.credentials.test_signing_in import noting
from tests.test_canary import tables

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]


@pytest.fixture
def kube(make_sandbox_cluster, azure_endpoint, sandbox_azure, settings, project, monkeypatch) -> Any:
    settings.OPERATOR_CHART = str(project / "sandbox" / "chart" / "external-secrets")
    monkeypatch.setattr(waiting, "LONGEST", 0.1)
    found = make_sandbox_cluster("aks")
    found.id = sandbox_azure.enroll(found, "prod", [sandbox_azure.apps["console"]["object"]])
    return found


def values(azure: Any, app: str) -> dict[str, str]:
    known = azure.apps[app]
    return {name: known[name] for name in ("tenant", "client", "subscription")} | {
        "environment": "AzureCloud"
    }


@pytest.fixture
def by_trust(organization, admin, kube, sandbox_azure) -> Any:
    """The application `console`, which trusts the organization's tokens."""
    sandbox_azure.trust(issuer.address(), issuer.keys())
    sandbox_azure.federate("console", issuer.address(), issuer.subject(organization))
    yield credentials.create(
        organization=organization, name="azure-prod", cloud="azure", method="federation", secret={},
        given=values(sandbox_azure, "console"), by=admin,
    )  # fmt: skip
    sandbox_azure.plant("unfederated", client=sandbox_azure.apps["console"]["client"])


@pytest.fixture
def by_secret(organization, admin, kube, sandbox_azure) -> CloudCredential:
    """The same by a client secret of its own."""
    client = sandbox_azure.apps["console"]["client"]
    return credentials.create(
        organization=organization, name="azure-secret", cloud="azure", method="service-principal",
        secret={"client_secret": sandbox_azure.plant("secret", client=client)["secret"]},
        given=values(sandbox_azure, "console"), by=admin,
    )  # fmt: skip


def connect(credential: CloudCredential, kube: Any) -> Cluster:
    """Connect the cluster that a credential finds."""
    owner = factories.make_member(credential.organization, "owner")
    draft = ConnectDraft.objects.create(
        organization=credential.organization,
        by=owner,
        credential=credential,
        kind="aks",
        locator={"id": kube.id},
    )
    return services.connect(draft=draft, name="prod", by=owner)


def test_a_token_of_this_console_signs_in(by_trust, kube, sandbox_azure):
    cluster = services.check(connect(by_trust, kube))

    by_trust.refresh_from_db()
    assert (cluster.status, cluster.status_reason) == ("ready", "")
    assert cluster.identity == sandbox_azure.apps["console"]["object"]
    assert (cluster.kind, cluster.region, cluster.account) == (
        "aks",
        "westeurope",
        sandbox_azure.subscription,
    )
    assert by_trust.used_at is not None


def test_what_is_stored_signs_nobody_in(by_secret, kube):
    cluster = connect(by_secret, kube)

    stored = Cluster.objects.get(pk=cluster.pk).kubeconfig
    once = yaml.safe_load(signing.kubeconfig_of(cluster))["users"][0]["user"]["token"]
    assert yaml.safe_load(stored)["users"][0]["user"] == {}
    assert once.count(".") == 2
    assert by_secret.secret["client_secret"] not in stored


@pytest.mark.django_db(transaction=True)
def test_it_is_deployed_to_and_no_token_is_written_down(by_trust, kube, devops, monkeypatch):
    monkeypatch.setattr(deploys.tasks.run_deploys, "delay", lambda: None)
    monkeypatch.setattr(deploys.tasks.look, "delay", lambda cluster_id: None)
    given: list[str] = []
    monkeypatch.setattr(signing.Supplier, "_new", noting(given, signing.Supplier._new))
    cluster = services.check(connect(by_trust, kube))

    made = deploys.request(cluster=cluster, by=devops)
    runner.run(str(made.pk))

    made.refresh_from_db()
    assert made.status == "succeeded", made.error
    assert given
    assert [token for token in given if token in str(tables())] == []


def test_a_token_that_ended_is_made_anew(by_secret, kube, sandbox_azure):
    door = kubernetes.connect(connect(by_secret, kube))
    sandbox_azure.plant("faults", token_seconds=1)
    door.version()

    sandbox_azure.plant("faults")

    assert door.whoami() == sandbox_azure.apps["console"]["object"]


def test_a_secret_that_is_gone_is_told(by_secret, kube, sandbox_azure):
    cluster = connect(by_secret, kube)
    app = sandbox_azure.apps["console"]
    sandbox_azure.plant("forget", client=app["client"], secret=by_secret.secret["client_secret"])

    cluster = services.check(cluster)

    assert cluster.status == "denied"
    assert "Entra does not accept this client secret." in cluster.status_reason


def test_an_azure_that_is_silent_makes_the_cluster_unreachable(by_secret, kube, settings):
    cluster = connect(by_secret, kube)
    settings.AZURE_ENDPOINT_URL = "http://127.0.0.1:9"

    cluster = services.check(cluster)

    assert cluster.status == "unreachable"
    assert "Azure does not answer" in cluster.status_reason


def test_a_cluster_that_left_entra_says_so(by_secret, kube):
    cluster = connect(by_secret, kube)
    kube.identities.authenticators.clear()

    cluster = services.check(cluster)

    assert cluster.status == "denied"
    assert "The cluster prod does not take tokens of the tenant" in cluster.status_reason
