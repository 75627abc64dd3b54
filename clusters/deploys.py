"""Asking for deploys. Running them is clusters/runner.py."""

import logging
from functools import partial

from django.core.cache import cache
from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from kombu.exceptions import OperationalError

from accounts.audit import services as audit
from accounts.models import User
from clusters import addons, tasks
from clusters.models import Cluster, Deploy, DeployStep

logger = logging.getLogger(__name__)


@transaction.atomic
def request(*, cluster: Cluster, by: User, reason: str = "") -> Deploy:
    """Queue a deploy and return it; one that is queued already carries this request as well."""
    # The lock decides between two people who press the button at once.
    cluster = Cluster.objects.select_for_update(no_key=True).get(pk=cluster.pk)
    queued = cluster.deploys.filter(status=Deploy.Status.QUEUED).first()
    if queued is not None:
        transaction.on_commit(partial(send, queued))
        return queued
    last = cluster.deploys.aggregate(last=Max("number"))["last"] or 0
    deploy = Deploy.objects.create(
        cluster=cluster,
        number=last + 1,
        by=by,
        by_name=str(by),
        reason=reason,
        generation=cluster.generation,
    )
    DeployStep.objects.bulk_create(
        DeployStep(deploy=deploy, position=position, slug=step.slug, label=step.label)
        for position, step in enumerate(addons.steps(), start=1)
    )
    audit.record(
        organization=cluster.organization,
        by=by,
        action="deploy.requested",
        target=deploy,
        details={"reason": reason} if reason else None,
    )
    transaction.on_commit(partial(send, deploy))
    return deploy


def send(deploy: Deploy) -> None:
    """Hand a deploy to the workers. With the broker away the row stays queued, and the next sweep sends it."""
    try:
        tasks.run_deploy.delay(deploy_id=str(deploy.pk))
    except OperationalError:
        logger.warning("The broker is away; deploy %s stays queued.", deploy.pk)


def sweep() -> int:
    """Send again what waits or was abandoned: queued deploys, and running ones whose lease has run out."""
    now = timezone.now()
    waiting = Deploy.objects.filter(status=Deploy.Status.QUEUED).exclude(
        cluster__deploys__status=Deploy.Status.RUNNING
    )
    abandoned = Deploy.objects.filter(status=Deploy.Status.RUNNING, lease_until__lt=now)
    # A busy worker may take a while: one message per deploy and half minute is enough.
    due = [
        deploy for deploy in (*waiting, *abandoned) if cache.add(f"deploy-sent:{deploy.pk}", 1, timeout=30)
    ]
    for deploy in due:
        send(deploy)
    return len(due)
