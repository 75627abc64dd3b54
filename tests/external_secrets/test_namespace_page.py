"""What a service gets and what wins over what; what a namespace gives, and to whom."""

import re

import pytest

from tests import factories

pytestmark = pytest.mark.django_db


def text_of(response):
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


@pytest.fixture
def wide(access):
    def make(variable, **fields):
        return factories.make_link(
            service=None, namespace="shop", container="", access=access, variable=variable, **fields
        )

    return make


class TestService:
    @pytest.fixture
    def show(self, sign_in, url, service, viewer):
        return lambda user=viewer: sign_in(user).get(url("service", cluster="prod", service=service.pk))

    def test_the_narrower_link_wins_and_the_other_is_shown(self, show, service, access, wide):
        factories.make_link(service=service, access=access, variable="DB", key="prod/narrow")
        wide("DB", key="prod/wide")

        text = text_of(show())

        assert "Linked: prod/narrow" in text
        assert "Shadowed: prod/narrow of shop/api, container web wins." in text

    def test_what_the_workload_sets_itself_wins_over_its_namespace(self, show, wide):
        wide("LOG_LEVEL", key="prod/level")

        assert "Shadowed: The workload sets it itself." in text_of(show())

    def test_files_mounts_and_other_names(self, show, service, access):
        service.containers[0]["mounts"] = [{"path": "/etc/nginx", "source": "config map nginx"}]
        service.save()
        link = factories.make_link(
            service=service, access=access, variable="DB_FILE", target="both", path="/vault/secrets/db"
        )
        factories.make_link(service=service, access=access, variable="ALSO", key=link.key)

        text = text_of(show())

        assert "/vault/secrets/db" in text
        assert "the path of /vault/secrets/db" in text
        assert "mounted by the workload: config map nginx" in text

    def test_every_container_shows_what_is_for_all(self, show, service, access):
        service.containers.append({"name": "proxy", "image": "x", "env": [], "mounts": []})
        service.save()
        factories.make_link(service=service, access=access, container="", variable="ALL", key="prod/all")

        text = text_of(show())

        assert text.count("Linked: prod/all") == 2

    def test_what_it_costs(self, show, service, access):
        factories.make_link(service=service, access=access, refresh_seconds=300)
        factories.make_link(service=service, access=access, refresh_seconds=3600)

        assert "9,360 calls a month" in text_of(show())

    def test_actions_are_for_those_who_may(self, show, devops, viewer, service, access, url):
        link = factories.make_link(service=service, access=access)
        pages = [url("edit", link=link.pk), url("unlink", link=link.pk), f"{url('link')}?alias_of={link.pk}"]

        assert all(page in show(devops).content.decode() for page in pages)
        assert not any(page in show(viewer).content.decode() for page in pages)

    def test_the_number_of_queries_does_not_grow(
        self, show, service, access, wide, django_assert_max_num_queries
    ):
        for number in range(30):
            link = factories.make_link(service=service, access=access)
            factories.make_link(service=service, access=access, alias_of=link)
            wide(f"W{number}")

        # Signing in is among them.
        with django_assert_max_num_queries(26):
            show()


class TestNamespace:
    @pytest.fixture
    def show(self, sign_in, url, viewer):
        def act(user=viewer, namespace="shop", cluster="prod"):
            return sign_in(user).get(url("namespace", cluster=cluster, namespace=namespace))

        return act

    def test_it_says_who_gets_what(self, show, service, cluster, access, wide):
        factories.make_service(cluster=cluster, name="worker")
        wide("LOG_LEVEL", key="prod/level")
        wide("DB", key="prod/db")

        text = text_of(show())

        assert "LOG_LEVEL 1 service gets it; api has something narrower" in text
        assert "DB 2 services get it" in text

    def test_links_of_services_are_not_its_own(self, show, service, access):
        factories.make_link(service=service, access=access, variable="NARROW", key="prod/narrow")

        text = text_of(show())

        assert "prod/narrow" not in text
        assert "Nothing is linked for the whole namespace" in text

    def test_one_without_an_access_says_so(self, show, cluster):
        factories.make_service(cluster=cluster, namespace="jobs")

        assert "No secret manager access is open to jobs" in text_of(show(namespace="jobs"))

    def test_it_leads_to_a_link_for_it(self, show, devops, access, service):
        assert f"?access={access.pk}&amp;namespace=shop" in show(devops).content.decode()

    def test_one_that_is_not_there(self, show, access):
        assert show(namespace="nowhere").status_code == 404
        assert show(cluster="nope").status_code == 404

    def test_outsiders(self, sign_in, outsider, url, access):
        assert sign_in(outsider).get(url("namespace", cluster="prod", namespace="shop")).status_code == 404
