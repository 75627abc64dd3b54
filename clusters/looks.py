"""Looking at a cluster: what would a deploy change now, and is that because of us or because of somebody there?

The same look is the preview before a deploy and the drift afterwards.
"""

import datetime
import logging
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, Q
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerAway

from accounts.audit import origin
from clusters import addons, applying, drifting, kubernetes, mistakes, recording, tasks
from clusters.addons import Change, Key, Manifest
from clusters.kubernetes import comparing
from clusters.models import Cluster, Deploy, Look

logger = logging.getLogger(__name__)

# A look that was begun and not ended for so long was lost with its worker.
HELD = datetime.timedelta(seconds=120)
CONFIGURATION, CLUSTER = "configuration", "cluster"


def ask(cluster: Cluster) -> None:
    """Have a worker look at a cluster soon; asked twice, it looks once."""
    Look.objects.update_or_create(cluster=cluster, defaults={"asked_at": timezone.now()})
    transaction.on_commit(lambda: _send(str(cluster.pk)))


def _send(cluster_id: str) -> None:
    try:
        tasks.look.delay(cluster_id=cluster_id)
    except BrokerAway:
        logger.warning("The broker is away; the look at cluster %s waits.", cluster_id)


def sweep() -> int:
    """Ask for a look at each cluster that has something deployed and was not looked at for LOOK_SECONDS."""
    now = timezone.now()
    old = (
        Q(look=None)
        | Q(look__at=None)
        | Q(look__at__lt=now - datetime.timedelta(seconds=settings.LOOK_SECONDS))
    )
    asked = Q(look__asked_at__isnull=False)
    idle = Q(look=None) | Q(look__held_until=None) | Q(look__held_until__lt=now)
    deployed = Q(deployed_generation__isnull=False)
    found = Cluster.objects.filter(idle & (asked | (deployed & old)))
    due = [pk for pk in found.values_list("pk", flat=True) if cache.add(f"look-sent:{pk}", 1, timeout=30)]
    for pk in due:
        _send(str(pk))
    return len(due)


def take(cluster_id: str) -> None:
    """Look at a cluster now, unless another worker does or a deploy changes it."""
    cluster = Cluster.objects.filter(pk=cluster_id).first()
    if cluster is None or cluster.deploys.filter(status=Deploy.Status.RUNNING).exists():
        return
    look, _ = Look.objects.get_or_create(cluster=cluster)
    now = timezone.now()
    idle = Q(held_until=None) | Q(held_until__lt=now)
    if not Look.objects.filter(idle, pk=look.pk).update(held_until=now + HELD, asked_at=None):
        return
    found: dict[str, Any] = {
        "at": timezone.now(),
        "generation": cluster.generation,
        "error": "",
        "remedy": "",
    }
    try:
        with origin.of_worker(str(cluster.pk)):
            changes = list(_plan(cluster))
            found["changes"] = _told(cluster, changes)
            if cluster.deployed_generation is not None:
                drifting.turned(cluster, found["changes"])
        found["unchanged"] = sum(change.action == "unchanged" for _, change in changes)
    except (kubernetes.ClusterError, addons.StepFailed) as error:
        found["error"] = getattr(error, "reason", None) or error.args[0]
        found["remedy"] = error.remedy
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        failure = mistakes.told("A look", error)
        found["error"], found["remedy"] = failure.cause, failure.remedy
    Look.objects.filter(pk=look.pk).update(held_until=None, **found)


def _plan(cluster: Cluster) -> Iterable[tuple[str, Change]]:
    door = kubernetes.connect(cluster, patience=5, budget=20)
    run = addons.Run(
        cluster=cluster,
        door=door,
        log=lambda level, message: None,
        log_all=lambda level, messages: None,
        checkpoint=lambda: _hold(cluster),
        record=recording.Nowhere(),
        ask=True,
    )
    for step in addons.steps():
        for change in step.plan(run):
            yield step.slug, change
    for watch in addons.watches():
        watch(run)


def _hold(cluster: Cluster) -> None:
    """Say that the look goes on: a cluster may be big and slow."""
    Look.objects.filter(cluster=cluster).update(held_until=timezone.now() + HELD)


def _told(cluster: Cluster, changes: Iterable[tuple[str, Change]]) -> list[dict[str, Any]]:
    configured = applying.by_key(addons.snapshot(cluster))
    deployed = applying.by_key(last_snapshot(cluster))
    return [
        change.facts()
        | {
            "step": step,
            "causes": causes(change, configured, deployed),
            "deployed": _deployed(change, deployed.get(change.key)),
        }
        for step, change in changes
        if change.action != "unchanged"
    ]


def _deployed(change: Change, then: Manifest | None) -> dict[str, str]:
    """Return what the last deploy brought of the fields that differ now, by path."""
    values = {field.path: field.after for field in comparing.fields_of(then)} if then else {}
    return {field.path: values[field.path] for field in change.fields if field.path in values}


def last_snapshot(cluster: Cluster) -> list[Manifest]:
    """Return what the last successful deploy brought; nothing before the first."""
    if cluster.deployed_generation is None:
        return []
    done = cluster.deploys.filter(status=Deploy.Status.SUCCEEDED, kind=Deploy.Kind.DEPLOY)
    last = done.order_by(F("number").desc()).first()
    return list(last.snapshot or []) if last else []


def causes(change: Change, configured: dict[Key, Manifest], deployed: dict[Key, Manifest]) -> list[str]:
    """Return why an object is not as configured: we changed the configuration, somebody changed the cluster, or both."""
    now, then = configured.get(change.key), deployed.get(change.key)
    if now is None and then is None and change.action == "create" and deployed:
        # No part of the configuration, such as the operator's release: it was there after the last deploy.
        return [CLUSTER]
    if now is None or then is None:
        return [CONFIGURATION]
    ours = {field.path for field in comparing.between(then, now)}
    found = [CONFIGURATION] if ours else []
    theirs = change.action == "create" or any(field.path not in ours for field in change.fields)
    return found + ([CLUSTER] if theirs or not found else [])
