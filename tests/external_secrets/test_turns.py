"""The worker tells of links that fail and work again, many at once in few queries."""

import datetime

import pytest
from django.utils import timezone

from accounts.models import AuditEvent, Noted
from external_secrets import turns
from tests import factories

pytestmark = pytest.mark.django_db


def test_links_that_fail_and_recover_are_told_once_each():
    service = factories.make_service(namespace="shop")
    links = [
        factories.make_link(service=service, variable=name, key=f"prod/{name}") for name in ("A", "B", "C")
    ]
    organization = service.cluster.organization
    for status in ("failed", "waiting", "failed", "in sync", "in sync", "in sync"):
        for link in links[:2]:
            link.status, link.status_reason = status, "There is no secret of that name."
        links[2].status = "in sync"
        turns.turned(organization, links)
        Noted.objects.update(since=timezone.now() - datetime.timedelta(minutes=5))
        Noted.objects.exclude(well_since=None).update(
            well_since=timezone.now() - datetime.timedelta(minutes=5)
        )

    told = [(event.action, event.target_name, event.details) for event in AuditEvent.objects.order_by("pk")]
    assert (
        sorted(action for action, *_ in told)
        == ["external_secret.failing"] * 2 + ["external_secret.recovered"] * 2
    )
    failing = next(details for action, name, details in told if name == str(links[0]))
    assert failing == {
        "namespace": "shop",
        "key": "prod/A",
        "access": links[0].access.name,
        "cause": "There is no secret of that name.",
    }


def test_links_that_are_well_cost_one_query(django_assert_num_queries):
    service = factories.make_service()
    links = [factories.make_link(service=service) for _ in range(20)]
    for link in links:
        link.status = "in sync"

    # Besides four for savepoints.
    with django_assert_num_queries(5):
        turns.turned(service.cluster.organization, links)
