"""GKE: clusters are found and described as Google tells them, and a token of Google signs in to them."""

import base64
import datetime
import json
import re
from typing import Any

import pytest
import yaml
from django.utils import timezone

from clusters import kubeconfig, kubernetes
from clusters.kubernetes import signing as cluster_signing
from credentials import issuer, signing
from credentials.clouds import errors
from credentials.clouds.google import federation, gke
from credentials.clouds.google import wire as google_wire
from credentials.models import CloudCredential
from sandbox import google_gke, world
from sandbox.kubernetes import Cluster
from tests import factories

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db, pytest.mark.usefixtures("google_endpoint")]

PROJECT = world.GOOGLE_CLUSTERS
EMAIL = f"{world.GOOGLE_CONSOLE}@{PROJECT}.iam.gserviceaccount.com"
LOCATOR = {"project": PROJECT, "location": "europe-west9", "name": "prod"}


def made(organization: Any, google: Any, key: str = "console") -> CloudCredential:
    text = google.keys[key]
    read = json.loads(text)
    facts = {"email": read["client_email"], "project": read["project_id"], "key_id": read["private_key_id"]}
    return factories.make_cloud_credential(
        organization=organization, cloud="gcp", method="key", facts=facts, secret={"key": text}
    )


@pytest.fixture
def credential(organization: Any, sandbox_google: Any) -> CloudCredential:
    return made(organization, sandbox_google)


@pytest.fixture
def cluster(sandbox_google: Any) -> Any:
    """A sandbox cluster that Google tells of as `prod`, and that knows the console's service account."""
    with Cluster(kind="gke") as running:
        google_gke.enroll(sandbox_google.url, running, EMAIL)
        yield running


def asked(credential: CloudCredential) -> tuple[Any, dict[str, str]]:
    return signing.session(credential), signing.facts_of(credential)


def door(credential: CloudCredential, found: Any) -> kubernetes.Door:
    tokens = cluster_signing.supplier(credential, found.locator)
    return kubernetes.connect_text(kubeconfig.bare(found.endpoint, found.authority), tokens=tokens)


class TestFinding:
    def test_a_projects_clusters_are_found_and_described(self, credential, cluster):
        session, facts = asked(credential)

        (found,) = [one for one in gke.find(session, facts, "") if one.name == "prod"]
        again = gke.describe(session, facts, found.locator)

        assert found == again
        assert (found.place, found.account, found.status, found.blocked) == (
            "europe-west9", PROJECT, "RUNNING", None,
        )  # fmt: skip
        assert found.locator == LOCATOR
        assert found.endpoint == cluster.url
        assert base64.b64decode(found.authority).decode() == cluster.ca_pem
        assert found.issuer == cluster.issuer
        assert found.version.startswith("1.36.2-gke")

    @pytest.mark.parametrize(
        ("said", "words"),
        [
            ({"status": "PROVISIONING"}, "being made"),
            ({"status": "STOPPING"}, "being deleted"),
            ({"status": "ERROR"}, "does not work"),
            ({"endpoint": ""}, "no address of it yet"),
            (
                {"controlPlaneEndpointsConfig": {"ipEndpointsConfig": {"enabled": False}}},
                "no IP endpoint",
            ),
        ],
    )
    def test_what_cannot_be_connected_says_why(self, credential, sandbox_google, said, words):
        sandbox_google.gke("blocked", **({"endpoint": "203.0.113.7", "status": "RUNNING"} | said))
        found = gke.describe(*asked(credential), LOCATOR | {"name": "blocked"})
        sandbox_google.gke("blocked", controlPlaneEndpointsConfig={})

        assert words in found.blocked.reason
        assert found.blocked.remedy

    @pytest.mark.parametrize(
        ("said", "address", "words"),
        [
            ({}, "203.0.113.7", ""),
            (
                {"privateClusterConfig": {"enablePrivateEndpoint": True, "privateEndpoint": "10.0.0.2"}, "endpoint": "10.0.0.2"},
                "10.0.0.2", "address is private",
            ),
            (
                {"controlPlaneEndpointsConfig": {"ipEndpointsConfig": {
                    "enabled": True, "enablePublicEndpoint": False, "publicEndpoint": "203.0.113.9", "privateEndpoint": "10.0.0.2"}},
                 "endpoint": "10.0.0.2"},
                "10.0.0.2", "address is private",
            ),
            (
                {"controlPlaneEndpointsConfig": {"ipEndpointsConfig": {
                    "enabled": True, "enablePublicEndpoint": True, "publicEndpoint": "203.0.113.9", "privateEndpoint": "10.0.0.2",
                    "authorizedNetworksConfig": {"enabled": True}}},
                 "endpoint": "10.0.0.2"},
                "203.0.113.9", "lets authorized networks in",
            ),
            ({"masterAuthorizedNetworksConfig": {"enabled": True}}, "203.0.113.7", "lets authorized networks in"),
            ({"status": "DEGRADED"}, "203.0.113.7", "needs attention"),
        ],
    )  # fmt: skip
    def test_what_does_not_hinder_is_a_note(self, credential, sandbox_google, said, address, words, request):
        name = f"noted-{abs(hash(request.node.name)) % 10**6}"
        sandbox_google.gke(name, **({"endpoint": "203.0.113.7"} | said))

        found = gke.describe(*asked(credential), LOCATOR | {"name": name})

        assert (found.blocked, found.endpoint) == (None, f"https://{address}")
        assert words in found.note
        assert bool(found.note) is bool(words)

    def test_a_zonal_cluster_has_the_issuer_that_its_tokens_name(self, credential, sandbox_google):
        sandbox_google.gke("zonal", location="europe-west9-a", endpoint="203.0.113.8")

        found = gke.describe(*asked(credential), LOCATOR | {"name": "zonal", "location": "europe-west9-a"})

        assert found.issuer == (
            f"https://container.googleapis.com/v1/projects/{PROJECT}/locations/europe-west9-a/clusters/zonal"
        )

    def test_places_that_do_not_answer_are_told(self, credential, sandbox_google):
        sandbox_google.plant("faults", missing_zones=["us-central1-a"])

        found = gke.find(*asked(credential), "")

        assert (found[-1].place, found[-1].locator) == ("us-central1-a", {})
        assert "does not answer for this place" in found[-1].blocked.reason

    def test_an_identity_that_may_not_look_is_told_what_it_lacks(self, organization, sandbox_google):
        credential = made(organization, sandbox_google, "reader")

        with pytest.raises(errors.PermissionMissing, match=r"lacks container\.clusters\.list"):
            gke.find(*asked(credential), "")

    def test_a_cluster_that_is_gone_is_not_there(self, credential):
        with pytest.raises(errors.NotThere):
            gke.describe(*asked(credential), LOCATOR | {"name": "gone"})

    @pytest.mark.parametrize("more", [{"project": ""}, {"location": "../x"}, {"name": "a/b"}])
    def test_a_locator_that_leads_elsewhere_is_refused(self, credential, more):
        with pytest.raises(errors.NotThere, match="not known which"):
            gke.describe(*asked(credential), LOCATOR | more)


class TestToken:
    def test_a_token_opens_the_cluster(self, credential, cluster):
        found = gke.describe(*asked(credential), LOCATOR)

        seen = door(credential, found).get("v1", "Namespace", "default")

        assert seen["metadata"]["name"] == "default"

    def test_it_lasts_as_long_as_google_says(self, credential):
        token = gke.token(*asked(credential), LOCATOR)

        left = token.expires_at - timezone.now()
        assert datetime.timedelta(minutes=50) < left <= datetime.timedelta(hours=1)
        assert token.text not in repr(token)

    def test_an_identity_that_the_cluster_gave_no_role_is_known_and_may_nothing(
        self, organization, sandbox_google, cluster
    ):
        found = gke.describe(*asked(made(organization, sandbox_google)), LOCATOR)
        stranger = made(organization, sandbox_google, "admin")

        with pytest.raises(kubernetes.errors.Forbidden):
            door(stranger, found).get("v1", "Namespace", "default")

    def test_a_federated_identity_opens_it_as_its_service_account(
        self, organization, sandbox_google, cluster
    ):
        credential = federated(organization, sandbox_google)
        found = gke.describe(*asked(credential), LOCATOR)

        seen = door(credential, found).get("v1", "Namespace", "default")

        assert seen["metadata"]["name"] == "default"

    def test_without_a_service_account_the_principal_is_who_the_cluster_knows(
        self, organization, sandbox_google, cluster
    ):
        credential = federated(organization, sandbox_google)
        principal = federation.principal(credential.facts["provider"], issuer.subject(organization))
        credential.facts |= {"email": "", "principal": principal}
        session, facts = asked(credential)

        known = cluster.identities.authenticators[-1](gke.token(session, facts, LOCATOR).text)

        assert known.name == principal == gke.user(credential.facts)
        assert gke.member(credential.facts) == principal

    def test_a_key_that_google_no_longer_takes_is_told(self, credential, cluster):
        found = gke.describe(*asked(credential), LOCATOR)
        key = json.loads(credential.secret["key"]) | {"private_key_id": "0" * 40}
        credential.secret = {"key": json.dumps(key)}
        credential.save()

        with pytest.raises(kubernetes.errors.Unauthorized, match="Google does not accept this key"):
            door(credential, found).get("v1", "Namespace", "default")


def federated(organization: Any, google: Any) -> CloudCredential:
    subject = issuer.subject(organization)
    google.trust(issuer.address(), issuer.keys())
    audience = google.pool("gke", "console", issuer.address(), project=PROJECT)
    provider = audience.removeprefix("//iam.googleapis.com/")
    google.bind("roles/iam.workloadIdentityUser", federation.principal(provider, subject), account=EMAIL)
    facts = {"project": PROJECT, "provider": provider, "email": EMAIL}
    return factories.make_cloud_credential(
        organization=organization, cloud="gcp", method="federation", facts=facts, secret={}
    )


class TestAdmission:
    def test_the_steps_name_the_identity_and_the_cluster(self, credential, cluster, client, settings):
        found = gke.describe(*asked(credential), LOCATOR)

        first, second = gke.admission(credential.facts, found)

        assert (
            f"--role=roles/container.clusterViewer \\\n  --member=serviceAccount:{EMAIL}"
            in first.listings[0].text
        )
        assert "--region=europe-west9 --project=acme-prod" in second.listings[0].text
        (url,) = re.findall(r"'(http\S+)'", second.listings[1].text)
        applied = yaml.safe_load_all(client.get(url.removeprefix(settings.BASE_URL)).content)
        bound = [one["subjects"] for one in applied if one["kind"].endswith("Binding")]
        assert len(bound) > 2
        assert all([who["name"] for who in subjects] == [EMAIL] for subjects in bound)
        assert "cluster-admin" not in json.dumps([str(card) for card in (first, second)])

    def test_what_a_cluster_refuses_says_whom_to_let_in(self, credential):
        told = gke.refused(credential.facts, LOCATOR)

        assert told.reason == f"The cluster prod does not know {EMAIL}."
        assert "roles/container.clusterViewer" in told.remedy
        assert "kubectl apply" in told.remedy


def test_a_cluster_asks_google_whose_a_token_is(cluster, credential):
    users = cluster.identities.authenticators[0]
    good = gke.token(*asked(credential), LOCATOR).text
    # As gcloud's oldest tokens are: without the address among what was asked for.
    session = signing.session(credential)
    session.refresh(google_wire.transport())

    assert users(good).name == EMAIL
    assert users(session.token).name.isdigit()
    assert users("ya29.made-up") is None
    assert users("eyJ") is None
