"""When clusters are looked at: each after HEALTH_SECONDS, by one worker at a time, never all at once."""

import datetime
import logging

from django.conf import settings
from django.core.cache import cache
from django.db.models import Q
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerAway

from accounts.audit import origin
from clusters import tasks
from clusters.health import examining, recording
from clusters.models import Cluster

# So many are begun in one beat of a worker; a look that takes longer was lost with its worker.
AT_ONCE, HELD = 20, 120

logger = logging.getLogger(__name__)


def sweep() -> int:
    """Ask for a look at the clusters whose turn it is, those first that were not looked at for longest."""
    before = timezone.now() - datetime.timedelta(seconds=settings.HEALTH_SECONDS)
    now = Q(health__ended_at=None)
    recent = Cluster.objects.filter(now, health__seen_at__gte=before).values("pk")
    due = Cluster.objects.exclude(pk__in=recent).order_by("seen_at").values_list("pk", flat=True)
    asked = 0
    for pk in due[: 10 * AT_ONCE]:
        if asked == AT_ONCE:
            break
        if cache.add(_held(pk), 1, timeout=HELD):
            asked += 1
            _send(str(pk))
    return asked


def _held(pk: object) -> str:
    return f"health:{pk}"


def _send(cluster_id: str) -> None:
    try:
        tasks.examine.delay(cluster_id=cluster_id)
    except BrokerAway:
        logger.warning("The broker is away; the look at cluster %s waits.", cluster_id)


def take(cluster_id: str) -> None:
    """Look at a cluster now and keep what is seen."""
    cluster = (
        Cluster.objects.select_related("organization", "credential__organization")
        .filter(pk=cluster_id)
        .first()
    )
    if cluster is None:
        return
    try:
        with origin.of_worker(str(cluster.pk)):
            recording.keep(cluster, examining.examine(cluster))
    except Cluster.DoesNotExist:
        # It was disconnected meanwhile.
        return
    finally:
        cache.delete(_held(cluster_id))
