"""How a connected cluster is signed in to: switched in its settings, tried first, and followed where its cloud moves it."""

import base64
import datetime
import re
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import AuditEvent
from clusters import kubeconfig, services
from clusters.models import Cluster, ConnectDraft
from credentials import services as credentials
from credentials.models import CloudCredential
from sandbox.kubernetes import Cluster as Sandbox
from tests import factories
from tests.clusters.test_connect_found import CONSOLE, REGION, make_credential
from tests.clusters.test_connect_found import by_keys as by_keys
from tests.clusters.test_connect_found import kube as kube
from tests.clusters.test_connect_found import register as register
from tests.credentials.conftest import keys as keys

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

SETTINGS = "/o/acme/clusters/prod/settings/"
SIGN_IN = "/o/acme/clusters/prod/sign-in/"
CLOUD = "/o/acme/clusters/prod/cloud/"
AUTHORITY = base64.b64encode(b"-----BEGIN CERTIFICATE-----").decode()
LOCATOR = {"name": "shop-prod", "region": REGION}


@pytest.fixture
def browser(sign_in, devops) -> Any:
    return sign_in(devops)


@pytest.fixture
def by_hand(organization, kube) -> Cluster:
    """The cluster, connected by its kubeconfig."""
    return factories.make_cluster(
        organization=organization, name="prod", kind="eks", server=kube.url, region=REGION,
        kubeconfig=kubeconfig.reduce(kube.kubeconfig()),
    )  # fmt: skip


@pytest.fixture
def connected(organization, devops, by_keys, kube) -> Cluster:
    """The cluster, connected by the credential."""
    draft = ConnectDraft.objects.create(
        organization=organization, by=devops, credential=by_keys, kind="eks", locator=LOCATOR
    )
    return services.connect(draft=draft, name="prod", by=devops)


def text(response: Any) -> str:
    return str(response.content.decode())


def sent(cluster: Cluster, **more: str) -> dict[str, str]:
    return {"credential": "aws-prod", "place": REGION, "seen": cluster.updated_at.isoformat()} | more


def move(cluster: Cluster, server: str, authority: str) -> None:
    """Put down another address and authority, as if the cluster had been there."""
    cluster.server, cluster.kubeconfig = server, kubeconfig.bare(server, authority)
    cluster.save()


def live() -> Cluster:
    return Cluster.objects.select_related("credential").get(name="prod")


class TestSwitching:
    def test_to_a_credential_that_finds_the_cluster_and_signs_in(self, browser, by_hand, by_keys):
        page = browser.get(SETTINGS)

        done = browser.post(SIGN_IN, sent(by_hand))

        now = live()
        event = AuditEvent.objects.get(action="cluster.sign_in_changed")
        assert "Sign in by a cloud credential instead" in text(page)
        assert done.headers["Location"] == SETTINGS
        assert (now.signs_in, now.credential.name, now.locator) == ("credential", "aws-prod", LOCATOR)
        assert "token" not in now.kubeconfig
        assert event.details["changes"]["signs in"] == [
            "by its kubeconfig", "by the cloud credential aws-prod"
        ]  # fmt: skip
        assert services.check(now).status == "ready"

    def test_a_credential_that_is_not_let_in_changes_nothing(
        self, browser, by_hand, by_keys, kube, sandbox_cloud
    ):
        sandbox_cloud.enroll(kube, "shop-prod", [])

        response = browser.post(SIGN_IN, sent(by_hand))

        assert response.status_code == 422
        assert "aws eks create-access-entry" in text(response)
        assert (live().signs_in, live().kubeconfig) == ("kubeconfig", by_hand.kubeconfig)

    def test_a_credential_that_may_less_than_we_may_now_is_refused(
        self, browser, by_hand, by_keys, kube, sandbox_cloud
    ):
        services.check(by_hand)
        by_hand.refresh_from_db()
        sandbox_cloud.enroll(kube, "shop-prod", [])
        eks = sandbox_cloud.client("eks", "administrator", REGION)
        eks.create_access_entry(clusterName="shop-prod", principalArn=CONSOLE, kubernetesGroups=["nothing"])

        response = browser.post(SIGN_IN, sent(by_hand))

        assert response.status_code == 422
        assert "may not do there what Keyhaven may do now" in text(response)
        assert live().signs_in == "kubeconfig"

    def test_another_cluster_is_not_taken_for_this_one(self, browser, by_hand, by_keys, register):
        register("other")
        move(by_hand, "https://127.0.0.1:2", AUTHORITY)

        response = browser.post(SIGN_IN, sent(by_hand))

        assert response.status_code == 422
        assert "and not prod" in text(response)
        assert live().signs_in == "kubeconfig"

    @pytest.mark.parametrize("place", ["", "evil.example/", "eu-north-1"])
    def test_a_place_without_it_is_said(self, browser, by_hand, by_keys, place):
        response = browser.post(SIGN_IN, sent(by_hand, place=place))

        assert response.status_code == 422
        assert live().signs_in == "kubeconfig"

    def test_of_two_who_change_it_the_second_is_told(self, browser, by_hand, by_keys):
        response = browser.post(SIGN_IN, sent(by_hand, seen="2026-01-01T00:00:00+00:00"))

        assert response.status_code == 422
        assert "Somebody changed this cluster" in text(response)

    def test_a_credential_of_others_is_no_choice(self, browser, by_hand, outsider, keys):
        make_credential(outsider.memberships.get().organization, outsider, keys("console"))

        response = browser.post(SIGN_IN, sent(by_hand))

        assert response.status_code == 422
        assert response.context["sign_in_form"].errors["credential"]

    def test_a_kubeconfig_takes_over_and_the_form_says_so_before(self, browser, connected, kube):
        page = text(browser.get(SETTINGS))

        browser.post(SETTINGS, {"kubeconfig": kube.kubeconfig(), "seen": connected.updated_at.isoformat()})

        event = AuditEvent.objects.get(action="cluster.kubeconfig_replaced")
        assert "Keyhaven signs in by aws-prod now" in page
        assert (live().signs_in, live().locator) == ("kubeconfig", {})
        assert live().credential.name == "aws-prod", "deploys still make roles with it"
        assert event.details["changes"]["signs in"][1] == "by its kubeconfig"


class TestAnotherCredential:
    @pytest.fixture
    def other(self, organization, admin, sandbox_cloud, aws_endpoint) -> CloudCredential:
        key_id, secret = sandbox_cloud.make_user("second", ["eks:DescribeCluster", "eks:ListClusters"])
        return make_credential(
            organization, admin, {"access_key_id": key_id, "secret_access_key": secret}, "aws-second"
        )

    def test_it_takes_over_once_it_was_let_in(self, browser, connected, other, kube, sandbox_cloud):
        refused = browser.post(CLOUD, {"credential": "aws-second"})
        before = live().credential.name
        sandbox_cloud.enroll(kube, "shop-prod", [CONSOLE, CONSOLE.replace("console", "second")])

        done = browser.post(CLOUD, {"credential": "aws-second"})

        assert refused.status_code == 422
        assert "aws eks create-access-entry" in text(refused)
        assert before == "aws-prod"
        assert done.status_code == 302
        assert (live().credential.name, live().signs_in) == ("aws-second", "credential")
        assert "second" in live().identity

    def test_none_is_refused(self, browser, connected):
        response = browser.post(CLOUD, {"credential": ""})

        assert response.status_code == 422
        assert live().credential.name == "aws-prod"

    def test_none_is_refused_by_the_service_too(self, connected, devops):
        with pytest.raises(services.StillNeeded, match="Give the cluster a kubeconfig first"):
            services.use_credential(cluster=connected, credential=None, by=devops)


class TestFollowing:
    def test_where_its_cloud_moved_it_is_followed_and_told(self, connected, kube, devops):
        move(connected, "https://127.0.0.1:1", kubeconfig.authority(connected.kubeconfig))

        found = services.check(live())

        event = AuditEvent.objects.get(action="cluster.moved")
        assert (found.status, live().server) == ("ready", kube.url)
        assert event.details["changes"] == {"server": ["https://127.0.0.1:1", kube.url]}
        assert event.actor_name == "Keyhaven"

    def test_a_new_authority_is_followed(self, connected):
        before = connected.kubeconfig
        with Sandbox() as other:
            authority = kubeconfig.authority(kubeconfig.reduce(other.kubeconfig()))
        move(connected, connected.server, authority)

        found = services.check(live())

        assert found.status == "ready"
        assert live().kubeconfig == before
        assert AuditEvent.objects.get(action="cluster.moved").details["authority"] == "changed"

    def test_one_that_its_cloud_does_not_know_any_more_says_so(self, connected, kube, sandbox_cloud):
        sandbox_cloud.client("eks", "administrator", REGION).delete_cluster(name="shop-prod")
        move(connected, "https://127.0.0.1:1", kubeconfig.authority(connected.kubeconfig))

        found = services.check(live())
        sandbox_cloud.enroll(kube, "shop-prod", [CONSOLE])

        assert found.status == "unreachable"
        assert "shop-prod" in found.status_reason
        assert not AuditEvent.objects.filter(action="cluster.moved").exists()


class TestSaid:
    def test_no_id_is_on_the_settings_page_twice(self, browser, by_hand, by_keys):
        seen = re.findall(r'\bid="([^"]+)"', text(browser.get(SETTINGS)))

        assert "id_credential" in seen
        assert "id_sign_in_credential" in seen
        assert sorted(set(seen)) == sorted(seen)

    def test_the_overview_leads_to_the_credential_and_tells_its_state(self, browser, connected, by_keys):
        CloudCredential.objects.update(
            check_error="AWS does not accept these keys.",
            expires_at=timezone.now() + datetime.timedelta(days=3),
        )

        seen = text(browser.get("/o/acme/clusters/prod/"))

        assert 'href="/o/acme/credentials/aws-prod/"' in seen
        assert "AWS does not accept these keys." in seen
        assert "Ends soon" in seen

    def test_a_kubeconfig_that_ended_is_told(self, browser, by_hand):
        Cluster.objects.update(signs_in_until=timezone.now() - datetime.timedelta(hours=1))

        seen = text(browser.get("/o/acme/clusters/prod/"))

        assert "It ended at" in seen
        assert "replace the kubeconfig" in seen

    def test_whoever_sees_no_credentials_is_not_told_its_name(self, sign_in, connected, organization):
        from accounts.models import Membership

        person = factories.make_user()
        role = factories.make_role(organization, permissions=["cluster:view", "cluster:manage"])
        Membership.objects.create(organization=organization, user=person, roles=[]).custom_roles.add(role)
        browser = sign_in(person)

        overview = text(browser.get("/o/acme/clusters/prod/"))

        assert "a cloud credential" in overview
        assert "aws-prod" not in overview

    def test_a_credential_that_clusters_sign_in_by_stays(self, connected, by_keys, admin):
        with pytest.raises(credentials.InUse):
            credentials.delete(credential=by_keys, by=admin)
