"""What the worker tells in the audit log while it looks at a real sandbox cluster: failing, recovered, drift; once each."""

import copy
import datetime

import pytest
from django.utils import timezone

from accounts.models import AuditEvent, Noted
from tests.test_looks import deploy, deployed, edit, kube, look, ready, wait  # noqa: F401  fixtures
from tests.test_main_job import _no_broker, access, connected  # noqa: F401  fixtures

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db(transaction=True)]
TOLD = ("access.failing", "access.recovered", "external_secret.failing", "drift.found", "drift.gone")


def told():
    found = AuditEvent.objects.filter(action__in=TOLD).order_by("sequence")
    return [
        (event.action, event.target_name, event.actor_name, event.origin, event.cluster) for event in found
    ]


def look_thrice(cluster):
    """Look at it three times, minutes apart."""
    for _ in range(3):
        look(cluster)
        earlier = timezone.now() - datetime.timedelta(minutes=5)
        Noted.objects.update(since=earlier)
        Noted.objects.exclude(well_since=None).update(well_since=earlier)


def test_a_store_that_fails_and_recovers_is_told_once_each(deployed, kube):  # noqa: F811
    cluster = deployed.cluster
    access = cluster.accesses.get()  # noqa: F811
    secret = kube.store.by_kind("Secret")
    kept = copy.deepcopy(kube.get("Secret", access.store_name, "external-secrets"))
    look_thrice(cluster)
    before = told()
    kube.store.remove((secret.group, secret.plural, "external-secrets", access.store_name))
    wait(lambda: ready(kube, access.store_name) == "False")
    look_thrice(cluster)
    failing = AuditEvent.objects.get(action="access.failing")

    kube.load([kept])
    wait(lambda: ready(kube, access.store_name) == "True")
    look_thrice(cluster)

    ours = [one for one in told() if one[0].startswith("access.")]
    assert before == []
    assert ours == [
        ("access.failing", access.name, "Keyhaven", "worker", "prod"),
        ("access.recovered", access.name, "Keyhaven", "worker", "prod"),
    ]
    assert failing.details == {"cause": "The credential of the store is not in the cluster."}


def test_drift_is_told_once_and_once_when_it_is_gone(deployed, devops, kube):  # noqa: F811
    row = deployed.cluster.accesses.get().external_secrets.get()
    edit(kube, "ExternalSecret", row.object_name, "shop", lambda m: m["spec"].update(refreshInterval="5m0s"))
    look_thrice(deployed.cluster)
    path = f"ExternalSecret shop/{row.object_name}"

    deploy(deployed.cluster, devops, overwrite=[f"{path}|kubectl-edit .spec.refreshInterval"])
    look_thrice(deployed.cluster)

    drift = [one[:2] for one in told() if one[0].startswith("drift.")]
    assert drift == [("drift.found", "prod"), ("drift.gone", "prod")]
    assert AuditEvent.objects.get(action="drift.found").details == {"drifted": 1, "objects": [path]}


def test_each_deploy_has_exactly_one_end(deployed, devops, kube):  # noqa: F811
    deploy(deployed.cluster, devops)

    ends = AuditEvent.objects.filter(action__in=("deploy.succeeded", "deploy.failed", "deploy.cancelled"))

    assert [event.target_name for event in ends.order_by("sequence")] == [
        "Deploy 1 of prod",
        "Deploy 2 of prod",
    ]
