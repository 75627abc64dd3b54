"""AKS: clusters found and described, why one cannot be connected, and signing in to one with a token of Entra."""

import base64
import json
import ssl
import urllib.error
import urllib.request
from typing import Any

import pytest
import yaml

from clusters import kubernetes, places
from clusters.models import Cluster as Row
from credentials import clouds
from credentials.clouds import azure, errors
from credentials.clouds.azure import roles
from sandbox import world
from sandbox.kubernetes import Cluster
from sandbox.kubernetes.identity import READING

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("azure_endpoint")]

FINDER = clouds.CLOUDS["azure"].finder


@pytest.fixture(scope="module")
def aks(sandbox_azure: Any) -> Any:
    """A sandbox cluster that AKS knows as `prod`."""
    with Cluster(kind="aks") as running:
        running.load(list(world.manifests("aks")))
        running.id = sandbox_azure.enroll(running)
        yield running


@pytest.fixture
def session(sandbox_azure: Any) -> Any:
    """Return a function from an application's name to its session."""

    def of(app: str = "console") -> azure.Identity:
        known = sandbox_azure.apps[app]
        return azure.by_secret(azure.GLOBAL, known["tenant"], known["client"], known["client_secret"])

    return of


@pytest.fixture
def facts(sandbox_azure: Any) -> dict[str, str]:
    return {name: text for name, text in sandbox_azure.apps["console"].items() if name != "client_secret"}


def ask(cluster: Any, token: str, path: str = "/api/v1/namespaces") -> tuple[int, Any]:
    request = urllib.request.Request(f"{cluster.url}{path}", headers={"Authorization": f"Bearer {token}"})
    trusted = ssl.create_default_context(cadata=cluster.ca_pem)
    try:
        with urllib.request.urlopen(request, timeout=5, context=trusted) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


class TestFinding:
    def test_the_subscriptions_clusters_are_listed(self, aks, session, facts):
        found = next(one for one in FINDER.find(session(), facts, "") if one.name == "prod")

        assert (found.place, found.account, found.version) == ("westeurope", facts["subscription"], "1.36.2")
        assert found.locator == {"id": aks.id}
        assert found.issuer == aks.issuer
        assert found.status == "Running"
        assert found.blocked is None
        assert FINDER.places(facts) == []

    def test_all_pages_are_read(self, aks, session, facts, sandbox_azure):
        for number in range(5):
            sandbox_azure.plant("clusters", name=f"page-{number}")
        sandbox_azure.plant("faults", page_size=2)

        found = [one.name for one in FINDER.find(session(), facts, "")]

        assert {f"page-{number}" for number in range(5)} < set(found)
        assert found == sorted(found)

    def test_a_list_that_leads_elsewhere_is_not_followed(self, aks, session, facts, sandbox_azure):
        sandbox_azure.plant("clusters", name="second")
        sandbox_azure.plant("faults", page_size=1, next_host="http://127.0.0.1:9")

        with pytest.raises(errors.NotReachable, match="is not Azure"):
            FINDER.find(session(), facts, "")

    def test_one_without_rights_is_told_the_role(self, session, facts):
        with pytest.raises(errors.PermissionMissing) as refusal:
            FINDER.find(session("limited"), facts, "")

        assert refusal.value.permission == "Microsoft.ContainerService/managedClusters/read"
        assert "or Reader" in refusal.value.remedy


class TestDescribing:
    def test_its_address_and_ca_are_told_and_its_user_is_not(self, aks, session, facts):
        found = FINDER.describe(session(), facts, {"id": aks.id})

        assert found.endpoint == aks.url
        assert base64.b64decode(found.authority).decode() == aks.ca_pem
        assert aks.token("sandbox-viewer") not in repr(found) + found.authority

    def test_reading_where_it_answers_is_a_right_of_its_own(self, aks, session, facts):
        with pytest.raises(errors.PermissionMissing) as refusal:
            FINDER.describe(session("reader"), facts, {"id": aks.id})

        assert refusal.value.permission == roles.CONNECTING
        assert "Reader" not in refusal.value.remedy

    @pytest.mark.parametrize(
        "locator",
        [
            {},
            {"id": ""},
            {"id": "/subscriptions/x"},
            {"id": "{id}/../../other"},
            {"id": "{id}?x=y"},
            {"id": "{other}"},
        ],
    )
    def test_what_is_no_cluster_of_the_subscription_is_not_asked_for(
        self, aks, session, facts, sandbox_azure, locator
    ):
        other = aks.id.replace(sandbox_azure.subscription, sandbox_azure.other_subscription)
        wrong = {
            name: text.replace("{id}", aks.id).replace("{other}", other) for name, text in locator.items()
        }

        for act in (FINDER.describe, FINDER.token):
            with pytest.raises(errors.NotThere, match="no AKS cluster of the credential's subscription"):
                act(session(), facts, wrong)

    def test_one_that_is_gone_is_said(self, aks, session, facts):
        with pytest.raises(errors.NotThere):
            FINDER.describe(session(), facts, {"id": f"{aks.id}-gone"})

    @pytest.mark.parametrize(
        ("properties", "words"),
        [
            ({"powerState": {"code": "Stopped"}}, "The cluster is stopped."),
            ({"provisioningState": "Creating"}, "Azure says of the cluster: Creating."),
            ({"provisioningState": "Failed"}, "Azure says of the cluster: Failed."),
            ({"aadProfile": None}, "does not sign anybody in with Entra ID"),
            ({"aadProfile": {"managed": False}}, "does not sign anybody in with Entra ID"),
            ({"aadProfile": {"managed": True, "tenantID": "another"}}, "of another tenant"),
        ],
    )
    def test_why_one_cannot_be_connected_is_said(self, session, facts, sandbox_azure, properties, words):
        made = sandbox_azure.plant("clusters", name="blocked", properties=properties)["id"]

        found = FINDER.describe(session(), facts, {"id": made})

        assert words in found.blocked.reason
        assert found.blocked.remedy

    def test_one_that_is_being_upgraded_answers(self, aks, session, facts, sandbox_azure):
        kubeconfig = aks.kubeconfig()
        properties = {"provisioningState": "Upgrading"}
        made = sandbox_azure.plant("clusters", name="busy", kubeconfig=kubeconfig, properties=properties)[
            "id"
        ]

        found = FINDER.describe(session(), facts, {"id": made})

        assert (found.blocked, found.status, found.endpoint) == (None, "Upgrading", aks.url)

    @pytest.mark.parametrize(
        "broken",
        [
            "",
            "canary",
            "[canary",
            yaml.safe_dump({"clusters": []}),
            yaml.safe_dump(
                {"clusters": [{"cluster": {"server": "http://x", "certificate-authority-data": "eA=="}}]}
            ),
        ],
    )
    def test_an_answer_that_is_no_kubeconfig_is_not_azures(self, session, facts, sandbox_azure, broken):
        made = sandbox_azure.plant("clusters", name="broken", kubeconfig=broken)["id"]

        with pytest.raises(errors.NotReachable, match="is not Azure"):
            FINDER.describe(session(), facts, {"id": made})


class TestSigningIn:
    def test_a_token_is_taken_by_the_cluster(self, aks, session, facts):
        aks.add_user(facts["object"], READING)

        token = FINDER.token(session(), facts, {"id": aks.id})

        assert ask(aks, token.text)[0] == 200
        assert token.text not in repr(token)
        assert token.expires_at

    def test_one_whom_the_cluster_grants_nothing_is_known_and_refused(
        self, aks, session, facts, sandbox_azure
    ):
        token = FINDER.token(session("reader"), facts, {"id": aks.id})

        status, said = ask(aks, token.text)

        assert status == 403
        assert sandbox_azure.apps["reader"]["object"] in said["message"]

    def test_a_token_for_another_service_is_refused(self, aks, session):
        token = session().token("https://vault.azure.net/.default")

        assert ask(aks, token.text)[0] == 401

    def test_the_steps_name_the_cluster_and_the_principal(self, aks, session, facts):
        found = FINDER.describe(session(), facts, {"id": aks.id})

        said = "\n".join(listing.text for card in FINDER.admission(facts, found) for listing in card.listings)

        assert aks.id in said
        assert facts["object"] in said
        assert "'Azure Kubernetes Service Cluster User Role'" in said
        assert f"/setup/keyhaven-cluster.yaml?user={facts['object']}" in said
        assert "RBAC Cluster Admin" not in said

    def test_where_azure_decides_its_role_is_named(self, session, facts, sandbox_azure):
        profile = {"aadProfile": {"managed": True, "enableAzureRBAC": True}}
        sandbox_azure.plant("clusters", name="decided", properties=profile)

        found = next(one for one in FINDER.find(session(), facts, "") if one.name == "decided")

        said = "\n".join(listing.text for card in FINDER.admission(facts, found) for listing in card.listings)
        assert "'Azure Kubernetes Service RBAC Cluster Admin'" in said

    def test_what_is_private_or_restricted_is_said(self, session, facts, sandbox_azure):
        for name, access in (
            ("private", {"enablePrivateCluster": True}),
            ("few", {"authorizedIPRanges": ["1.2.3.4"]}),
        ):
            sandbox_azure.plant("clusters", name=name, properties={"apiServerAccessProfile": access})

        notes = {one.name: one.note for one in FINDER.find(session(), facts, "")}

        assert notes["private"].startswith("Private:")
        assert "some addresses only" in notes["few"]
        assert notes["prod"] == ""

    def test_without_the_object_id_the_steps_look_it_up(self, aks, session, facts):
        found = FINDER.describe(session(), facts, {"id": aks.id})

        said = "\n".join(
            listing.text
            for card in FINDER.admission(facts | {"object": ""}, found)
            for listing in card.listings
        )

        assert f"az ad sp show --id {facts['client']}" in said
        assert "?user=$OBJECT_ID" in said


class TestPlace:
    def test_an_aks_cluster_is_known_by_its_issuer_and_its_nodes(self, aks, sandbox_azure):
        door = kubernetes.Door(aks.kubeconfig())

        found = places.find(door, door.version())

        assert found == places.Place(
            Row.Kind.AKS, "westeurope", sandbox_azure.subscription, issuer=aks.issuer
        )

    def test_without_an_issuer_that_clouds_reach_it_is_known_all_the_same(self, aks):
        issuers = {
            "https://prod-dns-1a2b.hcp.northeurope.azmk8s.io": "northeurope",
            "https://prod.privatelink.example": "westeurope",
        }
        for issuer, region in issuers.items():
            with Cluster(kind="aks", issuer=issuer) as cluster:
                cluster.load(list(world.manifests("aks")))
                door = kubernetes.Door(cluster.kubeconfig())

                found = places.find(door, door.version())

            assert (found.kind, found.region) == (Row.Kind.AKS, region)
