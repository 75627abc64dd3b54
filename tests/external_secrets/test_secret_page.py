"""The page of one upstream secret: its facts, and who would notice if it went away."""

import datetime
import re

import pytest
from django.utils import timezone

from accesses.models import StoreVariant
from external_secrets import usage_map
from external_secrets.exchange import exporting
from external_secrets.models import InventoryEntry, InventoryState
from tests import factories
from tests.external_secrets.manager import ACCOUNT

pytestmark = pytest.mark.django_db

HOSTILE = [
    "🔑/key",
    "x" * 512,
    "../../etc",
    'o\'neil "x"',
    "two\nlines",
    "100%_",
    "back\\slash",
    "<b>&amp;</b>",
    "a#b?c=d&e",
]


@pytest.fixture
def show(sign_in, devops, url, access):
    client = sign_in(devops)
    return lambda name, of=access: client.get(url("secret"), {"access": of.pk, "name": name})


@pytest.fixture
def other(organization):
    """An access of another cluster that reaches the same account and region."""
    cluster = factories.make_cluster(organization=organization, name="stage")
    return factories.make_access(cluster=cluster, name="aws-stage", namespaces=["shop"])


def sentence(response):
    text = re.sub(r"<[^>]+>", "", response.content.decode().partition('id="uses-h"')[2])
    return " ".join(text.split())


class TestFacts:
    def test_all_that_is_known(self, show, access):
        factories.make_entry(
            access, "prod/db", reference=f"{ACCOUNT}prod/db-AbCdEf", kind="secret", description="The shop's.",
            tags={"stage": "prod"}, changed_at=timezone.now(), deletes_at=datetime.datetime(2026, 12, 24, tzinfo=datetime.UTC),
        )  # fmt: skip

        text = show("prod/db").content.decode()

        for words in (
            "The shop&#x27;s.",
            "Secret</dd>",
            "Scheduled for deletion on 2026-12-24",
            "aws",
            "prod",
        ):
            assert words in text
        assert f'title="{ACCOUNT}prod/db-AbCdEf"' in text
        assert 'href="/o/acme/secrets/?tag=stage%3Dprod">stage: prod</a>' in text
        assert f"/o/acme/secrets/link/?access={access.pk}&amp;key=prod%2Fdb" in text
        assert f"/o/acme/secrets/?access={access.pk}&amp;q=prod%2F" in text

    def test_what_is_deleted_already_says_since_when(self, show, access):
        since = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
        factories.make_entry(access, "prod/db", deletes_at=since)

        text = show("prod/db").content.decode()

        assert "Deleted since 2026-01-02" in text
        assert "Scheduled for deletion" not in text

    @pytest.mark.parametrize(
        ("provider", "words"),
        [
            ("built-in", "Keyhaven reads it only to hand it to the cluster."),
            ("vault", "never read by Keyhaven."),
        ],
    )
    def test_who_reads_its_value(self, show, access, provider, words):
        access.provider, access.method = provider, {"built-in": "gateway", "vault": "approle"}[provider]
        access.save()
        factories.make_entry(access, "prod/db")

        assert words in show("prod/db").content.decode()

    @pytest.mark.parametrize("name", HOSTILE)
    def test_hostile_names(self, show, access, service, name):
        factories.make_entry(access, name)
        factories.make_link(access=access, service=service, key=name)

        response = show(name)

        assert response.status_code == 200
        assert "1 service in 1 cluster" in sentence(response)
        assert "<b>&amp;</b>" not in response.content.decode()

    def test_a_name_that_nobody_knows(self, show, fill):
        fill("a")

        assert show("b").status_code == 404

    def test_a_name_before_its_access_was_read(self, show, access, service):
        factories.make_link(access=access, service=service, key="prod/db")

        text = show("prod/db").content.decode()

        assert "Its names were not read whole yet." in text

    def test_one_that_is_gone_has_its_users_still(self, show, access, service, fill):
        fill("a")
        factories.make_link(access=access, service=service, key="prod/db")

        response = show("prod/db")

        assert "This secret is gone upstream" in response.content.decode()
        assert "1 service in 1 cluster" in sentence(response)

    def test_without_a_name_it_leads_to_browsing(self, sign_in, devops, url):
        assert sign_in(devops).get(url("secret")).headers["Location"] == "/o/acme/secrets/"

    def test_who_may(self, sign_in, viewer, devops, url, access):
        theirs = factories.make_access()
        factories.make_entry(theirs, "prod/db")

        assert sign_in(viewer).get(url("secret"), {"access": access.pk, "name": "a"}).status_code == 403
        assert sign_in(devops).get(url("secret"), {"access": theirs.pk, "name": "prod/db"}).status_code == 404


class TestWhoWouldNotice:
    def test_nobody(self, show, fill):
        fill("a")

        assert "Nobody would" in show("a").content.decode()

    def test_services_of_every_cluster_that_reaches_it(self, show, access, service, other, fill):
        fill("prod/db")
        fill("prod/db", of=other)
        there = factories.make_service(cluster=other.cluster, name="worker")
        factories.make_link(access=access, service=service, key="prod/db", when_gone="Delete")
        factories.make_link(access=other, service=there, key=f"{ACCOUNT}prod/db-AbCdEf")

        found = sentence(show("prod/db"))

        assert "2 services in 2 clusters." in found
        assert "1 would lose the value at once: shop/api." in found
        assert "1 would keep the last value" in found

    def test_every_service_of_a_namespace_counts_but_who_has_its_own(
        self, show, access, service, cluster, fill
    ):
        fill("prod/db", "prod/own")
        factories.make_service(cluster=cluster, name="web")
        factories.make_service(cluster=cluster, name="left", gone_at=timezone.now())
        factories.make_service(cluster=cluster, name="billing", namespace="billing")
        factories.make_link(
            access=access, service=None, namespace="shop", key="prod/db", variable="DB", container=""
        )
        factories.make_link(access=access, service=service, key="prod/own", variable="DB", container="")

        found = sentence(show("prod/db"))

        assert "1 service in 1 cluster." in found
        assert "every service of the namespace web" in found

    def test_by_path_and_by_tags(self, show, access, cluster, fill):
        factories.make_entry(access, "prod/db", tags={"stage": "prod"})
        InventoryState.objects.create(access=access, read_at=timezone.now())
        for number, fields in enumerate((
            {"takes": "path", "key": "prod/"}, {"takes": "path", "key": "test/"},
            {"takes": "tags", "key": "", "tags": {"stage": "prod"}}, {"takes": "tags", "key": "", "tags": {"stage": "x"}},
        )):  # fmt: skip
            service = factories.make_service(cluster=cluster, name=f"s{number}")
            factories.make_link(access=access, service=service, **fields)

        assert "2 services in 1 cluster." in sentence(show("prod/db"))

    def test_paths_and_tags_are_as_each_manager_takes_them(self, show, access, cluster, service):
        parameters = factories.make_access(cluster=cluster, name="ps", provider="aws-parameter-store")
        factories.make_entry(parameters, "/prod/shopping")
        factories.make_entry(access, "prod/db", tags={"environment": "production"})
        factories.make_link(
            service=service, access=parameters, takes="path", key="/prod/shop", variable="BELOW_"
        )
        factories.make_link(
            service=service, access=access, takes="tags", key="", tags={"env": "prod"}, variable="T_"
        )

        # Parameter Store has paths of whole parts; Secrets Manager knows beginnings of tags.
        below = show(of=parameters, name="/prod/shopping").context["map"].uses
        tagged = show(name="prod/db").context["map"].uses

        assert (below, [use.link.variable for use in tagged]) == ([], ["T_"])

    def test_the_same_name_elsewhere_is_another_secret(self, show, access, service, cluster, fill):
        fill("prod/db")
        frankfurt = factories.make_access(cluster=cluster, configuration={"region": "eu-central-1"})
        factories.make_link(access=frankfurt, service=service, key="prod/db")
        variant = StoreVariant.objects.create(access=access, region="us-east-1")
        factories.make_link(access=access, service=service, key="prod/db", variant=variant)

        assert "Nobody would" in show("prod/db").content.decode()

    def test_where_nothing_tells_the_account_it_is_said(self, show, access, other, fill):
        fill("prod/db")
        there = factories.make_service(cluster=other.cluster, name="worker")
        factories.make_link(access=other, service=there, key="prod/db")

        text = show("prod/db").content.decode()

        assert "Nobody would" in text
        assert "Perhaps the same secret" in text
        assert "shop/worker" in text

    def test_an_unread_access_of_the_same_account_reaches_it(self, show, access, other, fill):
        fill("prod/db")
        other.configuration = {"region": "eu-west-3", "role_arn": "arn:aws:iam::123456789012:role/eso"}
        other.save()
        factories.make_link(
            access=other, service=factories.make_service(cluster=other.cluster), key="prod/db"
        )

        assert "1 service in 1 cluster." in sentence(show("prod/db"))

    def test_another_organizations_links_are_never_here(self, show, access, fill):
        fill("prod/db")
        theirs = factories.make_service(name="theirs")
        factories.make_link(service=theirs, key="prod/db")
        factories.make_link(service=theirs, key=f"{ACCOUNT}prod/db-AbCdEf")

        text = show("prod/db").content.decode()

        assert "theirs" not in text
        assert "Nobody would" in text

    def test_a_constant_number_of_queries(
        self, show, organization, access, cluster, fill, django_assert_max_num_queries
    ):
        fill("prod/db")
        for number in range(300):
            service = factories.make_service(cluster=cluster, name=f"s{number}")
            factories.make_link(access=access, service=service, key="prod/db")
        for number in range(20):
            factories.make_link(access=access, service=None, namespace=f"n{number}", key="prod/db")
        entry = InventoryEntry.objects.get()

        with django_assert_max_num_queries(7):
            found = usage_map.of(organization, access, "prod/db", entry, exporting.EVERYTHING)

        assert len(found.services) == 300
        with django_assert_max_num_queries(16):
            show("prod/db")
