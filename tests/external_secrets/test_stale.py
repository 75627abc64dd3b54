"""Somebody was faster: what another connection did while a page was open, or a request waited, never breaks a link."""

import threading
import time

import pytest
from django.db import connection, transaction

from accesses import variants
from accesses.models import StoreVariant
from accounts.models import AuditEvent
from clusters import services as cluster_services
from external_secrets import batches, moving, services
from external_secrets.models import ExternalSecret
from tests import factories

ROLE = "arn:aws:iam::123456789012:role/billing"


@pytest.fixture
def other(cluster):
    return factories.make_access(cluster=cluster, name="other", namespaces=["shop", "jobs"])


@pytest.fixture
def original(service, access):
    return factories.make_link(service=service, access=access, key="prod/db", variable="DB")


def seen(link):
    return ExternalSecret.objects.get(pk=link.pk)


def values(variable="OTHER", **more):
    return {"key": "prod/x", "variable": variable} | more


def alias(original, service, by, variable="ALIAS"):
    place = services.Place.of(service, "web")
    access = original.access
    return services.link(access=access, place=place, by=by, values={"variable": variable}, alias_of=original)


def change(link, by, **changed):
    now = seen(link)
    common = {"access": now.access, "place": services.Place.of_link(now), "values": {}}
    return services.change(link=now, by=by, seen_version=now.updated_at.isoformat(), **(common | changed))


@pytest.mark.django_db
class TestAStaleOriginal:
    def test_another_name_takes_what_it_takes_now(self, original, other, service, devops):
        stale = seen(original)
        moving.move(source=original.access, target=other, by=devops)

        made = alias(stale, service, devops)

        assert (made.access_id, seen(made).access_id) == (other.pk, other.pk)

    def test_one_that_was_unlinked_has_no_other_name(self, original, service, devops):
        stale = seen(original)
        services.unlink(link=original, by=devops)

        with pytest.raises(services.NotAllowed, match="unlinked"):
            alias(stale, service, devops)

        assert not ExternalSecret.objects.exists()

    def test_one_that_moved_away_has_none_where_it_was(self, original, other, service, cluster, devops):
        stale = seen(original)
        moving.move(source=original.access, target=other, by=devops)
        worker = factories.make_service(cluster=cluster, namespace="jobs", name="worker")
        batches.move_to(links=[original], place=services.Place.of(worker, "web"), by=devops)

        with pytest.raises(services.NotAllowed, match="jobs"):
            alias(stale, service, devops)

    def test_one_that_is_an_alias_itself_by_now(self, original, service, devops):
        made = alias(original, service, devops)

        with pytest.raises(services.NotAllowed, match="no other name"):
            alias(made, service, devops, "SECOND")


@pytest.mark.django_db
class TestUnlinkingTwice:
    def test_it_is_told_once(self, original, devops):
        stale = seen(original)
        services.unlink(link=original, by=devops)

        services.unlink(link=stale, by=devops)

        assert AuditEvent.objects.filter(action="external_secret.unlinked").count() == 1

    def test_the_store_of_where_it_was_moved_to_goes_too(self, service, access, other, devops):
        made = services.link(
            access=access,
            place=services.Place.of(service, "web"),
            by=devops,
            values=values(),
            overrides={"region": "us-east-1"},
        )
        stale = seen(made)
        moving.move(source=access, target=other, by=devops)
        assert StoreVariant.objects.get().access == other

        services.unlink(link=stale, by=devops)

        assert not StoreVariant.objects.exists()


@pytest.mark.django_db
class TestElsewhere:
    def test_a_link_stays_on_its_cluster(self, original, organization, devops):
        cluster = factories.make_cluster(organization=organization, name="stage")
        access = factories.make_access(cluster=cluster, namespaces=["shop"])
        place = services.Place.of(factories.make_service(cluster=cluster), "web")

        with pytest.raises(services.NotAllowed, match="stays on"):
            change(original, devops, access=access, place=place)

        assert seen(original).cluster_id == original.cluster_id

    def test_and_so_in_its_organization(self, original, devops):
        access = factories.make_access()
        place = services.Place.of(factories.make_service(cluster=access.cluster), "web")

        with pytest.raises(services.NotAllowed):
            change(original, devops, access=access, place=place)

    def test_another_access_has_a_store_of_its_own_for_what_is_overridden(
        self, service, access, other, devops
    ):
        made = services.link(
            access=access,
            place=services.Place.of(service, "web"),
            by=devops,
            values=values(),
            overrides={"region": "us-east-1"},
        )

        change(made, devops, access=other)

        now = seen(made)
        assert (now.access_id, now.variant.access_id, now.variant.region) == (other.pk, other.pk, "us-east-1")
        assert not access.variants.exists()

    def test_another_name_is_never_a_service_of_another_namespace(self, original, cluster, devops):
        worker = factories.make_service(cluster=cluster, namespace="jobs", name="worker")

        with pytest.raises(services.NotAllowed):
            alias(original, worker, devops)

    def test_a_service_of_another_namespace_than_the_place_is_refused(self, access, cluster, devops):
        worker = factories.make_service(cluster=cluster, namespace="jobs", name="worker")

        with pytest.raises(services.NotAllowed):
            services.link(
                access=access,
                place=services.Place(cluster, "shop", worker, "web"),
                by=devops,
                values=values(),
            )

    def test_a_service_of_another_cluster_is_refused(self, access, cluster, devops):
        foreign = factories.make_service()

        with pytest.raises(services.NotAllowed):
            services.link(
                access=access,
                place=services.Place(cluster, "shop", foreign, "web"),
                by=devops,
                values=values(),
            )


def race(first, second):
    """Let `first` hold the cluster in a transaction of its own until `second` waits for it; return what each raised."""
    raised = {}
    held, done = threading.Event(), threading.Event()

    def run(name, act):
        try:
            act()
        except Exception as error:
            raised[name] = error
        finally:
            connection.close()

    def begin():
        with transaction.atomic():
            first()
            held.set()
            done.wait(0.4)

    def follow():
        held.wait(5)
        second()

    threads = [
        threading.Thread(target=run, args=("first", begin)),
        threading.Thread(target=run, args=("second", follow)),
    ]
    for thread in threads:
        thread.start()
    time.sleep(0)
    for thread in threads:
        thread.join(20)
    return raised


def whole():
    """Tell whether every link is where its original and its store are."""
    links = ExternalSecret.objects.select_related("alias_of", "variant")
    return all(
        (link.variant is None or link.variant.access_id == link.access_id)
        and (
            link.alias_of is None
            or (link.alias_of.access_id, link.alias_of.namespace, link.alias_of.variant_id)
            == (link.access_id, link.namespace, link.variant_id)
        )
        for link in links
    )


@pytest.mark.django_db(transaction=True)
class TestTwoConnections:
    def test_two_links_of_one_slot(self, access, service, devops):
        place = services.Place.of(service, "web")

        def act():
            services.link(access=access, place=place, by=devops, values=values("SAME"))

        raised = race(act, act)

        assert isinstance(raised.pop("second"), services.Clash)
        assert (raised, ExternalSecret.objects.count()) == ({}, 1)

    def test_two_lists_of_one_slot(self, access, service, devops):
        place = services.Place.of(service, "web")

        def act():
            batches.link_many(access=access, place=place, by=devops, lines=[values("A"), values("B")])

        raised = race(act, act)

        assert isinstance(raised.pop("second"), batches.Refused)
        assert (raised, ExternalSecret.objects.count()) == ({}, 2)

    def test_another_name_while_it_is_unlinked(self, original, service, devops):
        stale = seen(original)

        raised = race(
            lambda: services.unlink(link=original, by=devops), lambda: alias(stale, service, devops)
        )

        assert isinstance(raised.pop("second"), services.NotAllowed)
        assert (raised, ExternalSecret.objects.count()) == ({}, 0)

    def test_unlinked_while_it_gets_another_name(self, original, service, devops):
        stale = seen(original)

        raised = race(
            lambda: alias(original, service, devops), lambda: services.unlink(link=stale, by=devops)
        )

        assert (raised, ExternalSecret.objects.count()) == ({}, 0)
        told = AuditEvent.objects.get(action="external_secret.unlinked")
        assert "ALIAS" in told.details["aliases"]

    def test_another_name_while_it_moves_to_another_access(self, original, other, service, devops):
        stale = seen(original)

        raised = race(
            lambda: moving.move(source=original.access, target=other, by=devops),
            lambda: alias(stale, service, devops),
        )

        assert raised == {}
        assert whole()
        assert ExternalSecret.objects.filter(access=other).count() == 2

    def test_changed_while_it_is_unlinked(self, original, devops):
        stale = seen(original)

        raised = race(
            lambda: services.unlink(link=original, by=devops),
            lambda: services.change(
                link=stale,
                access=stale.access,
                place=services.Place.of_link(stale),
                values={"key": "prod/y"},
                by=devops,
                seen_version=stale.updated_at.isoformat(),
            ),
        )

        assert isinstance(raised["second"], services.Changed)
        assert not ExternalSecret.objects.exists()

    def test_changed_while_it_moves_to_another_access(self, original, other, devops):
        stale = seen(original)

        raised = race(
            lambda: moving.move(source=original.access, target=other, by=devops),
            lambda: services.change(
                link=stale,
                access=stale.access,
                place=services.Place.of_link(stale),
                values={},
                by=devops,
                overrides={"region": "us-east-1"},
                seen_version=stale.updated_at.isoformat(),
            ),
        )

        assert isinstance(raised["second"], services.Changed)
        assert whole()

    def test_a_store_is_used_anew_while_its_last_link_goes(self, access, service, devops):
        elsewhere = {"region": "us-east-1", "role_arn": ROLE}
        place = services.Place.of(service, "web")
        last = services.link(access=access, place=place, by=devops, values=values("A"), overrides=elsewhere)

        raised = race(
            lambda: services.unlink(link=last, by=devops),
            lambda: services.link(
                access=access, place=place, by=devops, values=values("B"), overrides=elsewhere
            ),
        )

        assert raised == {}
        assert variants.of(ExternalSecret.objects.get().variant) == elsewhere

    def test_linked_while_its_access_is_deleted(self, access, service, devops):
        from accesses import services as access_services

        place = services.Place.of(service, "web")

        raised = race(
            lambda: access_services.delete(access=access, by=devops),
            lambda: services.link(access=access, place=place, by=devops, values=values()),
        )

        assert isinstance(raised["second"], services.NotAllowed)
        assert not ExternalSecret.objects.exists()

    def test_linked_while_the_cluster_is_removed(self, access, service, cluster, devops):
        place = services.Place.of(service, "web")

        def remove():
            cluster_services.disconnect(cluster=cluster, by=devops)

        raised = race(remove, lambda: services.link(access=access, place=place, by=devops, values=values()))

        assert isinstance(raised["second"], services.NotAllowed), raised
        assert not ExternalSecret.objects.exists()
