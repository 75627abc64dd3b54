"""What the worker tells of kubeconfigs in the audit log: that one ends soon or has ended."""

from django.core.cache import cache
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.audit import origin
from accounts.audit import services as audit
from accounts.outgoing import turning
from clusters import endings
from clusters.models import Cluster

KIND = "kubeconfig-expiry"
EVERY = 900


def sweep() -> int:
    """Tell of the kubeconfigs that end soon or have ended, looked at four times an hour; return how many."""
    if not cache.add(KIND, 1, timeout=EVERY):
        return 0
    with origin.of_worker("kubeconfigs"):
        return tell_of_ends()


def tell_of_ends() -> int:
    """Tell of each kubeconfig that ends in 30, 14, 7 or 1 days or has ended, once each; return how many.

    One that the console renews is told of when that has failed until shortly before its end.
    """
    now = timezone.now()
    by_itself, by_hand = Q(renews=True), Q(renews=False)
    late = by_itself & Q(signs_in_until__lt=now + endings.LATE)
    soon = by_hand & Q(signs_in_until__lt=now + endings.TOLD)
    found = Cluster.objects.filter(late | soon, signs_in=Cluster.SignsIn.KUBECONFIG)
    return sum(_tell(cluster) for cluster in found.select_related("organization").defer("kubeconfig"))


@transaction.atomic
def _tell(cluster: Cluster) -> bool:
    until = cluster.signs_in_until
    if until is None:
        return False
    left = turning.ending(organization=cluster.organization, subject=cluster.pk, kind=KIND, at=until)
    if left is None:
        return False
    details: dict[str, object] = {"ends": until.isoformat(timespec="seconds")}
    action = "kubeconfig.expiring" if left else "kubeconfig.expired"
    audit.record(
        organization=cluster.organization, by=None, action=action, target=cluster,
        details=details | ({"days": left} if left else {}),
    )  # fmt: skip
    return True
