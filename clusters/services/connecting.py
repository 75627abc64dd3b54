"""Connecting clusters. What is stored was tried first."""

import contextlib
from dataclasses import dataclass

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from clusters import finding, kubernetes
from clusters.models import Cluster, ConnectDraft
from clusters.services import changing, checking, cloud, entering
from clusters.services.entering import Entrance
from clusters.services.looking import Trial
from clusters.services.refusals import AlreadyConnected, NameTaken

ONCE = "cloud_cluster_is_connected_once"


@dataclass(frozen=True, slots=True)
class Tried:
    """A way in that was tried, what was found behind it, and the workloads there as far as they may be seen."""

    entrance: Entrance
    trial: Trial
    workloads: list[kubernetes.Workload]


def connect(*, draft: ConnectDraft, name: str, by: User) -> Cluster:
    """Make a cluster of a tested draft, discover its services and empty the draft; asked twice, make one.

    :raises NameTaken: the name is in use
    :raises AlreadyConnected: the organization has this cluster under another name
    :raises WrongAccount: the credential is of another account than the cluster
    :raises kubernetes.ClusterError: the cluster cannot be reached any more
    :raises ProviderError: its cloud refuses, or does not answer
    """
    draft.refresh_from_db(fields=["cluster"])
    if draft.cluster is not None:
        return draft.cluster
    entrance = entering.of(draft)
    door = entrance.open()
    tried = Tried(entrance, entering.look(door, entrance), _workloads(door))
    return _store(draft, name, tried, by)


def is_free(draft: ConnectDraft, name: str) -> bool:
    """Tell whether no cluster of the draft's organization has a name."""
    return not Cluster.objects.owned_by(draft.organization).filter(name=name).exists()


def _workloads(door: kubernetes.Door) -> list[kubernetes.Workload]:
    # What is forbidden is said on the page among the permissions; the cluster is connected all the same.
    with contextlib.suppress(kubernetes.Forbidden):
        return door.workloads()
    return []


@transaction.atomic
def _store(draft: ConnectDraft, name: str, tried: Tried, by: User) -> Cluster:
    draft = ConnectDraft.objects.select_for_update(of=("self",)).get(pk=draft.pk)
    if draft.cluster is not None:
        return draft.cluster
    cluster = _cluster(draft, name, tried)
    if tried.entrance.credential is not None and tried.entrance.found is not None:
        cloud.join(cluster, tried.entrance.credential)
        other = finding.connected(tried.entrance.credential, tried.entrance.found)
        if other is not None:
            raise AlreadyConnected(other)
    _save(cluster)
    changing.record(cluster, "cluster.connected", by, _told(cluster))
    checking.keep_services(cluster, tried.workloads)
    draft.cluster, draft.kubeconfig = cluster, ""
    draft.save()
    return cluster


def _cluster(draft: ConnectDraft, name: str, tried: Tried) -> Cluster:
    return Cluster(
        organization=draft.organization,
        name=name,
        server=tried.trial.server,
        version=tried.trial.version,
        identity=tried.trial.identity,
        permissions=tried.trial.permissions,
        **tried.trial.place.fields(),
        **tried.entrance.columns,
        operator_namespace=settings.OPERATOR_NAMESPACE,
        seen_at=timezone.now(),
    )


def _save(cluster: Cluster) -> None:
    try:
        with transaction.atomic():
            cluster.save()
    except IntegrityError as error:
        if ONCE in str(error):
            # Somebody else connected it this very moment.
            raise AlreadyConnected from None
        raise NameTaken(f"There is a cluster named {cluster.name} already.") from error


def _told(cluster: Cluster) -> dict[str, str]:
    about = {"server": cluster.server, "version": cluster.version, "identity": cluster.identity}
    if cluster.credential is not None and cluster.signs_in == Cluster.SignsIn.CREDENTIAL:
        about |= {"signs in": "by a cloud credential", "credential": cluster.credential.name}
    return about
