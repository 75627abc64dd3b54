"""Connecting clusters. What is stored was tried first."""

import contextlib

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from clusters import kubernetes
from clusters.models import Cluster, ConnectDraft
from clusters.services import changing, checking, looking
from clusters.services.refusals import NameTaken


@transaction.atomic
def connect(*, draft: ConnectDraft, name: str, by: User) -> Cluster:
    """Make a cluster of a tested draft, discover its services and empty the draft; asked twice, make one.

    :raises NameTaken: the name is in use
    :raises kubernetes.ClusterError: the cluster cannot be reached any more
    """
    draft = ConnectDraft.objects.select_for_update(of=("self",)).get(pk=draft.pk)
    if draft.cluster is not None:
        return draft.cluster
    found = looking.try_connection(draft.kubeconfig)
    cluster = Cluster(
        organization=draft.organization,
        name=name,
        kubeconfig=draft.kubeconfig,
        server=found.server,
        version=found.version,
        identity=found.identity,
        permissions=found.permissions,
        **found.place.fields(),
        operator_namespace=settings.OPERATOR_NAMESPACE,
        seen_at=timezone.now(),
    )
    try:
        with transaction.atomic():
            cluster.save()
    except IntegrityError as error:
        raise NameTaken(f"There is a cluster named {name} already.") from error
    about = {"server": found.server, "version": found.version, "identity": found.identity}
    changing.record(cluster, "cluster.connected", by, about)
    # Said on the page among the permissions; the cluster is connected all the same.
    with contextlib.suppress(kubernetes.Forbidden):
        checking.refresh_services(cluster)
    draft.cluster, draft.kubeconfig = cluster, ""
    draft.save()
    return cluster
