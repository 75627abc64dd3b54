"""Connecting a cluster that a cloud credential finds, as a person does it: EKS of the sandbox's AWS."""

import threading
from typing import Any

import pytest
from django.db import connection

from accounts.models import AuditEvent, Membership
from clusters import finding, kubeconfig, services
from clusters.models import Cluster, ConnectDraft
from credentials import services as credentials
from credentials.models import CloudCredential
from sandbox import world
from tests import factories
from tests.credentials.conftest import console_role as console_role
from tests.credentials.conftest import keys as keys
from tests.credentials.conftest import own_identity as own_identity
from tests.credentials.conftest import role_name as role_name

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

REGION = "eu-west-3"
START = "/o/acme/clusters/connect/"
CHOOSE = "/o/acme/clusters/connect/credential/"
LIST = f"{CHOOSE}clusters/?credential=aws-prod&place={REGION}"
CONSOLE = f"arn:aws:iam::{world.ACCOUNT}:user/console"


@pytest.fixture
def browser(sign_in, devops) -> Any:
    return sign_in(devops)


@pytest.fixture
def kube(make_sandbox_cluster, aws_endpoint, sandbox_cloud) -> Any:
    """An EKS cluster that lets the IAM user `console` in."""
    found = make_sandbox_cluster("eks")
    sandbox_cloud.enroll(found, "shop-prod", [CONSOLE])
    yield found
    sandbox_cloud.client("eks", "administrator", REGION).delete_cluster(name="shop-prod")


def make_credential(organization: Any, by: Any, secret: Any, name: str = "aws-prod") -> CloudCredential:
    return credentials.create(
        organization=organization, name=name, cloud="aws", method="static", secret=secret,
        given={"partition": "aws"}, by=by,
    )  # fmt: skip


@pytest.fixture
def by_keys(organization, admin, keys) -> CloudCredential:
    return make_credential(organization, admin, keys("console"))


@pytest.fixture
def register(sandbox_cloud, aws_endpoint) -> Any:
    """Return a function that lets EKS know a cluster that nobody answers for."""
    made: list[str] = []

    def act(name: str, **more: Any) -> None:
        made.append(name)
        given = {
            "endpoint": "https://127.0.0.1:1",
            "ca": "LS0tLS1CRUdJTg==",
            "issuer": "https://oidc.example/x",
        }
        sandbox_cloud.register_eks(name=name, region=REGION, version="1.36", **(given | more))

    yield act
    for name in made:
        sandbox_cloud.client("eks", "administrator", REGION).delete_cluster(name=name)


def key(name: str, region: str = REGION) -> str:
    return finding.key_of({"name": name, "region": region})


def choose(browser: Any, name: str = "shop-prod") -> str:
    return str(browser.post(LIST, {"cluster": key(name)}).headers["Location"])


def text(response: Any) -> str:
    return str(response.content.decode())


def make_person(organization: Any, *roles: dict[str, Any]) -> Any:
    """Make a member that has nothing but these custom roles."""
    person = factories.make_user()
    membership = Membership.objects.create(organization=organization, user=person, roles=[])
    for fields in roles:
        membership.custom_roles.add(factories.make_role(organization, **fields))
    return person


class TestWay:
    def test_a_credential_is_recommended_where_there_is_one(self, browser, by_keys):
        seen = text(browser.get(START))

        assert "By a cloud credential (recommended)" in seen
        assert 'value="credential" checked' in seen
        assert "Amazon EKS" in seen

    def test_without_one_a_kubeconfig_is_preselected_and_adding_leads_back(self, sign_in, admin):
        browser = sign_in(admin)
        seen = text(browser.get(START))
        empty = text(browser.get(CHOOSE))

        assert 'value="kubeconfig" checked' in seen
        assert "/credentials/new/?next=%2Fo%2Facme%2Fclusters%2Fconnect%2Fcredential%2F" in empty

    @pytest.mark.parametrize(("by", "page"), [("credential", "credential/"), ("kubeconfig", "kubeconfig/")])
    def test_the_choice_leads_on(self, browser, by, page):
        assert browser.get(START, {"by": by}).headers["Location"] == START + page

    @pytest.mark.parametrize("by", ["", "telepathy"])
    def test_no_choice_is_said(self, browser, by):
        response = browser.get(START, {"by": by})

        assert response.status_code == 422
        assert response.context["form"].errors["by"]

    def test_whoever_sees_no_credentials_is_told_why(self, organization, sign_in, by_keys):
        browser = sign_in(make_person(organization, {"permissions": ["cluster:view", "cluster:manage"]}))

        seen = text(browser.get(START))

        assert "Your roles do not see cloud credentials" in seen
        assert "aws-prod" not in text(browser.get(CHOOSE))
        assert browser.get(LIST).status_code == 404


class TestFinding:
    def test_a_chosen_credential_leads_to_its_clusters(self, browser, by_keys):
        led = browser.get(CHOOSE, {"credential": "aws-prod"}).headers["Location"]

        assert led == f"{CHOOSE}clusters/?credential=aws-prod"

    def test_one_that_is_not_there_is_said(self, browser, by_keys):
        assert browser.get(CHOOSE, {"credential": "gone"}).status_code == 422

    def test_what_is_found_is_listed_with_what_hinders(self, browser, by_keys, kube, register):
        register("half", status="CREATING")
        register("private", public=False)

        seen = text(browser.get(LIST))

        assert "shop-prod" in seen
        assert "It is being made." in seen
        assert key("half") not in seen
        assert "Its endpoint is private" in seen
        assert key("private") in seen

    def test_what_is_blocked_cannot_be_chosen_all_the_same(self, browser, by_keys, register):
        register("half", status="CREATING")

        response = browser.post(LIST, {"cluster": key("half")})

        assert response.status_code == 422
        assert "It is being made." in text(response)
        assert not ConnectDraft.objects.exists()

    def test_an_empty_region_offers_the_others(self, browser, by_keys):
        seen = text(browser.get(f"{CHOOSE}clusters/?credential=aws-prod&place=eu-north-1"))

        assert "aws-prod finds no clusters in eu-north-1" in seen
        assert "credential=aws-prod&amp;place=eu-west-3" in seen

    def test_a_place_that_there_is_not_is_said(self, browser, by_keys):
        seen = text(browser.get(f"{CHOOSE}clusters/?credential=aws-prod&place=evil.example/"))

        assert "There is no region of that name" in seen

    def test_many_are_filtered_by_name(self, browser, by_keys, register):
        for number in range(12):
            register(f"team-{number}")

        seen = browser.get(f"{LIST}&q=team-1")
        none = text(browser.get(f"{LIST}&q=zzz"))

        assert [one.found.name for one, _ in seen.context["rows"]] == ["team-1", "team-10", "team-11"]
        assert "3 of 12 clusters" in text(seen)
        assert "No cluster is called “zzz”" in none

    def test_a_missing_permission_is_told_with_its_policy(self, browser, organization, admin, keys):
        make_credential(organization, admin, keys("reader"))

        seen = text(browser.get(LIST))

        assert "eks:ListClusters" in seen
        assert "eks:DescribeCluster" in seen

    def test_a_credential_of_others_is_not_there(self, browser, outsider, keys):
        foreign = outsider.memberships.get().organization
        make_credential(foreign, outsider, keys("console"))

        assert browser.get(LIST).status_code == 404
        assert browser.post(LIST, {"cluster": key("shop-prod")}).status_code == 404

    @pytest.mark.parametrize("sent", ["", "x", key("nobody"), key("shop-prod", "us-east-1")])
    def test_what_nobody_found_cannot_be_chosen(self, browser, by_keys, kube, sent):
        response = browser.post(LIST, {"cluster": sent})

        assert response.status_code == 422
        assert "Choose one of the clusters that aws-prod finds" in text(response)
        assert not ConnectDraft.objects.exists()


class TestConnecting:
    @pytest.mark.parametrize("method", ["static", "role"])
    def test_from_the_first_page_to_the_cluster(
        self, request, browser, organization, admin, kube, sandbox_cloud, keys, method
    ):
        if method == "role":
            arn = request.getfixturevalue("console_role")
            credentials.create(
                organization=organization, name="aws-prod", cloud="aws", method="role", secret={},
                given={"arn": arn}, by=admin,
            )  # fmt: skip
            sandbox_cloud.enroll(kube, "shop-prod", [arn])
        else:
            make_credential(organization, admin, keys("console"))
        draft = choose(browser)

        tested = browser.get(draft)
        done = browser.post(draft, {"name": tested.context["form"].initial["name"]})
        overview = text(browser.get(done.headers["Location"]))

        cluster = Cluster.objects.get()
        assert "The cluster answers" in text(tested)
        assert (cluster.name, cluster.kind, cluster.region) == ("shop-prod", "eks", REGION)
        assert (cluster.signs_in, cluster.credential.name, cluster.account) == (
            "credential", "aws-prod", world.ACCOUNT
        )  # fmt: skip
        assert cluster.locator == {"name": "shop-prod", "region": REGION}
        assert kubeconfig.server(cluster.kubeconfig) == cluster.server == kube.url
        assert "token" not in cluster.kubeconfig
        assert cluster.services.count() == 6
        assert "/o/acme/credentials/aws-prod/" in overview
        assert AuditEvent.objects.get(action="cluster.connected").details["credential"] == "aws-prod"
        assert services.check(cluster).status == "ready"

    def test_a_second_click_leads_to_the_same_cluster(self, browser, by_keys, kube):
        draft = choose(browser)

        first, second = (browser.post(draft, {"name": "prod"}).headers["Location"] for _ in range(2))

        assert first == second == "/o/acme/clusters/prod/"
        assert Cluster.objects.count() == 1

    def test_who_is_not_let_in_is_told_exactly_what_to_run(self, browser, by_keys, kube, sandbox_cloud):
        sandbox_cloud.enroll(kube, "shop-prod", [])
        draft = choose(browser)

        page = browser.get(draft)
        sent = browser.post(draft, {"name": "prod"})

        assert "The cluster does not let us in" in text(page)
        assert "aws eks create-access-entry --cluster-name shop-prod" in text(page)
        assert CONSOLE in text(page)
        assert sent.status_code == 422
        assert not Cluster.objects.exists()

    def test_it_is_connected_once(self, browser, by_keys, kube):
        browser.post(choose(browser), {"name": "prod"})

        seen = text(browser.get(LIST))
        again = browser.post(LIST, {"cluster": key("shop-prod")})

        assert "Connected as prod" in seen
        assert again.status_code == 422
        assert "connected already, as prod" in text(again)

    def test_a_draft_that_somebody_overtook_says_so(self, browser, by_keys, kube, organization, devops):
        draft = choose(browser)
        other = ConnectDraft.objects.create(
            organization=organization, by=devops, credential=by_keys, kind="eks",
            locator={"name": "shop-prod", "region": REGION},
        )  # fmt: skip
        services.connect(draft=other, name="first", by=devops)

        response = browser.post(draft, {"name": "second"})

        assert response.status_code == 422
        assert "connected already, as first" in text(response)

    def test_one_that_is_connected_by_its_kubeconfig_is_known_by_its_address(
        self, browser, by_keys, kube, organization
    ):
        factories.make_cluster(organization=organization, name="by-hand", server=kube.url)

        assert "Connected as by-hand" in text(browser.get(LIST))

    def test_another_organization_may_connect_it_too(self, browser, by_keys, kube, outsider, keys):
        foreign = outsider.memberships.get().organization
        theirs = make_credential(foreign, outsider, keys("console"))
        draft = ConnectDraft.objects.create(
            organization=foreign, by=outsider, credential=theirs, kind="eks",
            locator={"name": "shop-prod", "region": REGION},
        )  # fmt: skip
        services.connect(draft=draft, name="prod", by=outsider)

        done = browser.post(choose(browser), {"name": "prod"})

        assert done.status_code == 302
        assert Cluster.objects.count() == 2

    def test_a_draft_of_somebody_else_is_not_there(self, client, browser, by_keys, kube, admin):
        draft = choose(browser)
        client.force_login(admin)

        assert client.get(draft).status_code == 404
        assert client.post(draft, {"name": "prod"}).status_code == 404

    def test_a_locator_that_was_tampered_with_leads_nowhere(self, browser, by_keys, kube):
        draft = choose(browser)
        ConnectDraft.objects.update(locator={"region": "evil.example/", "name": "shop-prod"})

        response = browser.post(draft, {"name": "prod"})

        assert response.status_code == 422
        assert not Cluster.objects.exists()

    def test_an_endpoint_that_may_not_be_called_is_refused(self, browser, by_keys, register):
        register("evil", endpoint="https://169.254.169.254")

        page = browser.get(choose(browser, "evil"))

        assert "cannot be used" in text(page)

    def test_names_are_checked_and_a_role_of_some_clusters_stays_in_them(
        self, organization, sign_in, by_keys, kube
    ):
        staging = {"clusters": ["staging-*"], "permissions": ["cluster:view", "cluster:manage"]}
        browser = sign_in(make_person(organization, staging, {"permissions": ["credential:view"]}))
        draft = choose(browser)

        page = browser.get(draft)
        refused = browser.post(draft, {"name": "prod"})
        done = browser.post(draft, {"name": "staging-shop"})

        assert "name" in page.context["form"].initial
        assert page.context["form"].initial["name"] == "", "the cloud's name is outside of the role"
        assert "Your roles do not cover a cluster named prod" in text(refused)
        assert done.headers["Location"] == "/o/acme/clusters/staging-shop/"

    def test_no_token_or_key_is_shown_or_kept(self, browser, by_keys, kube, keys):
        draft = choose(browser)
        page = text(browser.get(draft)) + text(browser.post(draft, {"name": "prod"}, follow=True))

        kept = str(list(Cluster.objects.values())) + str(list(ConnectDraft.objects.values()))
        told = str(list(AuditEvent.objects.values_list("details", flat=True)))
        assert keys("console")["secret_access_key"] not in page + kept + told
        assert "k8s-aws-v1." not in page + kept + told


class TestCredentialInUse:
    def test_it_is_kept_while_the_cluster_is_there(self, browser, by_keys, kube, admin):
        browser.post(choose(browser), {"name": "prod"})

        with pytest.raises(credentials.InUse):
            credentials.delete(credential=by_keys, by=admin)

    def test_one_of_another_account_is_refused(self, browser, by_keys, kube, organization, admin):
        draft = choose(browser)
        facts = by_keys.facts | {"account": "210987654321"}
        CloudCredential.objects.filter(pk=by_keys.pk).update(facts=facts)

        response = browser.post(draft, {"name": "prod"})

        assert response.status_code == 422
        assert "aws-prod belongs to the account 210987654321" in text(response)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_connect_it_at_once_one_does(organization, admin, devops, kube, keys):
    credential = make_credential(organization, admin, keys("console"))
    drafts = [
        ConnectDraft.objects.create(
            organization=organization, by=devops, credential=credential, kind="eks",
            locator={"name": "shop-prod", "region": REGION},
        )
        for _ in range(2)
    ]  # fmt: skip
    said: list[Any] = []

    def act(number: int) -> None:
        try:
            said.append(services.connect(draft=drafts[number], name=f"prod-{number}", by=devops).name)
        except services.AlreadyConnected:
            said.append(None)
        finally:
            connection.close()

    threads = [threading.Thread(target=act, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Cluster.objects.count() == 1
    assert said.count(None) == 1
