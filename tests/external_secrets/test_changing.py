"""Changing links, giving values other names, linking a list, moving links to other services."""

import pytest

from accesses.models import StoreVariant
from accounts.models import AuditEvent
from clusters.models import Cluster
from external_secrets import batches, services
from external_secrets.models import ExternalSecret
from external_secrets.placing import Place
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def link(service, access):
    return factories.make_link(
        service=service, access=access, key="prod/db", variable="DB", status="in sync", json_field="password"
    )


@pytest.fixture
def change(link, access, service, devops):
    """Return a function that changes the link as somebody who saw it as it is."""

    def act(place=None, seen=None, by=devops, overrides=None, **values):
        kept = {name: getattr(link, name) for name in ("takes", "key", "json_field", "variable", "target")}
        return services.change(
            link=link,
            access=access,
            place=place or Place.of(service, "web"),
            values=kept | values,
            seen_version=seen or link.updated_at.isoformat(),
            overrides=overrides,
            by=by,
        )

    return act


def generation():
    return Cluster.objects.get().generation


class TestChanging:
    def test_what_differs_is_written_and_told_as_it_was(self, change, link):
        before = generation()

        change(variable="PASSWORD", refresh_seconds=300)

        link.refresh_from_db()
        assert (link.variable, link.refresh_seconds, link.key) == ("PASSWORD", 300, "prod/db")
        event = AuditEvent.objects.get(action="external_secret.changed")
        assert event.details == {
            "changes": {"variable": ["DB", "PASSWORD"], "refresh_seconds": [3600, 300]},
            "cluster": "prod", "place": "shop/api",
        }  # fmt: skip
        assert generation() == before + 1

    def test_until_a_deploy_it_waits(self, change, link):
        change(variable="PASSWORD")

        link.refresh_from_db()
        assert (link.status, link.refused) == ("waiting", True)
        assert "Deploy prod." in link.status_remedy

    def test_one_that_was_never_deployed_still_was_not(self, change, link):
        ExternalSecret.objects.update(status="never deployed")

        change(variable="PASSWORD")

        link.refresh_from_db()
        assert link.status == "never deployed"

    def test_nothing_is_written_where_nothing_differs(self, change, link):
        before = generation(), link.updated_at

        change()

        link.refresh_from_db()
        assert (generation(), link.updated_at) == before
        assert not AuditEvent.objects.exists()

    def test_the_second_of_two_editors_is_told(self, change, link):
        seen = link.updated_at.isoformat()
        change(variable="PASSWORD")

        with pytest.raises(services.Changed, match="variable PASSWORD"):
            change(variable="SECRET", seen=seen)

        link.refresh_from_db()
        assert link.variable == "PASSWORD"

    def test_somebody_unlinked_it_meanwhile(self, change, link, devops):
        services.unlink(link=ExternalSecret.objects.get(), by=devops)

        with pytest.raises(services.Changed, match="unlinked"):
            change(variable="X")

    def test_it_can_become_a_file_and_a_variable_again(self, change, link):
        change(target="file", variable="", path="/vault/secrets/db", file_mode=0o400)
        link.refresh_from_db()
        assert (link.target, link.path, link.variable) == ("file", "/vault/secrets/db", "")

        change(target="variable", variable="DB", path="", seen=link.updated_at.isoformat())

        link.refresh_from_db()
        assert (link.target, link.path, link.variable) == ("variable", "", "DB")

    def test_what_the_container_has_is_in_the_way(self, change):
        with pytest.raises(services.Clash, match="LOG_LEVEL, from value"):
            change(variable="LOG_LEVEL")

    def test_another_service_moves_it(self, change, link, cluster):
        other = factories.make_service(cluster=cluster, name="worker")

        change(place=Place.of(other, "web"))

        link.refresh_from_db()
        assert (link.service, link.namespace) == (other, "shop")

    def test_a_namespace_that_is_shut(self, change, cluster):
        other = factories.make_service(cluster=cluster, namespace="jobs")

        with pytest.raises(services.NotAllowed, match="not open to the namespace jobs"):
            change(place=Place.of(other, "web"))

    def test_overrides_get_a_store_and_lose_it_again(self, change, link):
        change(overrides={"region": "us-east-1"})
        link.refresh_from_db()
        assert link.variant.region == "us-east-1"

        change(overrides={}, seen=link.updated_at.isoformat())

        link.refresh_from_db()
        assert link.variant is None
        assert not StoreVariant.objects.exists()


class TestAliases:
    @pytest.fixture
    def alias(self, link, access, service, devops):
        return services.link(
            access=access,
            place=Place.of(service, "web"),
            by=devops,
            values={"variable": "PGPASSWORD"},
            alias_of=link,
        )

    def test_it_takes_what_its_original_takes(self, alias, link):
        assert (alias.key, alias.json_field, alias.access) == ("prod/db", "password", link.access)
        assert alias.object_name == link.object_name

    def test_it_follows_a_change_of_its_original(self, alias, change):
        change(key="prod/other", json_field="")

        alias.refresh_from_db()
        assert (alias.key, alias.json_field) == ("prod/other", "")

    def test_it_stays_in_the_namespace(self, link, access, cluster, devops):
        access.namespaces = ["shop", "jobs"]
        access.save()
        elsewhere = factories.make_service(cluster=cluster, namespace="jobs")

        with pytest.raises(services.NotAllowed, match="stays in the namespace shop"):
            services.link(
                access=access,
                place=Place.of(elsewhere, "web"),
                by=devops,
                values={"variable": "A"},
                alias_of=link,
            )

    @pytest.mark.parametrize("takes", ["keys", "path"])
    def test_several_values_have_no_other_name(self, service, access, devops, takes):
        several = factories.make_link(service=service, access=access, takes=takes, key="prod")

        with pytest.raises(services.NotAllowed, match="not one value"):
            services.link(
                access=access,
                place=Place.of(service, "web"),
                by=devops,
                values={"variable": "A"},
                alias_of=several,
            )

    def test_an_original_with_aliases_stays_one_value_of_its_namespace(self, alias, change, access, cluster):
        access.namespaces = ["shop", "jobs"]
        access.save()
        elsewhere = factories.make_service(cluster=cluster, namespace="jobs")

        with pytest.raises(services.NotAllowed, match="PGPASSWORD"):
            change(place=Place.of(elsewhere, "web"))
        with pytest.raises(services.NotAllowed, match="PGPASSWORD"):
            change(takes="keys", json_field="", variable="DB_")

    def test_they_go_with_it_and_the_log_says_so(self, alias, link, devops):
        services.unlink(link=link, by=devops)

        assert not ExternalSecret.objects.exists()
        event = AuditEvent.objects.get(action="external_secret.unlinked")
        assert event.details["aliases"] == "PGPASSWORD of shop/api"


class TestManyAtOnce:
    def lines(self, *names):
        return [{"key": f"prod/{name.lower()}", "variable": name, "refresh_seconds": 900} for name in names]

    def test_all_are_linked_by_one_event(self, access, service, devops):
        made = batches.link_many(
            access=access, place=Place.of(service, "web"), by=devops, lines=self.lines("A", "B")
        )

        assert made == 2
        assert set(ExternalSecret.objects.values_list("variable", "key", "refresh_seconds")) == {
            ("A", "prod/a", 900), ("B", "prod/b", 900),
        }  # fmt: skip
        event = AuditEvent.objects.get(action="external_secret.linked_many")
        assert event.details["links"] == "A from prod/a, B from prod/b"

    def test_one_that_cannot_be_stops_all_and_is_named(self, access, service, devops):
        with pytest.raises(batches.Refused) as refused:
            batches.link_many(
                access=access,
                place=Place.of(service, "web"),
                by=devops,
                lines=self.lines("A", "LOG_LEVEL", "A"),
            )

        assert sorted(refused.value.errors) == [1, 2]
        assert "LOG_LEVEL, from value" in refused.value.errors[1]
        assert not ExternalSecret.objects.exists()
        assert not AuditEvent.objects.exists()

    def test_the_number_of_queries_does_not_grow(
        self, access, service, devops, django_assert_max_num_queries
    ):
        lines = self.lines(*(f"V{number}" for number in range(1000)))

        with django_assert_max_num_queries(17):
            batches.link_many(access=access, place=Place.of(service, "web"), by=devops, lines=lines)

        assert ExternalSecret.objects.count() == 1000


class TestMoving:
    @pytest.fixture
    def other(self, cluster):
        return factories.make_service(cluster=cluster, name="worker")

    def test_all_go_and_each_is_told_of(self, service, access, other, devops):
        links = [factories.make_link(service=service, access=access, status="in sync") for _ in range(2)]

        assert batches.move_to(links=links, place=Place.of(other, "web"), by=devops) == 2

        assert {link.service for link in ExternalSecret.objects.all()} == {other}
        assert {link.status for link in ExternalSecret.objects.all()} == {"waiting"}
        events = AuditEvent.objects.filter(action="external_secret.changed")
        assert [event.details["changes"]["place"][0] for event in events] == ["shop/api", "shop/api"]

    def test_one_in_the_way_stops_all(self, service, access, other, devops):
        links = [factories.make_link(service=service, access=access, variable=name) for name in ("A", "B")]
        factories.make_link(service=other, access=access, variable="B", key="prod/there")

        with pytest.raises(batches.Refused) as refused:
            batches.move_to(links=links, place=Place.of(other, "web"), by=devops)

        assert list(refused.value.errors.values()) == [
            "B: The container web already has B, from the secret prod/there, which is linked already."
        ]
        assert ExternalSecret.objects.filter(service=service).count() == 2

    def test_two_that_are_in_each_others_way(self, service, access, other, devops, cluster):
        third = factories.make_service(cluster=cluster, name="third")
        links = [factories.make_link(service=one, access=access, variable="A") for one in (service, third)]

        with pytest.raises(batches.Refused):
            batches.move_to(links=links, place=Place.of(other, "web"), by=devops)

    def test_an_alias_goes_with_its_original_only(self, service, access, cluster, devops):
        access.namespaces = ["shop", "jobs"]
        access.save()
        there = factories.make_service(cluster=cluster, namespace="jobs")
        original = factories.make_link(service=service, access=access)
        alias = factories.make_link(service=service, access=access, alias_of=original)

        for alone in ([original], [alias]):
            with pytest.raises(batches.Refused):
                batches.move_to(links=alone, place=Place.of(there, "web"), by=devops)

        assert batches.move_to(links=[original, alias], place=Place.of(there, "web"), by=devops) == 2

    def test_those_that_are_there_already_are_left(self, service, access, devops):
        link = factories.make_link(service=service, access=access)
        before = generation()

        assert batches.move_to(links=[link], place=Place.of(service, "web"), by=devops) == 0
        assert generation() == before
