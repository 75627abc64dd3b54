"""The list of links and the page of a service."""

import datetime
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from external_secrets.models import ExternalSecret
from tests import factories

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


def shown(response):
    return re.findall(r'<a class="name mono"[^>]*>([^<]*)</a>', response.content.decode())


class TestLinked:
    @pytest.fixture
    def linked(self, sign_in, viewer, url):
        client = sign_in(viewer)
        return lambda query=None, headers=None: client.get(url("linked"), query or {}, headers=headers or {})

    def test_a_viewer_sees_the_links_of_the_organization_only(self, linked, service, access):
        factories.make_link(service=service, access=access, variable="OURS", key="prod/ours")
        factories.make_link(variable="THEIRS")

        response = linked()

        assert shown(response) == ["OURS"]
        assert "prod/ours" in response.content.decode()
        assert "/secrets/?" not in response.content.decode()

    def test_filters_are_in_the_url(self, linked, organization, service, access):
        factories.make_link(service=service, access=access, variable="A", key="prod/needle", status="failed")
        factories.make_link(service=service, access=access, variable="B", key="prod/hay", status="in sync")
        other = factories.make_cluster(organization=organization, name="other")
        factories.make_link(
            service=factories.make_service(cluster=other, name="needle-service"),
            variable="C",
            status="in sync",
        )

        assert shown(linked({"q": "needle"})) == ["A", "C"]
        assert shown(linked({"status": "failed"})) == ["A"]
        assert shown(linked({"cluster": "other"})) == ["C"]
        assert shown(linked({"q": "needle", "status": "in sync", "cluster": "other"})) == ["C"]
        assert shown(linked({"status": "nonsense", "cluster": "nonsense"})) == ["A", "B", "C"]

    def test_filters_by_access_scope_and_kind(self, linked, cluster, service, access):
        other = factories.make_access(cluster=cluster, name="other")
        one = factories.make_link(service=service, access=access, variable="A")
        factories.make_link(service=service, access=other, variable="B", alias_of=one)
        factories.make_link(service=None, namespace="shop", access=access, variable="C")
        factories.make_link(service=service, access=access, variable="", target="file", path="/d")
        factories.make_link(service=service, access=access, variable="E_", takes="keys")

        assert shown(linked()) == ["/d", "A", "B", "C", "E_*"]
        assert shown(linked({"access": other.pk})) == ["B"]
        assert shown(linked({"scope": "namespace"})) == ["C"]
        assert shown(linked({"scope": "service", "kind": "variable"})) == ["A", "B"]
        assert [shown(linked({"kind": kind})) for kind in ("file", "several", "alias")] == [
            ["/d"],
            ["E_*"],
            ["B"],
        ]
        assert len(shown(linked({"access": factories.make_access().pk, "kind": "x", "scope": "\x00"}))) == 5

    def test_a_secret_leads_to_its_page_for_who_may_browse(
        self, linked, sign_in, devops, url, service, access
    ):
        factories.make_link(service=service, access=access, key="prod/db")

        address = f"/o/acme/secrets/show/?access={access.pk}&amp;name=prod%2Fdb"

        assert address not in linked().content.decode()
        assert address in sign_in(devops).get(url("linked")).content.decode()

    def test_a_thousand_links_take_as_many_queries_as_ten(self, linked, cluster, service, access):
        def make(first, last):
            ExternalSecret.objects.bulk_create(
                ExternalSecret(
                    cluster=cluster, namespace="shop", service=service if number % 2 else None, access=access,
                    key=f"prod/{number}", variable=f"V{number:04}", container="web",
                )
                for number in range(first, last)
            )  # fmt: skip

        def queries():
            with CaptureQueriesContext(connection) as caught:
                assert linked().status_code == 200
            return len(caught)

        make(0, 10)
        # The first request of five minutes notes that the member is there.
        queries()
        few = queries()
        make(10, 1000)

        assert queries() == few

    def test_no_match_and_nothing_yet_are_different(self, linked, service, access):
        assert "No linked secrets yet" in linked().content.decode()
        factories.make_link(service=service, access=access)

        text = linked({"q": "zzz"}).content.decode()

        assert "No linked secret matches" in text
        assert "Clear filters" in text

    def test_pages_have_no_gap_when_variables_are_equal(self, linked, cluster, access):
        for number in range(60):
            service = factories.make_service(cluster=cluster, name=f"s{number}")
            for variable in ("SAME", f"V{number:02}"):
                factories.make_link(service=service, access=access, variable=variable)
        response = linked()
        seen = shown(response)
        while found := re.search(r'id="more" href="\?([^"]*)"', response.content.decode()):
            after = dict(pair.split("=", 1) for pair in found[1].split("&amp;"))["after"].replace("%3A", ":")
            response = linked({"after": after}, HTMX)
            seen += shown(response)

        assert len(seen) == 120
        assert seen.count("SAME") == 60
        assert "<html" not in response.content.decode()

    @pytest.mark.parametrize("after", ["", ":", "A", "A:nonsense", "\x00:1", "A:" + "0" * 32])
    def test_broken_cursors_are_harmless(self, linked, service, access, after):
        factories.make_link(service=service, access=access, variable="B")

        assert shown(linked({"after": after})) == ["B"]

    def test_the_number_of_queries_does_not_grow(
        self, linked, service, access, django_assert_max_num_queries
    ):
        for _ in range(40):
            factories.make_link(service=service, access=access)

        with django_assert_max_num_queries(9):
            linked()


class TestService:
    @pytest.fixture
    def show(self, sign_in, url, service):
        return lambda user: sign_in(user).get(url("service", cluster="prod", service=service.pk))

    def test_variables_say_where_they_come_from(self, show, viewer, service, access):
        service.containers[0]["env"].append({"name": "DB", "source": "secret db-1/DB"})
        service.save()
        factories.make_link(service=service, access=access, variable="DB", key="prod/db")
        factories.make_link(service=service, access=access, variable="NEW", key="prod/new")

        text = show(viewer).content.decode()

        assert "secret legacy/api-key" in text
        assert "Linked: prod/db" in text
        assert 'Linked: prod/new</a> <span class="tag">with the next deploy' in text
        assert "secret db-1/DB" not in text

    def test_a_failed_link_says_why_and_what_to_do(self, show, viewer, service, access):
        factories.make_link(
            service=service,
            access=access,
            status=ExternalSecret.Status.FAILED,
            status_reason="There is no secret named prod/db in aws.",
            status_remedy="Create it again.",
        )

        text = show(viewer).content.decode()

        assert "There is no secret named prod/db in aws." in text
        assert "Create it again." in text

    def test_the_next_refresh_is_counted_from_the_last_sync(self, show, viewer, service, access):
        at = timezone.now().replace(hour=9, minute=30, second=0)
        factories.make_link(
            service=service, access=access, status="in sync", synced_at=at, refresh_seconds=3600
        )

        assert (at + datetime.timedelta(hours=1)).strftime("%H:%M UTC") in show(viewer).content.decode()

    def test_only_those_who_may_can_link_and_unlink(self, show, viewer, devops, service, access):
        factories.make_link(service=service, access=access)

        assert "Unlink…" not in show(viewer).content.decode()
        assert "Unlink…" in show(devops).content.decode()
        assert f"/secrets/?service={service.pk}" in show(devops).content.decode()

    def test_the_banner_is_gone_once_everything_is_deployed(self, show, viewer, cluster):
        cluster.generation = 1
        cluster.save()
        assert 'id="deploy-banner"' in show(viewer).content.decode()
        cluster.deployed_generation = cluster.generation
        cluster.save()

        assert 'id="deploy-banner"' not in show(viewer).content.decode()

    def test_a_service_that_is_gone_says_so(self, show, viewer, service):
        service.gone_at = timezone.now()
        service.save()

        assert "This service is gone from prod" in show(viewer).content.decode()

    def test_another_clusters_address_does_not_lead_to_it(self, sign_in, viewer, url, organization, service):
        factories.make_cluster(organization=organization, name="other")

        assert sign_in(viewer).get(url("service", cluster="other", service=service.pk)).status_code == 404
        theirs = factories.make_service()
        response = sign_in(viewer).get(url("service", cluster=theirs.cluster.name, service=theirs.pk))
        assert response.status_code == 404
