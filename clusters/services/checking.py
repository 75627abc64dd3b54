"""Testing a connected cluster, and discovering its services."""

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from clusters import kubernetes
from clusters.models import Cluster, Service
from clusters.services import changing, following, looking

# What a test of the connection finds.
_FOUND = (
    "status", "status_reason", "seen_at", "version", "identity", "permissions",
    "kind", "region", "account", "cloud_name", "issuer",
)  # fmt: skip


def check(cluster: Cluster, door: kubernetes.Door | None = None, *, by: User | None = None) -> Cluster:
    """Test the connection now and keep what was found, or why it failed; by the door of a deploy, which is patient.

    A cluster that its cloud moved is followed. Where a person asked for it, the audit log tells what came of it.
    """
    try:
        found = _look(cluster, door, by)
    except kubernetes.ClusterError as error:
        _failed(cluster, error)
    else:
        _note(cluster, found)
    with transaction.atomic():
        Cluster.objects.filter(pk=cluster.pk).update(**{name: getattr(cluster, name) for name in _FOUND})
        if by is not None:
            _tell_of_a_test(cluster, by)
    return cluster


def _look(cluster: Cluster, door: kubernetes.Door | None, by: User | None) -> looking.Trial:
    try:
        return looking.look_around(door or kubernetes.connect(cluster), cluster.operator_namespace)
    except kubernetes.Unreachable:
        if not following.follow_address(cluster, by=by):
            raise
    patience, budget = (door.patience, door.budget) if door else (0, 0)
    again = kubernetes.connect(cluster, patience=patience, budget=budget)
    return looking.look_around(again, cluster.operator_namespace)


def _note(cluster: Cluster, found: looking.Trial) -> None:
    cluster.status, cluster.status_reason, cluster.seen_at = Cluster.Status.READY, "", timezone.now()
    cluster.version, cluster.identity = found.version, found.identity
    cluster.permissions = found.permissions
    place = found.place.fields()
    if cluster.signs_in == Cluster.SignsIn.CREDENTIAL:
        # Where it is, its cloud has told; who signs its tokens, it knows best.
        place = {name: value for name, value in place.items() if name == "issuer"}
    for name, value in place.items():
        setattr(cluster, name, value)


def _failed(cluster: Cluster, error: kubernetes.ClusterError) -> None:
    denied = isinstance(error, kubernetes.Unauthorized | kubernetes.Forbidden)
    cluster.status = Cluster.Status.DENIED if denied else Cluster.Status.UNREACHABLE
    cluster.status_reason = f"{error.reason} {error.remedy}"[:500]


def failed(cluster: Cluster, error: kubernetes.ClusterError) -> None:
    """Keep that a cluster did not let us in, and why."""
    _failed(cluster, error)
    told = {"status": cluster.status, "status_reason": cluster.status_reason}
    Cluster.objects.filter(pk=cluster.pk).update(**told)


def _tell_of_a_test(cluster: Cluster, by: User) -> None:
    if cluster.status == Cluster.Status.READY:
        changing.record(cluster, "cluster.tested", by, {"version": cluster.version})
    else:
        changing.record(cluster, "cluster.test_failed", by, {"error": cluster.status_reason})


def refresh_services(cluster: Cluster, door: kubernetes.Door | None = None) -> int:
    """Discover the cluster's workloads, keep them, mark those that are gone; return how many there are.

    :raises kubernetes.ClusterError: the cluster does not answer or does not allow it
    """
    return keep_services(cluster, (door or kubernetes.connect(cluster)).workloads())


@transaction.atomic
def keep_services(cluster: Cluster, found: list[kubernetes.Workload]) -> int:
    """Keep a cluster's workloads as they were found just now, mark those that are gone; return how many there are."""
    now = timezone.now()
    Service.objects.bulk_create(
        [
            Service(
                cluster=cluster,
                namespace=workload.namespace,
                kind=workload.kind,
                name=workload.name,
                containers=workload.containers,
                seen_at=now,
                gone_at=None,
            )
            for workload in found
        ],
        update_conflicts=True,
        unique_fields=["cluster", "namespace", "kind", "name"],
        update_fields=["containers", "seen_at", "gone_at"],
    )
    cluster.services.filter(gone_at=None, seen_at__lt=now).update(gone_at=now)
    return len(found)
