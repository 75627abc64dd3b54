"""What limits mean, in Python, and in the database the same."""

import itertools

import pytest
from django.db.models import Count, Q

from accesses.models import Access
from accounts.authority import Authority, Grant, Paths, Scope
from accounts.limits import shared
from accounts.roles import Permission as P
from clusters.models import Cluster, Service
from external_secrets.models import ExternalSecret
from tests import factories

pytestmark = pytest.mark.django_db

HELD = frozenset({P.CLUSTER_VIEW, P.SECRET_BROWSE, P.EXTERNAL_SECRET_VIEW, P.EXTERNAL_SECRET_MANAGE})
SCOPES = [
    Scope(),
    Scope(clusters=("staging-*",)),
    Scope(namespaces=("shop-*",)),
    Scope(namespaces=("shop-a", "web")),
    Scope(prefixes=("prod/shop/",)),
    Scope(clusters=("prod",), namespaces=("*b",), prefixes=("prod/", "a_b")),
    Scope(clusters=("nowhere",)),
]


def authority(*layers):
    return Authority(tuple(tuple(Grant("role", HELD, scope) for scope in layer) for layer in layers))


def combinations():
    for one in SCOPES:
        yield [one]
    yield from (list(pair) for pair in itertools.combinations(SCOPES, 2))


@pytest.fixture
def world(organization):
    for name in ("prod", "staging-1"):
        cluster = factories.make_cluster(organization=organization, name=name)
        for namespaces in (["shop-a"], ["shop-b", "web"], ["other"]):
            access = factories.make_access(cluster=cluster, namespaces=namespaces)
            for namespace in namespaces:
                service = factories.make_service(cluster=cluster, namespace=namespace)
                for key in ("prod/shop/db", "prod/web", "axb/1", "a_b/1", "%"):
                    factories.make_link(service=service, access=access, key=key)
    return organization


def test_the_database_keeps_the_rows_that_python_allows(world):
    """For each role, each two roles at once, and each role that a token narrows with another."""
    whats = [authority(scopes) for scopes in combinations()]
    whats += [authority([one], [other]) for one, other in itertools.product(SCOPES, SCOPES)]
    links = list(ExternalSecret.objects.select_related("cluster"))
    services = list(Service.objects.select_related("cluster"))
    accesses = list(Access.objects.select_related("cluster"))
    clusters = list(Cluster.objects.all())

    for what in whats:

        def kept(rows, model, inside, what=what):
            found = model.objects.within(world, what, P.SECRET_BROWSE)
            assert {row.pk for row in rows if inside(row)} == set(found.values_list("pk", flat=True)), what

        kept(clusters, Cluster, lambda row, may=what.allows: may(P.SECRET_BROWSE, cluster=row.name))
        kept(
            services,
            Service,
            lambda row, may=what.allows: may(
                P.SECRET_BROWSE, cluster=row.cluster.name, namespace=row.namespace
            ),
        )
        kept(
            links,
            ExternalSecret,
            lambda row, may=what.allows: may(
                P.SECRET_BROWSE, cluster=row.cluster.name, namespace=row.namespace, secret=row.key
            ),
        )
        kept(
            accesses,
            Access,
            lambda row, may=what.allows: any(
                may(P.SECRET_BROWSE, cluster=row.cluster.name, namespace=one) for one in row.namespaces
            ),
        )


def test_the_prefixes_of_an_access_are_the_names_that_are_allowed_in_one_of_its_namespaces(world):
    whats = [authority(scopes) for scopes in combinations()]
    whats += [authority([one], [other]) for one, other in itertools.product(SCOPES, SCOPES)]

    for what in whats:
        for access in Access.objects.select_related("cluster"):
            found = what.prefixes(P.SECRET_BROWSE, cluster=access.cluster.name, namespaces=access.namespaces)
            for name in ("prod/shop/db", "prod/web", "axb/1", "a_b/1", "%"):
                allowed = any(
                    what.allows(P.SECRET_BROWSE, cluster=access.cluster.name, namespace=one, secret=name)
                    for one in access.namespaces
                )
                assert name.startswith(found) is allowed


def test_who_has_no_limit_pays_nothing(world):
    everything = authority([Scope(), Scope(clusters=("prod",))])

    assert everything.limit(P.SECRET_BROWSE, ExternalSecret.objects.all().paths) == Q()
    assert "JOIN" not in str(
        Service.objects.filter(everything.limit(P.CLUSTER_VIEW, Paths(cluster="x"))).query
    )


def test_a_count_of_what_is_inside_is_nought_for_whom_nothing_is(world):
    nothing = authority([])
    counted = Cluster.objects.annotate(
        rows=Count("services", filter=nothing.limit(P.CLUSTER_VIEW, Paths(namespace="services__namespace")))
    )

    assert [cluster.rows for cluster in counted] == [0, 0]


def test_an_authority_without_layers_allows_nothing():
    nothing = Authority(())

    assert nothing.prefixes(P.SECRET_BROWSE, cluster="prod") == ()
    assert not nothing.everywhere(P.SECRET_BROWSE)
    assert nothing.limit(P.SECRET_BROWSE, Paths(cluster="name")) == Q(pk__in=[])


@pytest.mark.parametrize(
    ("some", "others", "both"),
    [
        (("",), ("a", "b"), ("a", "b")),
        (("a",), ("a/b", "c"), ("a/b",)),
        (("a", "a/b"), ("",), ("a",)),
        (("a",), ("b",), ()),
        ((), ("",), ()),
    ],
)
def test_two_sets_of_beginnings_share(some, others, both):
    assert shared(some, others) == both
    assert shared(others, some) == both


def test_a_limited_role_holds_only_what_can_be_limited():
    everything = frozenset(P)

    assert not Grant("r", everything, Scope(namespaces=("a",))).permissions & {P.DEPLOY_RUN, P.AUDIT_VIEW}
    assert P.DEPLOY_RUN in Grant("r", everything, Scope(clusters=("a",))).permissions
    assert P.CREDENTIAL_VIEW not in Grant("r", everything, Scope(clusters=("a",))).permissions
    assert P.ORGANIZATION_VIEW in Grant("r", HELD, Scope(namespaces=("a",))).permissions


def test_everything_of_a_place():
    shop = authority([Scope(clusters=("prod",), namespaces=("shop-*",))])

    assert shop.everywhere(P.SECRET_BROWSE, cluster="prod", namespace="shop-a")
    assert not shop.everywhere(P.SECRET_BROWSE, cluster="prod")
    assert not shop.everywhere(P.SECRET_BROWSE)
    assert not authority([Scope(prefixes=("a",))]).everywhere(P.SECRET_BROWSE, cluster="x", namespace="y")
