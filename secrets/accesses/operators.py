"""Deciding about a cluster's operator: upgrading it, proving it again, and what uninstalling it would stop."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction

from accesses import manifests, releases
from accesses.models import OperatorState
from accounts.audit import services as audit
from accounts.models import User
from clusters import kubernetes
from clusters import services as clusters
from clusters.models import Cluster, Service

_WANTED = {"wanted": "version to upgrade to"}


class NotPossible(ValueError):
    """It cannot be done with this operator. `str()` says why."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """An external secret of a cluster that nobody would refresh any more; `service` uses its Secret, by a link of ours."""

    namespace: str
    name: str
    store: str
    secret: str
    ours: bool
    service: Service | None


def _locked(cluster: Cluster) -> tuple[Cluster, OperatorState]:
    """Lock a cluster's operator.

    :raises NotPossible: no deploy has found one
    """
    live = Cluster.objects.select_for_update(no_key=True).get(pk=cluster.pk)
    state = OperatorState.objects.filter(cluster=live).first()
    if state is None or not live.operator_version:
        raise NotPossible("No deploy has found an operator on this cluster.")
    return live, state


@transaction.atomic
def request_upgrade(*, cluster: Cluster, version: str, by: User) -> None:
    """Decide that the next deploy upgrades the operator to a chart version, which has to be the next minor's.

    :raises NotPossible: it is not the next minor, or the operator is not ours
    """
    live, state = _locked(cluster)
    following = releases.next_after(live.operator_version)
    if state.adopted:
        raise NotPossible("Somebody else installed this operator and looks after it.")
    if following is None or following.chart != version:
        raise NotPossible(f"{version or 'This'} is not the version that follows {live.operator_version}.")
    if state.wanted != version:
        told = audit.changes({"wanted": state.wanted}, {"wanted": version}, _WANTED)
        state.wanted = version
        state.save(update_fields=["wanted"])
        details = {"from": live.operator_version, "version": version}
        _record(live, "operator.upgrade_requested", by, told | details)


@transaction.atomic
def withdraw_upgrade(*, cluster: Cluster, by: User) -> None:
    """Take the decision to upgrade back.

    :raises NotPossible: no deploy has found an operator
    """
    live, state = _locked(cluster)
    if state.wanted:
        version, state.wanted = state.wanted, ""
        state.save(update_fields=["wanted"])
        told = audit.changes({"wanted": version}, {"wanted": ""}, _WANTED)
        _record(live, "operator.upgrade_withdrawn", by, told | {"version": version})


@transaction.atomic
def prove_again(*, cluster: Cluster, by: User) -> None:
    """Have the next deploy prove once more that the operator works.

    :raises NotPossible: no deploy has found an operator
    """
    live, state = _locked(cluster)
    if state.proved_version:
        state.proved_version = ""
        state.save(update_fields=["proved_version"])
        _record(live, "operator.proof_requested", by, {"version": live.operator_version})


@transaction.atomic
def lead(*, cluster: Cluster, endpoint: str, by: User) -> bool:
    """Let all AWS accesses of a cluster ask another endpoint, or AWS itself with an empty one; return whether it differs.

    The console asks there at once; an operator of ours with the next deploy.
    """
    live = Cluster.objects.select_for_update(no_key=True).get(pk=cluster.pk)
    if live.aws_endpoint == endpoint:
        return False
    told = audit.changes(
        {"endpoint": live.aws_endpoint or "AWS"},
        {"endpoint": endpoint or "AWS"},
        {"endpoint": "AWS endpoint"},
    )
    live.aws_endpoint = endpoint
    live.save(update_fields=["aws_endpoint"])
    _record(live, "operator.endpoint_changed", by, told)
    return True


def _record(cluster: Cluster, action: str, by: User, details: dict[str, Any]) -> None:
    clusters.changed(cluster)
    audit.record(organization=cluster.organization, by=by, action=action, target=cluster, details=details)


def what_stops(cluster: Cluster) -> list[Stopped]:
    """Return every external secret that is in the cluster now, whoever made it.

    :raises kubernetes.ClusterError: the cluster does not answer, or does not allow it
    """
    try:
        found = kubernetes.connect(cluster).list_all(manifests.API, "ExternalSecret")
    except kubernetes.KindMissing:
        return []
    users = _users(cluster)
    stopped = [_stopped(item, users) for item in found]
    return sorted(stopped, key=lambda one: (one.namespace, one.name))


def _users(cluster: Cluster) -> dict[tuple[str, str], Service | None]:
    """Return the services with links, by the namespace and the name of the Secret that they use."""
    return {
        (link.namespace, link.object_name): link.service
        for access in cluster.accesses.prefetch_related(
            "external_secrets__service__cluster", "external_secrets__alias_of"
        )
        for link in access.external_secrets.all()
    }


def _stopped(item: dict[str, Any], users: dict[tuple[str, str], Service | None]) -> Stopped:
    metadata, spec = item["metadata"], item.get("spec") or {}
    namespace, name = str(metadata["namespace"]), str(metadata["name"])
    secret = str((spec.get("target") or {}).get("name") or name)
    return Stopped(
        namespace=namespace,
        name=name,
        store=str((spec.get("secretStoreRef") or {}).get("name") or ""),
        secret=secret,
        ours=(metadata.get("labels") or {}).get(manifests.CLUSTER) is not None,
        service=users.get((namespace, secret)),
    )
