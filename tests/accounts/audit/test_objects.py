"""The addresses of what events are about: one query for all kinds, of the organization's own and inside of the roles."""

import pytest

from accounts.audit import objects, services
from accounts.authority import Authority, built_in, custom
from accounts.models import ApiToken, Membership
from tests import factories

pytestmark = pytest.mark.django_db
OWNER = Authority(((built_in("owner"),),))
IN_PROD = Authority(
    ((custom("Prod", ["cluster:view", "access:view", "external_secret:view"], clusters=["pr*"]),),)
)


@pytest.fixture
def ground(organization, owner):
    """One object of each kind that has a page, by its kind."""
    cluster = factories.make_cluster(organization=organization, name="prod")
    service = factories.make_service(cluster=cluster)
    factories.make_token(owner, organization)
    return {
        "cluster": cluster,
        "service": service,
        "access": factories.make_access(cluster=cluster, name="aws"),
        "externalsecret": factories.make_link(service=service),
        "cloudcredential": factories.make_cloud_credential(organization=organization, name="gcp"),
        "membership": Membership.objects.get(user=owner),
        "customrole": factories.make_role(organization),
        "apitoken": ApiToken.objects.get(),
        "destination": factories.make_destination(organization=organization),
    }


def events(organization, *targets):
    return [
        services.record(organization=organization, by=None, action="organization.renamed", target=target)
        for target in targets
    ]


def test_one_query_finds_the_addresses_of_every_kind(
    organization, ground, django_assert_num_queries, client, owner
):
    told = events(organization, *ground.values())

    objects.addresses(organization, OWNER, told)
    with django_assert_num_queries(1):
        found = objects.addresses(organization, OWNER, told)

    client.force_login(owner)
    assert {kind for kind, _ in found} == ground.keys()
    assert {url: client.get(url).status_code for url in found.values()} == dict.fromkeys(found.values(), 200)


def test_a_link_of_a_whole_namespace_leads_to_the_namespace(organization, ground):
    link = factories.make_link(
        cluster=ground["cluster"], access=ground["access"], service=None, namespace="shop"
    )

    (url,) = objects.addresses(organization, OWNER, events(organization, link)).values()

    assert url == "/o/acme/clusters/prod/namespaces/shop/"


def test_what_another_organization_has_is_not_found(organization, ground):
    other = factories.make_organization(name="Globex", slug="globex")

    assert objects.addresses(other, OWNER, events(other, *ground.values())) == {}


def test_a_limited_role_finds_what_is_inside(organization, ground):
    outside = factories.make_cluster(organization=organization, name="staging")
    access = factories.make_access(cluster=outside, name="aws")
    told = events(organization, *ground.values(), outside, access)

    found = objects.addresses(organization, IN_PROD, told)

    assert {kind for kind, _ in found} == {"cluster", "service", "access", "externalsecret"}
    assert all("/prod/" in url for url in found.values())


def test_ids_that_are_none_and_nothing_to_ask_for_find_nothing(organization, django_assert_num_queries):
    (event,) = events(organization, organization)
    event.target_type, event.target_id = "cluster", "no uuid"

    with django_assert_num_queries(0):
        assert objects.addresses(organization, OWNER, [event]) == {}
