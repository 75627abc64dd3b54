"""The usage of an access: a tree with links, searchable, with states, fast."""

import re
import time

import pytest
from django.utils import timezone

from external_secrets.models import ExternalSecret
from tests import factories

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture
def show(sign_in, url):
    address = url("usage", cluster="prod", access="aws")

    def act(user, query=None, headers=None):
        return sign_in(user).get(address, query or {}, headers=headers or {}).content.decode()

    return act


@pytest.fixture
def link(service, access):
    return factories.make_link(
        service=service, access=access, key="prod/db", variable="DB_PASSWORD", json_field="password", status="failed",
        status_reason="There is no secret named prod/db in aws.",
    )  # fmt: skip


def variables(text):
    return re.findall(r'<a class="name mono"[^>]*>([^<]*)</a>', text)


class TestTree:
    def test_every_node_leads_to_its_page(self, show, devops, access, service, link):
        text = show(devops)

        service_url = f"/o/acme/clusters/prod/services/{service.pk}/"
        nodes = [
            'href="/o/acme/clusters/prod/">prod</a>',
            'href="/o/acme/clusters/prod/services/?namespace=shop">shop</a>',
            f'href="{service_url}">api</a>',
            f'href="{service_url}#link-{link.pk}">DB_PASSWORD</a>',
            f'href="/o/acme/secrets/show/?access={access.pk}&amp;name=prod%2Fdb">prod/db</a>',
        ]
        assert [text.find(node) > 0 for node in nodes] == [True] * 5
        assert [text.find(node) for node in nodes] == sorted(text.find(node) for node in nodes)
        assert "field password" in text
        assert '<span class="badge t-bad">Failed</span>' in text
        assert "There is no secret named prod/db in aws." in text

    def test_who_may_not_browse_or_move_gets_no_link_to_it(self, show, viewer, access, link):
        text = show(viewer)

        assert '<span class="secret-name">prod/db</span>' in text
        assert "/secrets/show/" not in text
        assert "/move/" not in text
        assert 'aria-disabled="true"' in text

    def test_a_reference_leads_to_the_name_that_it_belongs_to(self, show, devops, access, service):
        arns = [
            f"arn:aws:secretsmanager:eu-west-3:123456789012:secret:{name}-AbCdEf" for name in ("known", "not")
        ]
        for arn in arns:
            factories.make_link(service=service, access=access, key=arn)
        factories.make_entry(access, "known", reference=arns[0])

        text = show(devops)

        assert f'&amp;name=known">{arns[0]}</a>' in text
        assert f'<span class="secret-name">{arns[1]}</span>' in text

    def test_counts_are_of_all_and_services_of_one_name_are_told_apart(self, show, viewer, access, cluster):
        for kind, count in (("CronJob", 1), ("Deployment", 2)):
            service = factories.make_service(cluster=cluster, name="api", kind=kind)
            for _ in range(count):
                factories.make_link(service=service, access=access)

        text = show(viewer)

        assert "Namespace · 3 secrets" in text
        assert text.index("CronJob · 1 secret<") < text.index("Deployment · 2 secrets")

    def test_links_of_other_accesses_are_not_here(self, show, viewer, access, cluster, service, link):
        other = factories.make_access(cluster=cluster, name="other")
        factories.make_link(service=service, access=other, variable="OTHER")

        assert variables(show(viewer)) == ["DB_PASSWORD"]

    def test_a_service_that_is_gone_says_so(self, show, viewer, access, service, link):
        type(service).objects.filter(pk=service.pk).update(gone_at=timezone.now())

        assert '<span class="badge t-bad">Gone</span>' in show(viewer)


class TestWideAndSeveral:
    """What is no variable of one service."""

    def test_what_is_for_a_namespace_stands_before_its_services(self, show, devops, access, link):
        wide = factories.make_link(
            service=None, namespace="shop", access=access, variable="WIDE", container=""
        )

        text = show(devops)

        assert variables(text) == ["WIDE", "DB_PASSWORD"]
        assert f'href="/o/acme/clusters/prod/namespaces/shop/#link-{wide.pk}">WIDE</a>' in text
        assert "Every service of shop" in text
        assert "Whole namespace · 1 secret<" in text
        assert "every container" in text

    def test_counts_of_two_namespaces_are_not_mixed(self, show, viewer, access):
        for namespace, count in (("shop", 1), ("billing", 3)):
            for number in range(count):
                factories.make_link(service=None, namespace=namespace, access=access, variable=f"V{number}")

        text = show(viewer)

        assert "Whole namespace · 1 secret<" in text
        assert "Whole namespace · 3 secrets" in text

    def test_files_aliases_and_several_values(self, show, devops, access, service):
        first = factories.make_link(service=service, access=access, variable="FIRST", key="prod/db")
        factories.make_link(service=service, access=access, variable="SECOND", key="prod/db", alias_of=first)
        factories.make_link(
            service=service, access=access, variable="", target="file", path="/etc/app/db.json", key="prod/db"
        )
        factories.make_link(
            service=service,
            access=access,
            variable="APP_",
            takes="path",
            key="prod/app/",
            seen_keys=["A", "B", "C", "D"],
        )
        factories.make_link(
            service=service, access=access, variable="", takes="tags", key="", tags={"stage": "prod"}
        )

        text = show(devops)

        assert set(variables(text)) == {"FIRST", "SECOND", "/etc/app/db.json", "APP_*", "*"}
        assert "another name for FIRST" in text
        assert "a variable for each value: A, B, C and 1 more" in text
        assert f"/o/acme/secrets/?access={access.pk}&amp;q=prod%2Fapp%2F" in text
        assert f"/o/acme/secrets/?access={access.pk}&amp;tag=stage%3Dprod" in text


class TestSearch:
    @pytest.fixture
    def links(self, access, cluster):
        rows = [
            ("shop", "api", "web", "DB", "prod/a", ""),
            ("shop", "worker", "loop", "TOKEN", "prod/b", "nested.needle"),
            ("billing", "api", "web", "KEY", "prod/c", ""),
        ]
        for namespace, name, container, variable, key, field in rows:
            containers = [{"name": container, "image": "x", "env": [], "mounts": []}]
            service = factories.make_service(
                cluster=cluster, namespace=namespace, name=name, containers=containers
            )
            factories.make_link(
                service=service,
                access=access,
                container=container,
                variable=variable,
                key=key,
                json_field=field,
            )

    @pytest.mark.parametrize(
        ("typed", "found"),
        [
            ("billing", ["KEY"]), ("worker", ["TOKEN"]), ("web", ["KEY", "DB"]), ("token", ["TOKEN"]),
            ("PROD/A", ["DB"]), ("nested", ["TOKEN"]), ("%", []), ("\x00", ["KEY", "DB", "TOKEN"]),
        ],
    )  # fmt: skip
    def test_every_part_is_searched(self, show, viewer, links, typed, found):
        assert variables(show(viewer, {"q": typed})) == found

    def test_it_says_how_many_of_how_many(self, show, viewer, links):
        text = show(viewer, {"q": "shop"}, HTMX)

        assert '<span role="status">2 of 3 secrets</span>' in text
        assert "Namespace · 2 secrets" in text
        assert "<html" not in text


class TestNothing:
    def test_no_match(self, show, viewer, link):
        text = show(viewer, {"q": "<zzz>"})

        assert "No match" in text
        assert "holds “&lt;zzz&gt;”" in text
        assert "Clear filter" in text

    def test_nothing_linked_leads_to_browsing(self, show, devops, viewer, access, service):
        assert f"/o/acme/secrets/?access={access.pk}" in show(devops)
        assert "1 service of shop may use it" in show(viewer)
        assert "Linking needs the role Owner or Admin or DevOps" in show(viewer)

    def test_nothing_that_could_use_it_leads_to_the_services(self, show, viewer, access):
        text = show(viewer)

        assert "There is nothing that could use it" in text
        assert 'href="/o/acme/clusters/prod/services/">Services of prod' in text


class TestMany:
    @pytest.fixture
    def many(self, access, cluster):
        services = [factories.make_service(cluster=cluster, name=f"s{number:03}") for number in range(50)]
        ExternalSecret.objects.bulk_create(
            ExternalSecret(
                cluster=cluster, namespace="shop", service=services[number % 50], access=access, key=f"prod/{number}", container="web",
                variable=f"V{number:03}",
            )
            for number in range(500)
        )  # fmt: skip

    def test_the_number_of_queries_does_not_grow(
        self, sign_in, devops, url, many, django_assert_max_num_queries
    ):
        browser = sign_in(devops)

        with django_assert_max_num_queries(10):
            browser.get(url("usage", cluster="prod", access="aws"), {"show": "1000"})

    def test_five_hundred_are_shown_in_parts_that_stay_one_tree(self, show, viewer, many):
        first = show(viewer)
        more = re.search(r'id="more" href="\?show=(\d+)"', first)[1]
        second = show(viewer, {"show": more}, HTMX)

        assert len(variables(first)) == 200
        assert "The first 200 of 500 secrets" in first
        assert len(variables(second)) == 400
        assert variables(second)[:200] == variables(first)
        assert "Namespace · 500 secrets" in first

    def test_all_at_once_are_quick(self, show, viewer, many):
        show(viewer)
        began = time.monotonic()

        text = show(viewer, {"show": "600"})

        assert len(variables(text)) == 500
        assert 'id="more"' not in text
        assert time.monotonic() - began < 2

    @pytest.mark.parametrize("asked", ["", "0", "-1", "x", "9" * 30, "²"])
    def test_a_broken_bound_is_harmless(self, show, viewer, link, asked):
        assert variables(show(viewer, {"show": asked})) == ["DB_PASSWORD"]
