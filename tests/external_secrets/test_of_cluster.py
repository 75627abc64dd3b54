"""The secrets tab of a cluster: what is linked there, and how it stands."""

from typing import Any

import pytest
from django.utils import timezone

from tests import factories

pytestmark = pytest.mark.django_db

PAGE = "/o/acme/clusters/prod/secrets/"


@pytest.fixture
def cluster(organization) -> Any:
    return factories.make_cluster(organization=organization, name="prod")


@pytest.fixture
def service(cluster) -> Any:
    return factories.make_service(cluster=cluster, namespace="shop", name="api")


def text(response: Any) -> str:
    return str(response.content.decode())


def test_it_lists_what_is_linked_here_and_nothing_of_elsewhere(sign_in, viewer, organization, service):
    access = factories.make_access(cluster=service.cluster, name="aws")
    factories.make_link(
        service=service,
        access=access,
        key="prod/db",
        variable="DB",
        status="in sync",
        synced_at=timezone.now(),
    )
    factories.make_link(
        service=factories.make_service(cluster=factories.make_cluster(organization=organization)),
        variable="ELSEWHERE",
    )

    response = sign_in(viewer).get(PAGE)

    seen = text(response)
    assert [row["link"].variable for row in response.context["rows"]] == ["DB"]
    assert "prod/db" in seen
    assert "In sync" in seen
    assert 'href="/o/acme/clusters/prod/secrets/" aria-current="page">Secrets' in seen
    assert "ELSEWHERE" not in seen


@pytest.mark.parametrize(
    ("asked", "found"),
    [("q=two", ["TWO"]), ("status=failed", ["TWO"]), ("access=other", ["ONE"]), ("q=nothing", [])],
)
def test_the_filters_are_in_the_url(sign_in, viewer, service, asked, found):
    one, two = (factories.make_access(cluster=service.cluster, name=name) for name in ("other", "aws"))
    factories.make_link(service=service, access=one, variable="ONE", status="in sync")
    factories.make_link(service=service, access=two, variable="TWO", status="failed")

    response = sign_in(viewer).get(f"{PAGE}?{asked.replace('=other', f'={one.pk}')}")

    assert [row["link"].variable for row in response.context["rows"]] == found
    assert ("No linked secret matches" in text(response)) == (not found)


def test_nothing_linked_leads_to_browsing(sign_in, devops, viewer, service):
    seen = text(sign_in(devops).get(PAGE))

    assert "No linked secrets yet" in seen
    assert "/o/acme/secrets/" in seen


def test_more_than_fifty_are_a_page_each_with_as_many_queries(
    sign_in, devops, service, django_assert_max_num_queries
):
    access = factories.make_access(cluster=service.cluster)
    for number in range(120):
        factories.make_link(service=service, access=access, variable=f"V_{number:03d}")
    browser = sign_in(devops)

    with django_assert_max_num_queries(20):
        first = browser.get(PAGE)
    rest = browser.get(PAGE + first.context["more"], headers={"HX-Request": "true"})

    names = [row["link"].variable for page in (first, rest) for row in page.context["rows"]]
    assert names == [f"V_{number:03d}" for number in range(100)]
    assert "120 linked secrets" in text(first)
    assert text(rest).lstrip().startswith("<tr")


def test_a_role_of_one_namespace_sees_its_own(sign_in, organization, service):
    from accounts.models import Membership

    person = factories.make_user()
    role = factories.make_role(
        organization, permissions=["cluster:view", "external_secret:view"], namespaces=["shop"]
    )
    Membership.objects.create(organization=organization, user=person, roles=[]).custom_roles.add(role)
    factories.make_link(service=service, variable="MINE")
    other = factories.make_service(cluster=service.cluster, namespace="billing", name="invoices")
    factories.make_link(service=other, variable="THEIRS")

    response = sign_in(person).get(PAGE)

    assert [row["link"].variable for row in response.context["rows"]] == ["MINE"]
    assert "THEIRS" not in text(response)
