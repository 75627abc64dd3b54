"""Moving links to another access: what stands in the way, what is warned of, what changes."""

import contextlib
import re
import threading

import pytest
from django.db import connection

from accesses import services as accesses
from accesses import variants
from accounts.models import AuditEvent
from external_secrets import moving, services
from external_secrets.models import ExternalSecret
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def other(cluster):
    return factories.make_access(cluster=cluster, name="aws-2", namespaces=["shop"])


@pytest.fixture
def parameters(cluster):
    return factories.make_access(
        cluster=cluster, name="ssm", provider="aws-parameter-store", namespaces=["shop"]
    )


@pytest.fixture
def link(service, access):
    return factories.make_link(
        service=service, access=access, key="prod/db", variable="DB", status="in sync", json_field="password"
    )


def judged(access, **chosen):
    found = moving.targets(access, ExternalSecret.objects.filter(access=access, **chosen))
    return {one.access.name: one for one in found}


class TestTargets:
    def test_others_of_the_cluster_only(self, access, other, organization, link):
        factories.make_access(cluster=factories.make_cluster(organization=organization), name="elsewhere")

        assert list(judged(access)) == ["aws-2"]

    def test_an_access_that_is_not_open_names_the_namespaces(self, access, other, link, cluster):
        for namespace in ("search", "billing"):
            factories.make_link(
                service=factories.make_service(cluster=cluster, namespace=namespace), access=access
            )

        found = judged(access)["aws-2"]

        assert found.obstacle == "aws-2 is not open to the namespaces billing, search."
        assert "Edit aws-2 and open it to them" in found.remedy
        assert judged(access, namespace="shop")["aws-2"].obstacle == ""

    def test_names_that_the_same_provider_does_not_know_are_told_and_no_obstacle(
        self, access, other, link, service, fill
    ):
        factories.make_link(service=service, access=access, key="prod/gone", variable="GONE")
        unread = judged(access)["aws-2"]
        fill("prod/db", of=other)

        found = judged(access)["aws-2"]

        assert (unread.obstacle, unread.unknown, unread.read) == ("", [], None)
        assert (found.obstacle, found.unknown) == ("", ["prod/gone"])

    def test_a_reference_is_known_by_the_inventory_too(self, access, other, service, fill):
        fill("prod/db", of=other)
        arn = other.inventory.get().reference
        factories.make_link(service=service, access=access, key=arn)

        assert judged(access)["aws-2"].unknown == []

    def test_another_provider_must_have_every_name(self, access, parameters, link, fill):
        unread = judged(access)["ssm"]
        fill("prod/other", of=parameters)
        missing = judged(access)["ssm"]
        parameters.inventory.update(name="prod/db")
        there = judged(access)["ssm"]

        assert "its names were not read yet" in unread.obstacle
        assert missing.obstacle == "ssm is AWS Parameter Store, and has no prod/db."
        assert there.obstacle == ""

    def test_another_provider_knows_no_versions(self, access, parameters, service, fill):
        factories.make_link(service=service, access=access, key="prod/db", version="AWSPREVIOUS")
        fill("prod/db", of=parameters)

        found = judged(access)["ssm"]

        assert found.obstacle == (
            "1 link names a version of AWS Secrets Manager, which AWS Parameter Store does not know."
        )

    def test_what_fits_best_is_first(self, access, other, parameters, link, cluster, fill):
        factories.make_access(cluster=cluster, name="zz-good", namespaces=["shop"])
        good = cluster.accesses.get(name="zz-good")
        fill("prod/db", of=good)

        assert list(judged(access)) == ["zz-good", "aws-2", "ssm"]

    def test_queries_do_not_grow(self, access, other, cluster, service, fill, django_assert_max_num_queries):
        for number in range(20):
            factories.make_access(cluster=cluster, name=f"more-{number}", namespaces=["shop"])
            factories.make_link(service=service, access=access, key=f"arn:aws:x:{number}")

        with django_assert_max_num_queries(4):
            judged(access)


class TestElsewhere:
    """What is read with a region, a role or an audience of its own."""

    @pytest.fixture
    def by_role(self, cluster):
        return factories.make_access(
            cluster=cluster, name="by-role", method="role", credential=None, namespaces=["shop"],
            configuration={"region": "eu-west-3", "role_arn": "arn:aws:iam::123456789012:role/reader"},
        )  # fmt: skip

    def test_it_takes_its_overrides_along(self, access, other, service, owner):
        variant = variants.use(access, region="eu-west-1")
        one = factories.make_link(service=service, access=access, variant=variant)

        moving.move(source=access, target=other, by=owner)

        one.refresh_from_db()
        assert (one.access, one.variant.access, one.variant.region) == (other, other, "eu-west-1")
        assert not access.variants.exists()

    def test_what_the_others_own_region_is_needs_no_variant_there(self, access, cluster, service, owner):
        there = factories.make_access(
            cluster=cluster, name="there", configuration={"region": "eu-west-1"}, namespaces=["shop"]
        )
        one = factories.make_link(
            service=service, access=access, variant=variants.use(access, region="eu-west-1")
        )

        moving.move(source=access, target=there, by=owner)

        one.refresh_from_db()
        assert one.variant is None

    def test_those_that_stay_keep_theirs(self, access, other, service, owner):
        variant = variants.use(access, region="eu-west-1")
        goes, stays = (factories.make_link(service=service, access=access, variant=variant) for _ in range(2))

        moving.move(source=access, target=other, links=[goes.pk], by=owner)

        stays.refresh_from_db()
        assert stays.variant == variant

    def test_an_access_that_cannot_read_so_is_refused_with_the_reason(
        self, by_role, other, service, owner, fill
    ):
        variant = variants.use(by_role, audience="other.example.com")
        one = factories.make_link(service=service, access=by_role, variant=variant)

        found = judged(by_role)["aws-2"]

        assert found.obstacle.startswith("1 secret is read with other.example.com, which aws-2 cannot do.")
        with pytest.raises(moving.NotPossible):
            moving.move(source=by_role, target=other, by=owner)
        one.refresh_from_db()
        assert one.access == by_role

    def test_no_inventory_says_anything_of_names_elsewhere(self, access, other, service, fill):
        fill("prod/db", of=other)
        factories.make_link(
            service=service, access=access, key="eu/db", variant=variants.use(access, region="eu-west-1")
        )

        assert judged(access)["aws-2"].unknown == []


class TestAliases:
    def test_another_name_goes_along_and_nowhere_by_itself(self, access, other, service, link, owner):
        alias = factories.make_link(service=service, access=access, alias_of=link, key=link.key)

        with pytest.raises(moving.NotPossible):
            moving.move(source=access, target=other, links=[alias.pk], by=owner)
        moving.move(source=access, target=other, links=[link.pk], by=owner)

        alias.refresh_from_db()
        assert alias.access == other


class TestMove:
    def test_all_links_go_and_the_cluster_is_out_of_date(self, access, other, link, owner, cluster):
        before = link.object_name

        moved = moving.move(source=access, target=other, by=owner)

        link.refresh_from_db()
        cluster.refresh_from_db()
        assert (moved, link.access, link.object_name) == (1, other, before)
        assert (link.key, link.json_field, link.variable) == ("prod/db", "password", "DB")
        assert cluster.generation == 1

    def test_what_was_deployed_waits_for_the_next_deploy_and_says_so(self, access, other, link, owner):
        moving.move(source=access, target=other, by=owner)

        link.refresh_from_db()
        assert link.status == "waiting"
        assert link.status_reason == "Moved from aws to aws-2; the cluster still reads it from aws."
        assert link.status_remedy == "Deploy prod."
        # So that a look between deploys does not take the old store's answer for the new one's.
        assert link.refused

    def test_what_was_never_deployed_stays_so(self, access, other, service, owner):
        link = factories.make_link(service=service, access=access)

        moving.move(source=access, target=other, by=owner)

        link.refresh_from_db()
        assert (link.access, link.status, link.refused) == (other, "never deployed", False)

    def test_chosen_ones_only(self, access, other, link, service, owner):
        stays = factories.make_link(service=service, access=access)

        assert moving.move(source=access, target=other, links=[link.pk], by=owner) == 1

        stays.refresh_from_db()
        assert stays.access == access

    def test_one_event_tells_from_where_to_where_and_how_many(self, access, other, link, owner, service):
        factories.make_link(service=service, access=access)

        moving.move(source=access, target=other, by=owner)

        event = AuditEvent.objects.get(action="external_secret.moved")
        assert event.target_name == "aws"
        assert event.details == {
            "changes": {"access": ["aws", "aws-2"]}, "count": 2, "services": "shop/api (2)", "cluster": "prod",
        }  # fmt: skip

    @pytest.mark.parametrize("why", ["shut", "kind", "elsewhere", "itself", "deleted", "nothing"])
    def test_refusals_change_nothing(
        self, why, access, other, parameters, link, owner, cluster, organization
    ):
        target, source = other, access
        if why == "shut":
            type(other).objects.filter(pk=other.pk).update(namespaces=["billing"])
        elif why == "kind":
            target = parameters
        elif why == "elsewhere":
            away = factories.make_cluster(organization=organization)
            target = factories.make_access(cluster=away, name="aws-3")
        elif why == "itself":
            target = access
        elif why == "deleted":
            type(other).objects.filter(pk=other.pk).delete()
        else:
            source, target = other, access

        with pytest.raises(moving.NotPossible):
            moving.move(source=source, target=target, by=owner)

        link.refresh_from_db()
        cluster.refresh_from_db()
        assert link.access == access
        assert cluster.generation == 0
        assert not AuditEvent.objects.filter(action="external_secret.moved").exists()

    def test_an_access_that_is_moved_empty_can_be_deleted(self, access, other, link, owner):
        with pytest.raises(accesses.InUse):
            accesses.delete(access=access, by=owner)
        moving.move(source=access, target=other, by=owner)

        accesses.delete(access=access, by=owner)

        assert not type(access).objects.filter(name="aws").exists()


def _at_once(*acts):
    """Run each act eight times in a thread of its own, and return what went wrong."""
    wrong: list[Exception] = []
    start = threading.Barrier(len(acts))

    def often(act):
        start.wait(5)
        try:
            for number in range(8):
                act(number)
        except Exception as error:
            wrong.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=often, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return wrong


@pytest.mark.django_db(transaction=True)
def test_two_that_move_to_and_fro_while_others_link_do_not_wait_for_each_other(access, other, service, owner):
    for number in range(6):
        factories.make_link(service=service, access=(access, other)[number % 2])

    def to(source, target):
        def act(number):
            with contextlib.suppress(moving.NotPossible):
                moving.move(source=source, target=target, by=owner)

        return act

    def come_and_go(number):
        values = {"key": "prod/x", "variable": f"NEW_{number}"}
        made = services.link(access=access, place=services.Place.of(service, "web"), by=owner, values=values)
        services.unlink(link=made, by=owner)

    wrong = _at_once(to(access, other), to(other, access), come_and_go)

    assert wrong == []
    assert ExternalSecret.objects.count() == 6
    assert AuditEvent.objects.filter(action="external_secret.moved").exists()


class TestPage:
    @pytest.fixture
    def address(self, url):
        return url("move", cluster="prod", access="aws")

    def test_each_target_is_a_card_with_its_obstacle(
        self, sign_in, devops, address, access, other, parameters, link
    ):
        text = sign_in(devops).get(address).content.decode()

        assert re.search(r'name="target" value="aws-2" checked', text)
        assert 'value="ssm"' not in text
        assert "ssm is AWS Parameter Store, and its names were not read yet" in text
        assert "Move 1 secret</button>" in text

    def test_unknown_names_are_listed_before(self, sign_in, devops, address, access, other, link, fill):
        fill("prod/else", of=other)

        text = sign_in(devops).get(address).content.decode()

        assert "1 of these names is not there" in text
        assert '<span class="secret-name">prod/db</span>' in text

    def test_it_moves_and_shows_where_they_are(self, sign_in, devops, address, access, other, link, url):
        response = sign_in(devops).post(address, {"target": "aws-2"})

        link.refresh_from_db()
        assert link.access == other
        assert response.headers["Location"] == url("usage", cluster="prod", access="aws-2")
        text = sign_in(devops).get(response.headers["Location"]).content.decode()
        assert "1 secret is moved to aws-2. Deploy prod to bring it there." in text

    def test_who_came_from_deleting_goes_back_there(self, sign_in, devops, address, access, other, link):
        response = sign_in(devops).post(f"{address}?then=delete", {"target": "aws-2"})

        assert response.headers["Location"] == "/o/acme/clusters/prod/secret-managers/aws/delete/"

    @pytest.mark.parametrize(
        ("sent", "words"),
        [
            ({}, "Choose where they go."),
            ({"target": "nowhere"}, "not on the cluster any more"),
            ({"target": "ssm"}, "its names were not read yet"),
        ],
    )
    def test_a_wrong_choice_is_told_in_the_form(
        self, sign_in, devops, address, access, other, parameters, link, sent, words
    ):
        response = sign_in(devops).post(address, sent)

        text = response.content.decode()
        assert response.status_code == 422
        assert words in re.search(r'id="id_target-error">(.*?)</div>', text, re.DOTALL)[1]
        assert "<title>Error: " in text
        link.refresh_from_db()
        assert link.access == access

    @pytest.mark.parametrize("by", ["namespace", "service"])
    def test_a_branch_alone_can_be_moved(self, sign_in, devops, address, access, other, link, cluster, by):
        away = factories.make_service(cluster=cluster, namespace="billing")
        stays = factories.make_link(service=away, access=access)
        query = {"namespace": "shop"} if by == "namespace" else {"service": str(link.service_id)}

        page = sign_in(devops).get(address, query).content.decode()
        sign_in(devops).post(
            f"{address}?{next(iter(query))}={next(iter(query.values()))}", {"target": "aws-2"}
        )

        assert "1 of 2 secrets" in page
        assert "Move all 2 instead" in page
        link.refresh_from_db()
        stays.refresh_from_db()
        assert (link.access, stays.access) == (other, access)

    def test_a_service_of_somewhere_else_is_not_found(self, sign_in, devops, address, access):
        client = sign_in(devops)

        assert client.get(address, {"service": str(factories.make_service().pk)}).status_code == 404
        assert client.get(address, {"service": "nonsense"}).status_code == 404

    def test_without_another_access_or_a_link_it_says_so(self, sign_in, devops, address, access, service):
        nothing = sign_in(devops).get(address).content.decode()
        factories.make_link(service=service, access=access)
        alone = sign_in(devops).get(address).content.decode()

        assert "Nothing to move" in nothing
        assert "prod has no other access" in alone
        assert "Go to add-ons" in alone
