"""Running a deploy: its steps in order, each a row with its own log."""

import logging
import traceback
from collections.abc import Callable

from django.db import transaction
from django.db.models import F, Max
from django.utils import timezone

from accounts.audit import origin
from accounts.audit import services as audit
from clusters import addons, deploys, kubernetes, leases
from clusters.models import Cluster, Deploy, DeployLine, DeployStep

logger = logging.getLogger(__name__)


def run(deploy_id: str) -> None:
    """Run a deploy from its first step; does nothing when it is over or another worker holds it."""
    deploy = leases.take(deploy_id)
    if deploy is None:
        return
    with origin.of_worker(str(deploy.pk)):
        try:
            with leases.Lease(deploy) as lease:
                failure = _run_steps(deploy, lease)
                lease.check()
            _finish(deploy, failure)
        except leases.LeaseLost:
            logger.warning("Deploy %s was taken over by another worker.", deploy.pk)
            return
    queued = Deploy.objects.filter(cluster=deploy.cluster, status=Deploy.Status.QUEUED).first()
    if queued is not None:
        deploys.send(queued)


def _run_steps(deploy: Deploy, lease: leases.Lease) -> addons.StepFailed | None:
    """Run every step; return the first failure, after which the others are skipped."""
    facts: dict[str, object] = {}
    failure: addons.StepFailed | None = None
    try:
        door = kubernetes.connect(deploy.cluster)
    except kubernetes.ClusterError as error:
        failure = addons.StepFailed(error.reason, error.remedy)
        door = None
    for position, step in enumerate(addons.steps(), start=1):
        row, _ = DeployStep.objects.get_or_create(
            deploy=deploy, slug=step.slug, defaults={"position": position, "label": step.label}
        )
        if failure is not None and (door is not None or position > 1):
            _end(row, DeployStep.Status.SKIPPED)
            continue
        lease.check()
        _start(row)
        log = _log(deploy, step.slug)
        if failure is None and door is not None:
            handed = addons.Run(deploy.cluster, deploy, door, log, lease.check, facts)
            failure = _apply(step, handed, row)
        if failure is not None:
            log("error", failure.cause)
            _end(row, DeployStep.Status.FAILED, failure.cause)
    return failure


def _apply(step: addons.Step, run: addons.Run, row: DeployStep) -> addons.StepFailed | None:
    try:
        summary = step.apply(run)
    except addons.StepFailed as error:
        return error
    except kubernetes.ClusterError as error:
        return addons.StepFailed(error.reason, error.remedy)
    except leases.LeaseLost:
        raise
    except Exception as error:
        # Neither the message nor the variables: either may quote a value.
        place = "".join(traceback.format_tb(error.__traceback__))
        logger.error("Step %s broke with %s:\n%s", step.slug, type(error).__name__, place)
        return addons.StepFailed(
            f"Keyhaven made a mistake here ({type(error).__name__}).",
            "Deploy again; if it happens again, the worker's log says where.",
        )
    run.log("info", summary)
    _end(row, DeployStep.Status.SUCCEEDED, summary)
    return None


def _start(row: DeployStep) -> None:
    row.status, row.summary = DeployStep.Status.RUNNING, ""
    row.started_at, row.finished_at = timezone.now(), None
    row.save()


def _end(row: DeployStep, status: DeployStep.Status, summary: str = "") -> None:
    row.status, row.summary = status, summary
    row.finished_at = timezone.now() if row.started_at and status != DeployStep.Status.SKIPPED else None
    row.save()


def _log(deploy: Deploy, step: str) -> Callable[[addons.Level, str], None]:
    """Return the function that writes lines of one step, numbered through the whole deploy."""

    def write(level: addons.Level, message: str) -> None:
        last = deploy.lines.aggregate(last=Max("number"))["last"] or 0
        DeployLine.objects.create(deploy=deploy, step=step, number=last + 1, level=level, message=message)

    return write


@transaction.atomic
def _finish(deploy: Deploy, failure: addons.StepFailed | None) -> None:
    status = Deploy.Status.FAILED if failure else Deploy.Status.SUCCEEDED
    mine = Deploy.objects.filter(pk=deploy.pk, fence=deploy.fence, status=Deploy.Status.RUNNING)
    ended = mine.update(
        status=status,
        finished_at=timezone.now(),
        lease_until=None,
        error=failure.cause if failure else "",
        remedy=failure.remedy if failure else "",
        fence=F("fence"),
    )
    if not ended:
        raise leases.LeaseLost
    if failure is None:
        Cluster.objects.filter(pk=deploy.cluster_id).update(deployed_generation=deploy.generation)
    audit.record(
        organization=deploy.cluster.organization,
        by=deploy.by,
        action=f"deploy.{status}",
        target=deploy,
        details={"error": failure.cause} if failure else None,
    )
