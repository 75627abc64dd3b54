"""What somebody whose roles are limited may change: what is inside, and nothing else, whatever a form says."""

import pytest
from django.urls import reverse

from accesses.models import Access
from accounts.authority import Authority, Grant, Scope
from accounts.models import AuditEvent, Membership
from accounts.roles import Permission as P
from clusters import permits
from clusters.models import Deploy
from external_secrets import services, syncing
from external_secrets.exchange import exporting, planning, reaching
from external_secrets.exchange.finding import Found, Group
from external_secrets.exchange.reading import Foreign, Reference, StoreKey
from external_secrets.exchange.stores import Store
from external_secrets.limits import Limits
from external_secrets.models import ExternalSecret
from external_secrets.placing import Place
from tests.scoping.conftest import ROLES, make_limited

pytestmark = pytest.mark.django_db


@pytest.fixture
def person(ground):
    return make_limited(ground.organization, *ROLES["all three"])


@pytest.fixture
def browser(client, person):
    client.force_login(person)
    return client


def url(name, **kwargs):
    return reverse(f"external_secrets:{name}", kwargs={"org": "acme"} | kwargs)


def form(ground, **changed):
    place = f"{ground.staging.services['shop'].pk}:web"
    return {
        "access": ground.staging.accesses["mixed"].pk, "takes": "value", "key": "prod/shop/db", "scope": "service",
        "place": place, "target": "variable", "variable": "NEW", "refresh_seconds": 3600, "when_gone": "Retain",
    } | changed  # fmt: skip


def test_what_is_inside_can_be_linked(ground, browser):
    answer = browser.post(url("link"), form(ground))

    assert answer.status_code == 302
    assert ExternalSecret.objects.get(variable="NEW").key == "prod/shop/db"


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("key", {"key": "prod/zname-db"}),
        ("key", {"key": "prod/never-was"}),
        ("key", {"takes": "keys", "key": "zname"}),
        ("below", {"takes": "path", "below": "prod/"}),
        ("tags", {"takes": "tags", "tags": "team=shop"}),
        ("namespace", {"scope": "namespace", "namespace": "znamespace"}),
    ],
)
def test_what_is_outside_cannot_be_linked(ground, browser, field, changed):
    before = ground.words

    answer = browser.post(url("link"), form(ground, **changed))

    assert answer.status_code == 422
    assert answer.context["form"].errors[field]
    assert ground.words == before


def test_a_service_of_another_namespace_is_no_choice(ground, browser):
    before = ground.words
    place = f"{ground.staging.services['znamespace'].pk}:web"

    answer = browser.post(url("link"), form(ground, place=place))

    assert answer.status_code == 422
    assert "not on the cluster any more" in str(answer.context["form"].errors["place"])
    assert ground.words == before


def test_a_link_cannot_be_moved_to_another_namespace_nor_become_another_name(ground, browser):
    link = ground.staging.links["shop"][0]
    before = ground.words
    seen = {"seen": link.updated_at.isoformat()}

    moved = browser.post(url("relocate"), {"link": link.pk, "scope": "namespace", "namespace": "znamespace"})
    other = browser.post(url("edit", link=link.pk), form(ground, key="prod/zname-db", **seen))
    foreign = browser.post(
        url("relocate"),
        {"link": ground.staging.links["znamespace"][0].pk, "scope": "namespace", "namespace": "shop"},
    )

    assert (moved.status_code, other.status_code, foreign.status_code) == (422, 422, 404)
    assert ground.words == before


def test_a_list_is_refused_for_one_line_outside(ground, browser):
    before = ground.words
    lines = {"access": ground.staging.accesses["mixed"].pk, "lines": "A=prod/shop/db\nB=prod/zname-db"}

    answer = browser.post(url("bulk"), lines | {"scope": "namespace", "namespace": "shop"})

    assert answer.status_code == 422
    assert "only names that begin with prod/shop/" in str(answer.context["form"].errors["lines"])
    assert ground.words == before


def test_moving_to_another_access_takes_only_what_is_inside(ground, browser):
    kwargs = {"cluster": "staging", "access": "mixed"}

    page = browser.get(url("move", **kwargs))
    answer = browser.post(url("move", **kwargs), {"target": "second"})

    assert [one.access.name for one in page.context["possible"]] == ["second"]
    assert answer.status_code == 302
    moved = ExternalSecret.objects.filter(access__name="second")
    assert {link.namespace for link in moved} == {"shop"}
    assert all(link.key.startswith("prod/shop/") for link in moved)
    assert moved.count() == 2


def test_reading_again_what_failed_asks_for_nothing_outside(ground, browser, monkeypatch):
    asked = []
    monkeypatch.setattr(syncing, "sync_now", lambda links, by: asked.extend(links) or len(asked))

    browser.post(url("sync_failed", cluster="staging"))

    assert [link.pk for link in asked] == [ground.staging.links["shop"][0].pk]


def test_what_is_in_the_way_is_not_named(ground, person):
    """A link of a name outside has the variable: that it is taken is said, and not by what."""
    taken = ground.staging.links["names"][0]
    limits = Limits.of(Membership.objects.get(user=person).authority, ground.staging.cluster)
    place = Place.of(ground.staging.services["shop"], "web", limits)

    with pytest.raises(services.Clash) as clash:
        services.link(
            access=ground.staging.accesses["mixed"], place=place, by=person,
            values={"takes": "value", "key": "prod/shop/db", "variable": taken.variable, "target": "variable"},
        )  # fmt: skip

    assert "a secret that you may not see" in str(clash.value)
    assert "zname" not in str(clash.value)


def test_the_export_has_what_is_inside_and_is_in_the_audit_log(ground, browser):
    answer = browser.get(url("export", cluster="staging"), {"download": 1})

    text = answer.content.decode()
    assert "prod/shop/inside" in text
    assert "\nkind: ExternalSecret" in text
    assert "\nkind: ClusterSecretStore" not in text
    assert "zname" not in text
    assert AuditEvent.objects.filter(action="cluster.exported").exists()


def test_an_export_by_somebody_without_limits_is_whole(ground):
    text = exporting.export(ground.staging.cluster).text

    assert "zname" in text
    assert "\nkind: ClusterSecretStore" in text


def foreign(namespace, key, takes="value", store="store"):
    reference = Reference(StoreKey("ClusterSecretStore", store), takes, key=key, secret_key="K")
    return Foreign(
        namespace, f"es-{key}", "made", reference.store, (reference,), "1h", 3600, "Owner", "Retain"
    )


def test_what_others_made_is_seen_where_every_name_may_be(ground, person):
    store = Store(StoreKey("ClusterSecretStore", "store"))
    prefixed = Store(StoreKey("ClusterSecretStore", "far"), prefix="zname/")
    seen = Found(
        externals=[
            foreign("shop", "prod/shop/db"), foreign("shop", "prod/zname"), foreign("znamespace", "prod/shop/x"),
            foreign("shop", "", "tags"), foreign("shop", "prod/shop/y", store="far"),
        ],
        stores={store.key: store, prefixed.key: prefixed},
        groups=[Group("ClusterExternalSecret", "", "zname", "", "")],
        uses={("shop", "other"): [], ("shop", "made"): []},
    )  # fmt: skip
    authority = Membership.objects.get(user=person).authority

    found = reaching.reached(seen, authority, ground.staging.cluster)

    assert [one.id for one in found.externals] == ["shop/es-prod/shop/db"]
    assert (list(found.stores), found.groups, list(found.uses)) == ([store.key], [], [("shop", "made")])
    assert reaching.reached(seen, exporting.EVERYTHING, ground.staging.cluster) is seen


def test_nothing_outside_can_be_taken_over_or_imported(ground, person):
    key = StoreKey("ClusterSecretStore", "store")
    store = Store(key, provider="aws-secrets-manager", place={"region": "eu-west-3"})
    limits = Limits.of(Membership.objects.get(user=person).authority, ground.staging.cluster)
    sources = planning.Sources(
        [foreign("znamespace", "prod/shop/db"), foreign("zcluster-only", "prod/shop/db")], {key: store}, {}
    )

    plan = planning.plan(ground.staging.cluster, sources, {}, limits)

    assert plan.takeable == []
    assert "do not reach the namespace znamespace" in plan.rows[0].reason
    assert "znamespace-only" not in {match.access.name for one in plan.choices for match in one.matches}


class TestTheWorker:
    def test_a_deploy_stops_when_the_role_no_longer_covers_the_cluster(self, ground):
        person = make_limited(ground.organization, {"clusters": ["staging"]})
        deploy = Deploy.objects.create(cluster=ground.staging.cluster, number=2, by=person, by_name="Limited")
        assert permits.why_not(deploy) is None

        role = person.memberships.get().custom_roles.get()
        role.clusters = ["elsewhere"]
        role.save()

        assert "No longer permitted" in str(permits.why_not(deploy))

    def test_a_deploy_stops_when_whoever_asked_has_left_or_is_gone(self, ground):
        person = make_limited(ground.organization, {"clusters": ["staging"]})
        deploy = Deploy.objects.create(cluster=ground.staging.cluster, number=2, by=person, by_name="Limited")

        person.memberships.all().delete()

        assert "No longer permitted" in str(permits.why_not(deploy))
        deploy.by = None
        assert "No longer permitted" in str(permits.why_not(deploy))

    def test_nothing_is_read_again_for_somebody_who_lost_the_right(self, ground, person, monkeypatch):
        asked = []
        monkeypatch.setattr(syncing, "_ask", lambda cluster, links: asked.extend(links) or [])
        mine, others = ground.staging.links["shop"][0], ground.staging.links["znamespace"][0]

        syncing.run([str(mine.pk), str(others.pk)], person.pk)

        others.refresh_from_db()
        assert [link.pk for link in asked] == [mine.pk]
        assert "no longer permitted" in others.status_reason


def test_who_may_not_see_credentials_is_offered_none(ground, client):
    """A role of a cluster changes its settings and its accesses; the organization's credentials are not its business."""
    person = make_limited(ground.organization, {"clusters": ["staging"]})
    client.force_login(person)
    settings = reverse("clusters:cloud", kwargs={"org": "acme", "cluster": "staging"})

    answer = client.post(settings, {"credential": "zcluster-credential"})

    assert answer.status_code == 422
    ground.staging.cluster.refresh_from_db()
    assert ground.staging.cluster.credential is None


UNREACHABLE = "clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}]"


def test_a_cluster_cannot_be_connected_under_a_name_that_the_role_does_not_cover(ground, client):
    from clusters.models import ConnectDraft

    person = make_limited(ground.organization, {"clusters": ["staging"]})
    client.force_login(person)
    draft = ConnectDraft.objects.create(organization=ground.organization, by=person, kubeconfig=UNREACHABLE)
    page = reverse("clusters:connect_draft", kwargs={"org": "acme", "draft": draft.pk})

    answer = client.post(page, {"name": "production"})

    assert answer.status_code == 422
    assert "do not cover a cluster named production" in str(answer.context["form"].errors)


def test_an_access_that_is_used_where_one_may_not_look_is_not_deleted_unawares(ground, client):
    person = make_limited(
        ground.organization,
        {"clusters": ["staging"]},
        permissions={P.CLUSTER_VIEW, P.ACCESS_VIEW, P.ACCESS_MANAGE},
    )
    client.force_login(person)
    page = reverse(
        "accesses:delete", kwargs={"org": "acme", "cluster": "staging", "access": "znamespace-only"}
    )
    answer = client.get(page)
    refused = client.post(page, {"name": "znamespace-only"})

    assert "used by 2 linked secrets that you may not see" in answer.content.decode()
    assert refused.status_code == 422
    assert Access.objects.filter(name="znamespace-only").exists()


def test_two_roles_do_not_add_up_to_what_neither_allows(ground):
    """One role has the namespace, the other the names: together that is not both."""
    held = frozenset({P.EXTERNAL_SECRET_MANAGE, P.EXTERNAL_SECRET_VIEW})
    both = Authority(
        (
            (
                Grant("a", held, Scope(namespaces=("shop",), prefixes=("prod/shop/",))),
                Grant("b", held, Scope(namespaces=("znamespace",), prefixes=("zname/",))),
            ),
        )
    )
    limits = Limits(both, "staging")

    assert limits.wrong(["shop"], {"key": "zname/one"})
    assert limits.wrong(["znamespace"], {"key": "prod/shop/db"})
    assert limits.wrong(["znamespace"], {"key": "zname/one"}) is None
