"""Asking for deploys, for a later time too, cancelling and trying again. Running them is clusters/runner.py."""

import datetime
import logging
from functools import partial
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from kombu.exceptions import OperationalError

from accounts.audit import services as audit
from accounts.models import User
from clusters import addons, leases, tasks
from clusters.models import Cluster, Deploy, DeployStep

logger = logging.getLogger(__name__)


class CannotBe(ValueError):
    """What was asked for makes no sense for this deploy, now. `str()` says why."""


def _locked(cluster: Cluster) -> Cluster:
    """Lock a cluster's row: it decides between two people who press a button at once."""
    return Cluster.objects.select_for_update(no_key=True).get(pk=cluster.pk)


def _make(cluster: Cluster, by: User, action: str, **fields: Any) -> Deploy:
    last = cluster.deploys.aggregate(last=Max("number"))["last"] or 0
    deploy = Deploy.objects.create(
        cluster=cluster,
        number=last + 1,
        by=by,
        by_name=str(by),
        generation=cluster.generation,
        **fields,
    )
    DeployStep.objects.bulk_create(
        DeployStep(deploy=deploy, position=position, slug=step.slug, label=step.label)
        for position, step in enumerate(addons.steps(deploy.kind), start=1)
    )
    told = ("reason", "overwrite", "first_step", "not_before", "not_after")
    details = {name: fields[name] for name in told if fields.get(name)}
    details |= {name: value.isoformat() for name, value in details.items() if hasattr(value, "isoformat")}
    audit.record(
        organization=cluster.organization, by=by, action=action, target=deploy, details=details or None
    )
    return deploy


@transaction.atomic
def request(*, cluster: Cluster, by: User, reason: str = "", overwrite: list[str] | None = None) -> Deploy:
    """Queue a deploy and return it; one that is queued already carries this request as well.

    `overwrite` holds decisions (`Change.decision`) to take fields from other field managers.

    :raises CannotBe: the queued run is no deploy
    """
    cluster = _locked(cluster)
    queued = cluster.deploys.filter(status=Deploy.Status.QUEUED).first()
    if queued is not None and queued.kind != Deploy.Kind.DEPLOY:
        raise CannotBe("Something is about to be removed there. Cancel that, or wait until it is done.")
    if queued is not None:
        _join(queued, by, reason, overwrite or [])
        deploy = queued
    else:
        deploy = _make(cluster, by, "deploy.requested", reason=reason, overwrite=overwrite or [])
    transaction.on_commit(partial(send, deploy))
    return deploy


# What a request that joins a queued deploy may change of it.
_JOINED = {
    "reason": "reason",
    "overwrite": "overwrite",
    "by_name": "asked for by",
    "first_step": "first step",
    "not_after": "not after",
}


def _join(queued: Deploy, by: User, reason: str, overwrite: list[str]) -> None:
    """Add a request to a queued deploy: its reason, and what is to be overwritten.

    It is a whole deploy from now on, whatever it was. Whoever asks last answers for it: the one before may have lost
    the right since.
    """
    same = queued.by_id == by.pk and not overwrite and reason in ("", *queued.reason.split("; "))
    if same and not queued.first_step and not queued.not_after:
        return
    reasons = [word for word in (*queued.reason.split("; "), reason) if word]
    before = {name: getattr(queued, name) for name in _JOINED}
    queued.overwrite = sorted({*queued.overwrite, *overwrite})
    queued.reason = "; ".join(dict.fromkeys(reasons))[:200]
    queued.by, queued.by_name, queued.first_step, queued.not_after = by, str(by), "", None
    queued.save(update_fields=["overwrite", "reason", "by", "by_name", "first_step", "not_after"])
    details = audit.changes(before, vars(queued), _JOINED)
    audit.record(
        organization=queued.cluster.organization,
        by=by,
        action="deploy.joined",
        target=queued,
        details=details | {"reason": queued.reason},
    )


@transaction.atomic
def schedule(
    *,
    cluster: Cluster,
    by: User,
    not_before: datetime.datetime,
    window: datetime.timedelta,
    reason: str = "",
    overwrite: list[str] | None = None,
) -> Deploy:
    """Ask for a deploy in a maintenance window: it begins within `window` after a time, or not at all.

    :raises CannotBe: the time is past, or the cluster has a scheduled deploy
    """
    cluster = _locked(cluster)
    if not_before <= timezone.now():
        raise CannotBe("That time is past.")
    other = cluster.deploys.filter(status=Deploy.Status.SCHEDULED).first()
    if other is not None:
        raise CannotBe(f"Deploy {other.number} is scheduled already. Cancel it first.")
    return _make(
        cluster, by, "deploy.scheduled", status=Deploy.Status.SCHEDULED, reason=reason, not_before=not_before,
        not_after=not_before + window, overwrite=overwrite or [],
    )  # fmt: skip


@transaction.atomic
def uninstall(*, cluster: Cluster, by: User) -> Deploy:
    """Queue the removal of the operator.

    :raises CannotBe: something else runs or waits on the cluster
    """
    cluster = _locked(cluster)
    _nothing_else(cluster)
    deploy = _make(cluster, by, "operator.uninstall_requested", kind=Deploy.Kind.UNINSTALL)
    transaction.on_commit(partial(send, deploy))
    return deploy


@transaction.atomic
def remove(*, cluster: Cluster, kind: Deploy.Kind, by: User) -> Deploy:
    """Queue the removal of everything that is not configured any more; `kind` is one of the removals.

    :raises CannotBe: something else runs or waits on the cluster
    """
    cluster = _locked(cluster)
    _nothing_else(cluster)
    deploy = _make(cluster, by, "deploy.removal_requested", kind=kind)
    transaction.on_commit(partial(send, deploy))
    return deploy


def _nothing_else(cluster: Cluster) -> None:
    if cluster.deploys.exclude(status__in=Deploy.OVER).exists():
        raise CannotBe(
            "A deploy runs, waits or is scheduled on this cluster. Cancel it, or wait until it is over."
        )


@transaction.atomic
def retry(*, deploy: Deploy, by: User) -> Deploy:
    """Queue a deploy that begins with the step at which another one failed or was stopped.

    :raises CannotBe: it did not fail, or something waits on the cluster already
    """
    cluster = _locked(deploy.cluster)
    stopped = deploy.steps.filter(status__in=(DeployStep.Status.FAILED, DeployStep.Status.CANCELLED)).first()
    if not deploy.is_over or stopped is None:
        raise CannotBe("Only a deploy that failed or was cancelled on its way can be tried again.")
    queued = cluster.deploys.filter(status=Deploy.Status.QUEUED).first()
    if queued is not None:
        raise CannotBe(f"Deploy {queued.number} waits on this cluster already.")
    if deploy.kind != Deploy.Kind.DEPLOY:
        _nothing_else(cluster)
    # What was to be overwritten then is not what stands in the way now: that is a new decision.
    again = _make(
        cluster, by, "deploy.retried", kind=deploy.kind, retry_of=deploy, first_step=stopped.slug,
        reason=deploy.reason,
    )  # fmt: skip
    transaction.on_commit(partial(send, again))
    return again


@transaction.atomic
def cancel(*, deploy: Deploy, by: User) -> Deploy:
    """Cancel a deploy: at once while it waits, at the next safe point while it runs.

    :raises CannotBe: it is over
    """
    _locked(deploy.cluster)
    live = Deploy.objects.select_for_update(of=("self",)).select_related("cluster").get(pk=deploy.pk)
    if live.is_over:
        raise CannotBe(f"Deploy {live.number} is over.")
    if live.cancel_asked_at is not None:
        return live
    was = str(live.status)
    live.cancel_asked_at, live.cancelled_by = timezone.now(), str(by)
    fields = ["cancel_asked_at", "cancelled_by"]
    # The end of a running one is the worker's to tell.
    action = "deploy.cancel_requested"
    if live.status != Deploy.Status.RUNNING:
        action = "deploy.cancelled"
        live.status, live.finished_at = Deploy.Status.CANCELLED, timezone.now()
        live.steps.update(status=DeployStep.Status.SKIPPED)
        fields += ["status", "finished_at"]
    # Not the whole row: its lease is the worker's.
    live.save(update_fields=fields)
    audit.record(
        organization=live.cluster.organization,
        by=by,
        action=action,
        target=live,
        details=audit.changes({"status": was}, {"status": str(live.status)}, {"status": "status"}),
    )
    return live


def send(deploy: Deploy) -> None:
    """Tell the workers that there is a deploy. With the broker away the row waits, and a sweep tells them."""
    try:
        tasks.run_deploys.delay()
    except OperationalError:
        logger.warning("The broker is away; deploy %s stays queued.", deploy.pk)


def sweep() -> int:
    """Begin what is scheduled for now, and tell the workers of each deploy that waits or was abandoned."""
    _begin_scheduled()
    # A busy worker may take a while: one message per turn and half minute is enough.
    found = Deploy.objects.filter(pk__in=leases.due())
    due = [one for one in found if cache.add(f"deploy-sent:{one.pk}:{one.status}:{one.fence}", 1, timeout=30)]
    for deploy in due:
        send(deploy)
    return len(due)


def _begin_scheduled() -> None:
    for deploy in Deploy.objects.filter(status=Deploy.Status.SCHEDULED, not_before__lte=timezone.now()):
        _begin(deploy)


@transaction.atomic
def _begin(deploy: Deploy) -> None:
    """Queue a scheduled deploy, or end it when its window has passed or a queued one does its work."""
    cluster = Cluster.objects.select_for_update(no_key=True).filter(pk=deploy.cluster_id).first()
    live = Deploy.objects.select_for_update(of=("self",)).filter(pk=deploy.pk).first()
    if cluster is None or live is None or live.status != Deploy.Status.SCHEDULED:
        return
    queued = cluster.deploys.filter(status=Deploy.Status.QUEUED).first()
    if leases.missed(live):
        leases.miss(live)
    elif queued is None:
        live.status = Deploy.Status.QUEUED
        live.save(update_fields=["status"])
    elif queued.kind == live.kind:
        if live.by is not None:
            _join(queued, live.by, live.reason, live.overwrite)
        leases.end(live, f"Deploy {queued.number} was queued at that time and does the same.")
