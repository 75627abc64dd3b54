"""A worker that is killed at any point: the next one ends where an unkilled one would have."""

import datetime
import os
import random
from typing import Any

import pytest
from django.utils import timezone

from clusters.models import Deploy

pytestmark = [pytest.mark.survival, pytest.mark.django_db(transaction=True)]

RUNS = int(os.environ.get("KILLS", "100"))


def time_passes() -> None:
    """Let the lease of a killed worker run out, without waiting for it."""
    Deploy.objects.filter(status="running").update(lease_until=timezone.now() - datetime.timedelta(seconds=1))


def facts(deploy: Deploy) -> dict[str, Any]:
    """Return what two runs of the same configuration have in common."""
    deploy.refresh_from_db()
    changes = {
        (c.kind, c.namespace, c.name): (c.facts["action"], bool(c.done_at)) for c in deploy.changes.all()
    }
    return {
        "status": deploy.status,
        "steps": [(step.slug, step.status) for step in deploy.steps.all()],
        "changes": changes,
    }


def check(deploy: Deploy, expected: dict[str, Any], before: list[str], where: str) -> None:
    lines = list(deploy.lines.all())
    numbers = [line.number for line in lines]
    assert facts(deploy) == expected, where
    assert numbers == list(range(1, len(lines) + 1)), f"{where}: a line is lost or doubled"
    assert [line.message for line in lines][: len(before)] == before, f"{where}: what was logged changed"


def points(counts: dict[str, int]) -> list[list[Any]]:
    """Return where to kill: at every boundary of a step, spread over all queries and requests, and at random times."""
    rng = random.Random(7)
    found: list[list[Any]] = [["step", number] for number in range(1, counts["step"] + 1)]
    for what in ("query", "before-query", "request", "before-request"):
        total, count = counts[what.removeprefix("before-")], RUNS // 6
        found += [[what, 1 + round(at * (total - 1) / (count - 1))] for at in range(count)]
    took = counts["seconds"]
    return found + [["seconds", rng.uniform(0.02, 0.9 * took)] for _ in range(RUNS - len(found))]


def test_a_hundred_kills_end_as_an_unkilled_run(world, zygote, record_property):
    world.ask()
    zygote.run()
    # Measured once everything is warm, as in the runs that follow.
    world.reset()
    deploy = world.ask()
    (end,) = zygote.run()
    expected = facts(deploy)
    assert expected["status"] == "succeeded", [line.message for line in deploy.lines.all()]
    objects = world.objects()
    killed = 0

    for where in points(end["said"]):
        world.reset()
        deploy = world.ask()
        (first,) = zygote.run(kill=where)
        killed += first["killed"]
        before = [line.message for line in deploy.lines.all()]
        time_passes()
        if first["killed"]:
            (second,) = zygote.run()
            assert not second["killed"]
        check(deploy, expected, before, str(where))
        assert world.objects() == objects, where

    record_property("killed", killed)
    assert killed >= RUNS * 0.9


@pytest.mark.parametrize("seconds", [0.1, 0.25, 0.4, 0.6, 0.8, 1.0])
def test_killed_while_helm_installs(bare, zygote, seconds):
    deploy = bare.ask()

    zygote.run(kill=["seconds", seconds])
    time_passes()
    zygote.run()

    deploy.refresh_from_db()
    assert deploy.status == "succeeded", [line.message for line in deploy.lines.all()]
    names = [manifest["metadata"]["name"] for manifest in bare.kube.list("Deployment", "external-secrets")]
    assert sorted(names) == [
        "external-secrets",
        "external-secrets-cert-controller",
        "external-secrets-webhook",
    ]


def test_two_workers_racing_for_one_cluster_one_wins(world, zygote):
    for _ in range(10):
        world.reset()
        deploy = world.ask()

        ends = zygote.run(workers=4)

        deploy.refresh_from_db()
        assert sorted(end["said"]["ran"] for end in ends) == [False, False, False, True]
        assert (deploy.status, deploy.fence) == ("succeeded", 1)


def test_two_workers_racing_for_an_abandoned_deploy_one_wins(world, zygote):
    for _ in range(5):
        world.reset()
        deploy = world.ask()
        zygote.run(kill=["request", 30])
        time_passes()

        ends = zygote.run(workers=4)

        deploy.refresh_from_db()
        assert sum(end["said"]["ran"] for end in ends) == 1
        assert (deploy.status, deploy.fence) == ("succeeded", 2)
