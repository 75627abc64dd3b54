"""Connecting clusters, testing them, discovering their services."""

import contextlib
from dataclasses import asdict, dataclass, field
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from accounts.audit import services as audit
from accounts.models import User
from clusters import kubernetes, permissions, places
from clusters.models import Cluster, ConnectDraft, Deploy, Service
from clusters.models.clusters import ClusterQuerySet
from credentials.models import CloudCredential


class NameTaken(ValueError):
    """The organization already has a cluster of that name."""


class Changed(ValueError):
    """Somebody else changed the cluster since the form was shown."""


class WrongAccount(ValueError):
    """The credential is of another cloud or account than the cluster."""


class AccountInUse(ValueError):
    """Accesses rely on the cluster's account."""


class Busy(ValueError):
    """A deploy runs on the cluster."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What a test of a connection found."""

    server: str
    version: str
    identity: str
    permissions: list[dict[str, Any]] = field(default_factory=list)
    place: places.Place = field(default_factory=places.Place)

    @property
    def denied(self) -> list[dict[str, Any]]:
        return [entry for entry in self.permissions if not entry["allowed"]]


def try_connection(reduced: str, operator_namespace: str = "") -> Trial:
    """Reach a cluster by a reduced kubeconfig and say what it is, who we are there and what we may do.

    :raises kubernetes.ClusterError: it cannot be reached, or does not know us
    """
    return look_around(kubernetes.connect_text(reduced), operator_namespace)


def look_around(door: kubernetes.Door, operator_namespace: str = "") -> Trial:
    """Say by an open door what the cluster is, who we are there and what we may do."""
    version = door.version()
    return Trial(
        server=door.host,
        version=version,
        identity=door.whoami(),
        place=places.find(door, version),
        permissions=permissions.review(door, operator_namespace or settings.OPERATOR_NAMESPACE),
    )


@transaction.atomic
def connect(*, draft: ConnectDraft, name: str, by: User) -> Cluster:
    """Make a cluster of a tested draft, discover its services and empty the draft; asked twice, make one.

    :raises NameTaken: the name is in use
    :raises kubernetes.ClusterError: the cluster cannot be reached any more
    """
    draft = ConnectDraft.objects.select_for_update(of=("self",)).get(pk=draft.pk)
    if draft.cluster is not None:
        return draft.cluster
    found = try_connection(draft.kubeconfig)
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
    _record(cluster, "cluster.connected", by, about)
    # Said on the page among the permissions; the cluster is connected all the same.
    with contextlib.suppress(kubernetes.Forbidden):
        refresh_services(cluster)
    draft.cluster, draft.kubeconfig = cluster, ""
    draft.save()
    return cluster


def _record(cluster: Cluster, action: str, by: User, details: dict[str, Any]) -> None:
    audit.record(organization=cluster.organization, by=by, action=action, target=cluster, details=details)


def changed(cluster: Cluster) -> None:
    """Note that the configuration changed: the cluster is out of date until its next deploy."""
    Cluster.objects.filter(pk=cluster.pk).update(generation=F("generation") + 1)


# What a kubeconfig decides, as the audit log tells it.
_OF_A_KUBECONFIG = {"server": "server", "identity": "identity", "version": "version"}
# What a test of the connection finds.
_FOUND = (
    "status", "status_reason", "seen_at", "version", "identity", "permissions",
    "kind", "region", "account", "cloud_name", "issuer",
)  # fmt: skip


def check(cluster: Cluster, door: kubernetes.Door | None = None, *, by: User | None = None) -> Cluster:
    """Test the connection now and keep what was found, or why it failed; by the door of a deploy, which is patient.

    Where a person asked for it, the audit log tells what came of it.
    """
    try:
        found = look_around(door or kubernetes.connect(cluster), cluster.operator_namespace)
    except kubernetes.ClusterError as error:
        denied = isinstance(error, kubernetes.Unauthorized | kubernetes.Forbidden)
        cluster.status = Cluster.Status.DENIED if denied else Cluster.Status.UNREACHABLE
        cluster.status_reason = f"{error.reason} {error.remedy}"[:500]
    else:
        cluster.status, cluster.status_reason, cluster.seen_at = Cluster.Status.READY, "", timezone.now()
        cluster.version, cluster.identity, cluster.permissions = (
            found.version,
            found.identity,
            found.permissions,
        )
        for name, value in found.place.fields().items():
            setattr(cluster, name, value)
    with transaction.atomic():
        Cluster.objects.filter(pk=cluster.pk).update(**{name: getattr(cluster, name) for name in _FOUND})
        if by is not None:
            _tell_of_a_test(cluster, by)
    return cluster


def _tell_of_a_test(cluster: Cluster, by: User) -> None:
    if cluster.status == Cluster.Status.READY:
        _record(cluster, "cluster.tested", by, {"version": cluster.version})
    else:
        _record(cluster, "cluster.test_failed", by, {"error": cluster.status_reason})


@transaction.atomic
def refresh_services(cluster: Cluster, door: kubernetes.Door | None = None) -> int:
    """Discover the cluster's workloads, keep them, mark those that are gone; return how many there are.

    :raises kubernetes.ClusterError: the cluster does not answer or does not allow it
    """
    found = (door or kubernetes.connect(cluster)).workloads()
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
    found = try_connection(reduced, live.operator_namespace)
    told = {"kubeconfig": "changed"} | audit.changes(vars(live), asdict(found), _OF_A_KUBECONFIG)
    live.kubeconfig, live.server = reduced, found.server
    live.version, live.identity, live.permissions = found.version, found.identity, found.permissions
    live.status, live.status_reason, live.seen_at = Cluster.Status.READY, "", timezone.now()
    for name, value in found.place.fields().items():
        setattr(live, name, value)
    live.save()
    changed(live)
    _record(
        live, "cluster.kubeconfig_replaced", by, told | {"server": found.server, "identity": found.identity}
    )
    return live


@transaction.atomic
def use_credential(
    *, cluster: Cluster, credential: CloudCredential | None, by: User, account: str | None = None
) -> bool:
    """Choose what the console uses in the cluster's cloud account, or nothing; return whether anything differs.

    `account` is the account as somebody typed it; None keeps the known one. Where none is known, the credential's is.

    :raises WrongAccount: the credential is of another cloud or account
    :raises AccountInUse: the account would become another, and roles of accesses are in it
    """
    live = Cluster.objects.select_for_update(no_key=True).get(pk=cluster.pk)
    known = live.account if account is None else account
    if credential is not None:
        # Its account stays as it is until this is committed.
        credential = CloudCredential.objects.select_for_update(no_key=True).get(pk=credential.pk)
        known = _account_with(credential, live, known)
    if (known, credential) == (live.account, live.credential):
        return False
    _keep_account_in_use(live, known)
    before = {"credential": str(live.credential or ""), "account": live.account}
    Cluster.objects.filter(pk=live.pk).update(credential=credential, account=known)
    after = {"credential": str(credential or ""), "account": known}
    _record(
        live, "cluster.credential_changed", by, audit.changes(before, after, {name: name for name in after})
    )
    # What a deploy makes in the account is made with it.
    if live.accesses.filter(method="automatic").exists():
        changed(live)
    return True


def _account_with(credential: CloudCredential, cluster: Cluster, known: str) -> str:
    """Return the account in which a credential and a cluster meet."""
    if cluster.cloud not in ("", credential.cloud):
        raise WrongAccount(
            f"{credential.name} is of {credential.get_cloud_display()}; {cluster.name} is not."
        )
    if known not in ("", credential.account):
        raise WrongAccount(
            f"{credential.name} belongs to the account {credential.account}, but {cluster.name} is in {known}."
        )
    return credential.account


def _keep_account_in_use(cluster: Cluster, account: str) -> None:
    relying = cluster.accesses.filter(method__in=("automatic", "role", "workload-identity")).order_by("name")
    if cluster.account not in ("", account) and (names := ", ".join(access.name for access in relying)):
        raise AccountInUse(
            f"The roles of {names} are in the account {cluster.account}. Delete these accesses first, "
            "or keep the account."
        )


def users_of(credential: CloudCredential) -> ClusterQuerySet:
    """Return the clusters that use a credential, themselves or by an access."""
    using = Cluster.objects.filter(Q(accesses__cloud_credential=credential) | Q(credential=credential))
    return Cluster.objects.filter(pk__in=using.values("pk"))


def follow(credential: CloudCredential) -> None:
    """Note on the clusters that use a credential, themselves or by an access, that it was replaced."""
    users_of(credential).update(generation=F("generation") + 1)


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
    _record(live, "cluster.disconnected", by, about)
    # Links keep their accesses from being deleted, and go with the cluster all the same.
    live.external_secrets.all().delete()
    live.delete()
