"""The worker tells of drift once when it is found and once when it is gone."""

import pytest

from accounts.models import AuditEvent
from clusters import drifting
from tests import factories

pytestmark = pytest.mark.django_db


def change(name, *causes):
    return {"kind": "Deployment", "namespace": "shop", "name": name, "causes": list(causes)}


def test_drift_is_told_once_when_it_is_found_and_once_when_it_is_gone(organization):
    cluster = factories.make_cluster(organization=organization, name="prod")
    ours, theirs = change("api", "configuration"), change("web", "cluster")
    for found in ([ours], [ours, theirs], [theirs], [], [ours]):
        drifting.turned(cluster, found)

    told = [(event.action, event.cluster, event.details) for event in AuditEvent.objects.order_by("sequence")]
    assert told == [
        ("drift.found", "prod", {"drifted": 1, "objects": ["Deployment shop/web"]}),
        ("drift.gone", "prod", {}),
    ]
