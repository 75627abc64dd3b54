"""Disconnecting a cluster."""

from django.db import transaction

from accounts.models import User
from clusters.models import Cluster, Deploy
from clusters.services import changing
from clusters.services.refusals import Busy


@transaction.atomic
def disconnect(*, cluster: Cluster, by: User) -> None:
    """Forget a cluster with its accesses and links; what is in the cluster stays there.

    :raises Busy: a deploy runs or waits
    """
    live = Cluster.objects.select_for_update().get(pk=cluster.pk)
    if live.deploys.filter(status__in=(Deploy.Status.QUEUED, Deploy.Status.RUNNING)).exists():
        raise Busy("A deploy runs on this cluster. Wait until it is over.")
    accesses = ", ".join(live.accesses.order_by("name").values_list("name", flat=True))
    about = {"server": live.server, "accesses": accesses, "external secrets": live.external_secrets.count()}
    changing.record(live, "cluster.disconnected", by, about)
    # Links keep their accesses from being deleted, and go with the cluster all the same.
    live.external_secrets.all().delete()
    live.delete()
