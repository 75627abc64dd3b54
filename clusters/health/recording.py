"""Keeping how a cluster was: a row goes on while nothing changes, and a new one begins when something does."""

import datetime

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from accounts.audit import services as audit
from accounts.outgoing import turning
from clusters.health.examining import Seen
from clusters.models import Cluster, Health

KIND = "cluster-health"
BAD = (Health.Level.UNREACHABLE, Health.Level.DENIED)
HOUR, AT_ONCE = 3600, 1000


@transaction.atomic
def keep(cluster: Cluster, seen: Seen) -> Health:
    """Keep how a cluster was seen just now, and tell once when it is lost or comes back."""
    Cluster.objects.select_for_update(no_key=True).get(pk=cluster.pk)
    now, found = timezone.now(), [one.facts() for one in seen.findings]
    last = Health.objects.filter(cluster=cluster, ended_at=None).first()
    if last is not None and (last.level, last.findings) == (seen.level, found):
        last.seen_at, last.facts = now, seen.facts
        last.save(update_fields=["seen_at", "facts"])
    else:
        Health.objects.filter(cluster=cluster, ended_at=None).update(ended_at=now)
        last = Health.objects.create(
            cluster=cluster, level=seen.level, findings=found, facts=seen.facts, began_at=now, seen_at=now
        )
    _tell(cluster, last)
    return last


def _tell(cluster: Cluster, health: Health) -> None:
    lost = health.level in BAD
    subjects = {cluster.pk}
    turns = turning.observe(
        organization=cluster.organization,
        kind=KIND,
        bad=subjects if lost else (),
        good=() if lost else subjects,
    )
    if turns.failing:
        _record(cluster, "cluster.lost", {"status": health.level, "cause": cluster.status_reason[:300]})
    if turns.recovered:
        _record(cluster, "cluster.found_again", {})


def _record(cluster: Cluster, action: str, details: dict[str, object]) -> None:
    audit.record(organization=cluster.organization, by=None, action=action, target=cluster, details=details)


def sweep() -> int:
    """Forget stretches that ended HEALTH_DAYS ago, at most once an hour; return how many."""
    if not cache.add("health-retention", 1, timeout=HOUR):
        return 0
    before = timezone.now() - datetime.timedelta(days=settings.HEALTH_DAYS)
    old = Health.objects.filter(ended_at__lt=before).values_list("pk", flat=True)[:AT_ONCE]
    return Health.objects.filter(pk__in=list(old)).delete()[0]
