"""Deploys are kept for DEPLOY_DAYS; the last successful one of a cluster for good, since drift is told against it."""

import datetime

from django.conf import settings
from django.core.cache import cache
from django.db.models import Max, Q
from django.utils import timezone

from clusters.models import Deploy

HOUR = 3600
AT_ONCE = 500


def sweep() -> int:
    """Remove what is too old, at most once an hour and a few hundred at a time; return how many."""
    if not cache.add("deploy-retention", 1, timeout=HOUR):
        return 0
    before = timezone.now() - datetime.timedelta(days=settings.DEPLOY_DAYS)
    last = (
        Deploy.objects.filter(status=Deploy.Status.SUCCEEDED)
        .order_by()
        .values("cluster")
        .annotate(last=Max("number"))
    )
    kept = Q()
    for row in last:
        kept |= Q(cluster=row["cluster"], number=row["last"])
    old = Deploy.objects.filter(finished_at__lt=before)
    pks = list((old.exclude(kept) if kept else old).values_list("pk", flat=True)[:AT_ONCE])
    Deploy.objects.filter(pk__in=pks).delete()
    return len(pks)
