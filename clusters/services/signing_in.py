"""How the console signs in to a connected cluster. What is stored was tried first."""

from dataclasses import asdict

from django.db import transaction
from django.utils import timezone

from accounts.audit import services as audit
from accounts.models import User
from clusters.models import Cluster
from clusters.services import changing, looking
from clusters.services.refusals import Changed

# What a kubeconfig decides, as the audit log tells it.
_OF_A_KUBECONFIG = {"server": "server", "identity": "identity", "version": "version"}


@transaction.atomic
def replace_kubeconfig(*, cluster: Cluster, reduced: str, seen_version: str, by: User) -> Cluster:
    """Store another kubeconfig after it was tested.

    :raises Changed: somebody else changed the cluster meanwhile
    :raises kubernetes.ClusterError: the new one does not work
    """
    live = Cluster.objects.select_for_update(no_key=True).get(pk=cluster.pk)
    if live.updated_at.isoformat() != seen_version:
        raise Changed(
            "Somebody changed this cluster while you were here. Look at it again, then send the form once more."
        )
    found = looking.try_connection(reduced, live.operator_namespace)
    told = {"kubeconfig": "changed"} | audit.changes(vars(live), asdict(found), _OF_A_KUBECONFIG)
    live.kubeconfig, live.server = reduced, found.server
    live.version, live.identity, live.permissions = found.version, found.identity, found.permissions
    live.status, live.status_reason, live.seen_at = Cluster.Status.READY, "", timezone.now()
    for name, value in found.place.fields().items():
        setattr(live, name, value)
    live.save()
    changing.changed(live)
    changing.record(
        live, "cluster.kubeconfig_replaced", by, told | {"server": found.server, "identity": found.identity}
    )
    return live
