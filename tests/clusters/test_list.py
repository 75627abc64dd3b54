"""The list of clusters: what is told of each, filtered and paged by the URL, in a constant number of queries."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from clusters import listing
from clusters.models import Cluster, Deploy, Health, Service
from tests import factories

pytestmark = pytest.mark.django_db

LIST = "/o/acme/clusters/"


@pytest.fixture
def browser(sign_in, devops) -> Any:
    return sign_in(devops)


@pytest.fixture
def make(organization) -> Any:
    def cluster(name: str, **fields: Any) -> Cluster:
        return factories.make_cluster(organization=organization, name=name, **fields)

    return cluster


def names(response: Any) -> list[str]:
    """Return the names of the rows, in their order."""
    return re.findall(r'<a class="name" href="/o/acme/clusters/([^/]+)/"', response.content.decode())


def text(response: Any) -> str:
    return str(response.content.decode())


def add_services(cluster: Cluster, count: int, namespace: str = "shop", **fields: Any) -> None:
    rows = [
        Service(
            cluster=cluster, namespace=namespace, kind="Deployment", name=f"s-{n}", seen_at=timezone.now(), **fields
        )
        for n in range(count)
    ]  # fmt: skip
    Service.objects.bulk_create(rows)


def add_health(cluster: Cluster, level: str, **fields: Any) -> None:
    now = timezone.now()
    Health.objects.create(cluster=cluster, level=level, began_at=now, seen_at=now, **fields)


def queries(browser: Any, path: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as found:
        assert browser.get(path).status_code == 200
    return len(found)


class TestRows:
    def test_what_each_has_is_counted_apart(self, browser, make):
        prod, staging = make("prod"), make("staging")
        add_services(prod, 3)
        add_services(prod, 2, "gone", gone_at=timezone.now())
        add_services(staging, 1)
        for name in ("aws", "gcp"):
            factories.make_access(cluster=prod, name=name)

        rows = browser.get(LIST).context["rows"]

        assert [(row.cluster.name, row.services, row.accesses) for row in rows] == [
            ("prod", 3, 2), ("staging", 1, 0),
        ]  # fmt: skip

    def test_the_newest_deploy_of_each_is_told(self, browser, make):
        prod, staging = make("prod"), make("staging")
        for cluster, number in ((prod, 1), (prod, 2), (staging, 1)):
            Deploy.objects.create(
                cluster=cluster, number=number, status="succeeded", finished_at=timezone.now()
            )

        rows = browser.get(LIST).context["rows"]

        assert [row.last.number for row in rows] == [2, 1]

    def test_only_what_may_be_seen_is_counted(self, organization, client, make):
        add_services(make("prod"), 2)
        add_services(Cluster.objects.get(), 3, "billing")
        person = factories.make_user()
        membership = organization.memberships.create(user=person, roles=[])
        membership.custom_roles.add(
            factories.make_role(organization, namespaces=["billing"], permissions=["cluster:view"])
        )
        client.force_login(person)

        (row,) = client.get(LIST).context["rows"]

        assert (row.services, row.sees_deploys) == (3, False)

    def test_the_credential_that_signs_in_is_named_to_whom_sees_it(self, sign_in, devops, organization, make):
        credential = factories.make_cloud_credential(organization=organization, name="aws-prod")
        make("prod", signs_in="credential", credential=credential)
        limited = factories.make_user()
        organization.memberships.create(user=limited, roles=[]).custom_roles.add(
            factories.make_role(organization, permissions=["cluster:view"])
        )

        seen, hidden = text(sign_in(devops).get(LIST)), text(sign_in(limited).get(LIST))

        assert 'href="/o/acme/credentials/aws-prod/">aws-prod</a>' in seen
        assert "aws-prod" not in hidden
        assert "by a cloud credential" in hidden


class TestFilters:
    @pytest.fixture
    def some(self, make):
        make(
            "a-ready", kind="eks", server="https://one.example", account="123456789012", deployed_generation=0
        )
        add_health(make("b-degraded", kind="gke", generation=2, deployed_generation=1), "degraded")
        make("c-unreachable", kind="aks", status="unreachable")
        make("d-denied", status="denied")

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ("state=ready", ["a-ready"]),
            ("state=degraded", ["b-degraded"]),
            ("state=unreachable", ["c-unreachable"]),
            ("state=denied", ["d-denied"]),
            ("state=out-of-date", ["b-degraded"]),
            ("state=never-deployed", ["c-unreachable", "d-denied"]),
            ("kind=aks", ["c-unreachable"]),
            ("kind=eks&state=degraded", []),
            ("q=READY", ["a-ready"]),
            ("q=one.example", ["a-ready"]),
            ("q=123456789012", ["a-ready"]),
            ("q=%00de", ["b-degraded", "d-denied"]),
            ("state=evil&kind=moon", ["a-ready", "b-degraded", "c-unreachable", "d-denied"]),
        ],
    )
    def test_the_url_says_what_is_shown(self, browser, some, asked, found):
        assert names(browser.get(f"{LIST}?{asked}")) == found

    def test_a_stretch_that_is_over_is_no_state(self, browser, make):
        add_health(make("was-degraded"), "degraded", ended_at=timezone.now())

        assert names(browser.get(f"{LIST}?state=ready")) == ["was-degraded"]

    def test_each_filter_can_be_taken_away_alone(self, browser, some):
        seen = text(browser.get(f"{LIST}?q=e&kind=gke&state=degraded"))

        assert 'href="/o/acme/clusters/?q=e&amp;state=degraded">Kind: Google GKE' in seen
        assert 'href="/o/acme/clusters/?q=e&amp;kind=gke">State: Degraded' in seen
        assert "1 of 4 clusters" in seen

    def test_nothing_found_says_what_was_looked_for(self, browser, some):
        seen = text(browser.get(f"{LIST}?q=zzz&kind=eks"))

        assert "No cluster matches" in seen
        assert "Nothing holds “zzz” with these filters." in seen


class TestPaging:
    def test_every_cluster_is_on_one_of_the_pages(self, browser, make):
        for number in range(listing.PAGE * 2 + 1):
            make(f"c-{number:03}")

        seen, url, sizes = [], LIST, []
        while url:
            page = browser.get(url)
            seen += names(page)
            sizes.append(len(names(page)))
            more = page.context["more"]
            url = f"{LIST}{more}" if more else ""

        assert sizes == [50, 50, 1]
        assert seen == [f"c-{number:03}" for number in range(101)]

    def test_the_link_works_without_javascript_and_keeps_the_filter(self, browser, make):
        for number in range(listing.PAGE + 1):
            make(f"c-{number:03}", kind="eks")

        seen = text(browser.get(f"{LIST}?kind=eks"))

        assert 'href="?kind=eks&amp;after=c-049"' in seen
        assert names(browser.get(f"{LIST}?kind=eks&after=c-049")) == ["c-050"]

    def test_htmx_is_given_the_rows_and_the_foot_alone(self, browser, make):
        for number in range(listing.PAGE + 1):
            make(f"c-{number:03}")

        part = text(browser.get(f"{LIST}?after=c-049", headers={"HX-Request": "true"}))

        assert names(browser.get(f"{LIST}?after=c-049", headers={"HX-Request": "true"})) == ["c-050"]
        assert "<thead" not in part
        assert 'id="clusters-foot" hx-swap-oob="true"' in part

    @pytest.mark.parametrize("after", ["%00", "zzzz", "%F0%9F"])
    def test_an_odd_cursor_breaks_nothing(self, browser, make, after):
        make("prod")

        assert browser.get(f"{LIST}?after={after}").status_code == 200


@pytest.mark.parametrize("asked", ["", "?q=c-&state=ready", "?kind=kubeconfig&after=c-000"])
def test_five_and_five_hundred_take_the_same_queries(browser, organization, asked):
    def fill(first: int, last: int) -> None:
        for number in range(first, last):
            cluster = factories.make_cluster(organization=organization, name=f"c-{number:03}")
            if number < 60:
                add_services(cluster, 2)
                Deploy.objects.create(cluster=cluster, number=1)
                add_health(cluster, "ready")

    fill(0, 5)
    browser.get(LIST)
    few = queries(browser, f"{LIST}{asked}")
    fill(5, 500)

    assert queries(browser, f"{LIST}{asked}") == few
