"""The card of a cluster's settings: which credential the console uses in its cloud account."""

from typing import Any

import pytest

from accounts.models import AuditEvent
from clusters import services
from clusters.models import Cluster
from tests import factories

pytestmark = pytest.mark.django_db

CARD = "/o/acme/clusters/prod/cloud/"
SETTINGS = "/o/acme/clusters/prod/settings/"
ACCOUNT, OTHER = "123456789012", "210987654321"


@pytest.fixture
def browser(sign_in, devops) -> Any:
    return sign_in(devops)


@pytest.fixture
def cluster(organization) -> Cluster:
    return factories.make_cluster(organization=organization, name="prod", kind="eks", region="eu-west-3")


@pytest.fixture
def aws(organization):
    return factories.make_cloud_credential(organization=organization, name="aws-prod")


@pytest.fixture
def google(organization):
    facts = {"email": "keyhaven@acme-prod.iam.gserviceaccount.com", "project": "acme-prod", "key_id": "1"}
    return factories.make_cloud_credential(
        organization=organization,
        name="gcp-prod",
        cloud="gcp",
        method="key",
        facts=facts,
        secret={"key": "{}"},
    )


def now(cluster):
    live = Cluster.objects.select_related("credential").get(pk=cluster.pk)
    return (live.credential.name if live.credential else None, live.account)


def errors(response):
    return {name: messages[0] for name, messages in response.context["cloud_form"].errors.items()}


class TestCard:
    def test_what_was_not_discovered_is_unknown(self, browser, cluster):
        Cluster.objects.update(kind="gke", region="")

        seen = browser.get(SETTINGS).content.decode()

        assert "<dt>Region</dt><dd>Unknown</dd>" in seen
        assert "<dt>Project</dt><dd>Unknown</dd>" in seen
        assert "<dt>Issuer</dt><dd>Unknown</dd>" in seen

    def test_it_shows_what_is_known(self, browser, cluster):
        cluster.issuer = "https://oidc.eks.eu-west-3.amazonaws.com/id/ABC"
        cluster.save()

        seen = browser.get(SETTINGS).content.decode()

        assert "Amazon EKS" in seen
        assert "eu-west-3" in seen
        assert "oidc.eks.eu-west-3.amazonaws.com/id/ABC" in seen

    @pytest.mark.parametrize(
        ("kind", "names"),
        [("eks", ["aws-prod"]), ("gke", ["gcp-prod"]), ("kubeconfig", ["aws-prod", "gcp-prod"])],
    )
    def test_credentials_of_the_clusters_cloud_are_offered(
        self, browser, cluster, aws, google, outsider, kind, names
    ):
        factories.make_cloud_credential(organization=outsider.memberships.get().organization, name="foreign")
        Cluster.objects.update(kind=kind)

        form = browser.get(SETTINGS).context["cloud_form"]

        assert [str(value) for value, _ in form.fields["credential"].choices][1:] == names
        assert ("account" in form.fields) == (kind != "gke")

    def test_a_visit_of_the_cards_own_address_leads_to_the_settings(self, browser, cluster):
        assert browser.get(CARD).headers["Location"] == SETTINGS


class TestUse:
    def test_a_chosen_one_brings_its_account(self, browser, cluster, aws):
        done = browser.post(CARD, {"credential": "aws-prod", "account": ""})

        assert done.headers["Location"] == SETTINGS
        assert now(cluster) == ("aws-prod", ACCOUNT)
        event = AuditEvent.objects.get(action="cluster.credential_changed")
        assert event.details == {"changes": {"credential": ["", "aws-prod"], "account": ["", ACCOUNT]}}

    def test_sent_twice_it_is_one_change(self, browser, cluster, aws):
        for _ in range(2):
            browser.post(CARD, {"credential": "aws-prod", "account": ""})

        assert AuditEvent.objects.filter(action="cluster.credential_changed").count() == 1

    def test_one_of_another_account_is_refused_at_the_field(self, browser, cluster, aws):
        Cluster.objects.update(account=OTHER)

        response = browser.post(CARD, {"credential": "aws-prod", "account": OTHER})

        assert response.status_code == 422
        assert errors(response) == {
            "credential": f"aws-prod belongs to the account {ACCOUNT}, but prod is in {OTHER}."
        }
        assert "<title>Error: Settings" in response.content.decode()
        assert now(cluster) == (None, OTHER)

    @pytest.mark.parametrize("name", ["gcp-prod", "foreign", "nothing"])
    def test_one_that_is_not_offered_is_refused(self, browser, cluster, google, outsider, name):
        factories.make_cloud_credential(organization=outsider.memberships.get().organization, name="foreign")

        response = browser.post(CARD, {"credential": name, "account": ""})

        assert "no such cloud credential" in errors(response)["credential"]

    def test_the_service_refuses_another_cloud_itself(self, cluster, google, devops):
        with pytest.raises(services.WrongAccount, match="gcp-prod is of Google Cloud"):
            services.use_credential(cluster=cluster, credential=google, by=devops)

    def test_none_again_keeps_the_account(self, browser, cluster, aws):
        browser.post(CARD, {"credential": "aws-prod", "account": ""})

        browser.post(CARD, {"credential": "", "account": ACCOUNT})

        assert now(cluster) == (None, ACCOUNT)

    def test_a_google_cluster_keeps_its_project(self, browser, cluster, google):
        Cluster.objects.update(kind="gke", account="acme-prod")

        browser.post(CARD, {"credential": "gcp-prod"})

        assert now(cluster) == ("gcp-prod", "acme-prod")

    def test_a_cluster_of_any_other_kind_may_go_from_one_cloud_to_another(
        self, browser, cluster, aws, google
    ):
        Cluster.objects.update(kind="kubeconfig")
        browser.post(CARD, {"credential": "gcp-prod", "account": ""})
        first = now(cluster)

        kept = browser.post(CARD, {"credential": "gcp-prod", "account": "acme-prod"})
        browser.post(CARD, {"credential": "aws-prod", "account": ""})

        assert first == ("gcp-prod", "acme-prod")
        assert kept.status_code == 302, "a project that is known is no bad account id"
        assert now(cluster) == ("aws-prod", ACCOUNT)

    def test_a_deploy_is_due_only_where_it_makes_roles(self, browser, organization, cluster, aws):
        access = factories.make_access(cluster=cluster, name="aws")
        browser.post(CARD, {"credential": "aws-prod", "account": ""})
        before = Cluster.objects.get().generation
        type(access).objects.update(method="automatic")
        browser.post(CARD, {"credential": "", "account": ACCOUNT})

        assert (before, Cluster.objects.get().generation) == (0, 1)


class TestAccount:
    @pytest.mark.parametrize("typed", [ACCOUNT, "1234-5678-9012", " 1234 5678 9012 "])
    def test_it_may_be_typed_as_aws_shows_it(self, browser, cluster, typed):
        browser.post(CARD, {"credential": "", "account": typed})

        assert now(cluster) == (None, ACCOUNT)

    @pytest.mark.parametrize(
        ("typed", "words"),
        [
            ("1234", "The account id has 4 digits; AWS account ids have 12."),
            ("1", "The account id has 1 digit; AWS account ids have 12."),
            ("1234567890123", "The account id has 13 digits; AWS account ids have 12."),
            ("acme-prod", "digits only"),
            ("١٢٣٤٥٦٧٨٩٠١٢", "digits only"),
        ],
    )
    def test_a_wrong_one_is_told_what_is_wrong_with_it(self, browser, cluster, typed, words):
        response = browser.post(CARD, {"credential": "", "account": typed})

        assert response.status_code == 422
        assert words in errors(response)["account"]
        assert typed in response.content.decode(), "what was typed is kept"
        assert now(cluster) == (None, "")

    def test_it_must_be_the_credentials_own(self, browser, cluster, aws):
        response = browser.post(CARD, {"credential": "aws-prod", "account": OTHER})

        assert f"but prod is in {OTHER}" in errors(response)["credential"]

    @pytest.mark.parametrize("method", ["role", "automatic"])
    def test_it_stays_while_roles_in_it_are_used(self, browser, cluster, method):
        Cluster.objects.update(account=OTHER)
        factories.make_access(cluster=cluster, name="aws", method=method)

        response = browser.post(CARD, {"credential": "", "account": ACCOUNT})

        assert f"The roles of aws are in the account {OTHER}." in errors(response)["account"]
        assert now(cluster) == (None, OTHER)

    def test_typed_keys_do_not_hold_it(self, browser, cluster):
        Cluster.objects.update(account=OTHER)
        factories.make_access(cluster=cluster, name="aws", method="static")

        browser.post(CARD, {"credential": "", "account": ACCOUNT})

        assert now(cluster) == (None, ACCOUNT)
