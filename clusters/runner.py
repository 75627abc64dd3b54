"""Running a deploy: its steps in order, each a row with its own log and changes."""

import logging
from functools import partial

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F
from django.utils import timezone

from accounts.audit import origin
from accounts.audit import services as audit
from clusters import addons, deploys, kubernetes, leases, looks, mistakes, permits, recording
from clusters.models import Cluster, Deploy, DeployStep
from clusters.rotations import moving

logger = logging.getLogger(__name__)

# The database is away: let go, and whoever comes back first goes on when the lease has run out.
_AWAY = (OperationalError, InterfaceError)
# What the audit log calls the end of a deploy.
_ENDED = {
    Deploy.Status.SUCCEEDED: "deploy.succeeded",
    Deploy.Status.FAILED: "deploy.failed",
    Deploy.Status.CANCELLED: "deploy.cancelled",
}


def run_next() -> bool:
    """Run the deploy whose turn it is; return whether there was one."""
    deploy = leases.take_next()
    if deploy is not None:
        _run(deploy)
    return deploy is not None


def run(deploy_id: str) -> None:
    """Run a deploy from its first step; does nothing when it is over or another worker holds it."""
    deploy = leases.take(deploy_id)
    if deploy is not None:
        _run(deploy)


def _run(deploy: Deploy) -> None:
    with origin.of_worker(str(deploy.pk)):
        try:
            with leases.Lease(deploy) as lease:
                end = _guarded(_Turn(deploy, lease))
                lease.held()
            _finish(deploy, *end)
        except leases.LeaseLost:
            logger.warning("Deploy %s was taken over by another worker.", deploy.pk)
        except _AWAY as error:
            logger.warning("Deploy %s is let go: %s", deploy.pk, type(error).__name__)
            connection.close()
        else:
            _go_on(deploy.cluster)


def _go_on(cluster: Cluster) -> None:
    """Tell the workers of the deploy that waited for this one, settle rotations, look whether everything is in step."""
    moving.settle_all(cluster)
    waiting = cluster.deploys.filter(status=Deploy.Status.QUEUED).first()
    if waiting is not None:
        deploys.send(waiting)
    looks.ask(cluster)


def _guarded(turn: "_Turn") -> "tuple[Deploy.Status, addons.StepFailed | None]":
    """Run a turn; whatever breaks in it ends the deploy, or it would begin anew for ever."""
    try:
        return turn.run()
    except (leases.LeaseLost, *_AWAY):
        raise
    except Exception as error:
        return Deploy.Status.FAILED, mistakes.told("The deploy", error)


class _Turn:
    """One worker's turn at a deploy: the first, or one more after a worker was lost."""

    def __init__(self, deploy: Deploy, lease: leases.Lease) -> None:
        self.deploy, self.lease = deploy, lease
        self.log = recording.Log(deploy)
        self.facts: addons.Facts = {}
        self.failure: addons.StepFailed | None = None
        self.cancelled = False

    def run(self) -> tuple[Deploy.Status, addons.StepFailed | None]:
        """Run every step; after the first failure, or when it is cancelled, the others are skipped."""
        if self.deploy.fence > 1:
            self._say("", "warning", f"The last worker was lost; turn {self.deploy.fence} goes on.")
        self.failure = permits.why_not(self.deploy)
        snapshot = addons.snapshot(self.deploy.cluster, self.facts)
        Deploy.objects.filter(pk=self.deploy.pk, fence=self.deploy.fence).update(snapshot=snapshot)
        door = None if self.failure else self._open()
        steps = addons.steps(self.deploy.kind)
        begin = next((at for at, step in enumerate(steps) if step.slug == self._first()), 0)
        rows = {row.slug: row for row in self.deploy.steps.all()}
        for position, step in enumerate(steps):
            row = rows.get(step.slug) or DeployStep.objects.create(
                deploy=self.deploy, slug=step.slug, position=position + 1, label=step.label
            )
            # The first step is never left out: it finds out whether the cluster is still there.
            if 0 < position < begin:
                _end(row, DeployStep.Status.SKIPPED, f"Done in deploy {_retried(self.deploy)}")
            elif self.cancelled or (self.failure is not None and position > 0):
                _end(row, DeployStep.Status.SKIPPED)
            else:
                self._step(step, row, door)
        # Of an earlier version of the product, or of another kind of run.
        self.deploy.steps.filter(status=DeployStep.Status.WAITING).update(status=DeployStep.Status.SKIPPED)
        if door is not None and door.asked_again:
            self._say("", "info", f"{door.asked_again} requests were sent again: the API server was unwell.")
        if self.cancelled:
            return Deploy.Status.CANCELLED, None
        return Deploy.Status.FAILED if self.failure else Deploy.Status.SUCCEEDED, self.failure

    def _say(self, step: str, level: addons.Level, message: str) -> None:
        self.log.write(step, level, [message])

    def _first(self) -> str:
        """Return the step to begin with; a retry begins anew when the configuration has changed since."""
        tried, mine = self.deploy.retry_of, self.deploy
        if tried is None or tried.generation != mine.generation:
            return ""
        between = mine.cluster.deploys.filter(number__gt=tried.number, number__lt=mine.number)
        return "" if between.filter(started_at__isnull=False).exists() else mine.first_step

    def _open(self) -> kubernetes.Door | None:
        try:
            return kubernetes.connect(
                self.deploy.cluster, patience=settings.CLUSTER_PATIENCE, budget=settings.CLUSTER_RETRIES
            )
        except kubernetes.ClusterError as error:
            self.failure = addons.StepFailed(error.reason, error.remedy)
            return None

    def _step(self, step: addons.Step, row: DeployStep, door: kubernetes.Door | None) -> None:
        log = partial(self._say, step.slug)
        try:
            self.lease.check()
            _start(row)
            if door is not None and self.failure is None:
                summary = _apply(step, self._handed(step, door))
                log("info", summary)
                _end(row, DeployStep.Status.SUCCEEDED, summary)
        except leases.Cancelled:
            self.cancelled = True
            done = self.deploy.changes.filter(step=step.slug, done_at__isnull=False).count()
            summary = f"Stopped here; {done} change{'' if done == 1 else 's'} made in this step"
            log("warning", f"Cancelled by {Deploy.objects.get(pk=self.deploy.pk).cancelled_by}. {summary}.")
            _end(row, DeployStep.Status.CANCELLED, summary)
        except addons.StepFailed as error:
            self.failure = error
        if self.failure is not None:
            log("error", self.failure.cause)
            _end(row, DeployStep.Status.FAILED, self.failure.cause)

    def _handed(self, step: addons.Step, door: kubernetes.Door) -> addons.Run:
        return addons.Run(
            cluster=self.deploy.cluster,
            door=door,
            log=partial(self._say, step.slug),
            log_all=partial(self.log.write, step.slug),
            checkpoint=self.lease.check,
            record=recording.Changes(self.deploy, step.slug),
            turn=str(self.deploy.number),
            overwrite=frozenset(self.deploy.overwrite),
            facts=self.facts,
        )


def _retried(deploy: Deploy) -> str:
    return str(deploy.retry_of.number) if deploy.retry_of else "before"


def _apply(step: addons.Step, run: addons.Run) -> str:
    """Apply a step and return its summary.

    :raises StepFailed: whatever went wrong, but what is the runner's own
    """
    try:
        return step.apply(run)
    except (addons.StepFailed, leases.LeaseLost, leases.Cancelled, *_AWAY):
        raise
    except kubernetes.ClusterError as error:
        raise addons.StepFailed(error.reason, error.remedy) from error
    except Exception as error:
        raise mistakes.told(f"Step {step.slug}", error) from None


def _start(row: DeployStep) -> None:
    row.status, row.summary = DeployStep.Status.RUNNING, ""
    row.started_at, row.finished_at = timezone.now(), None
    row.save()


def _end(row: DeployStep, status: DeployStep.Status, summary: str = "") -> None:
    row.status, row.summary = status, summary
    row.finished_at = timezone.now() if row.started_at and status != DeployStep.Status.SKIPPED else None
    row.save()


@transaction.atomic
def _finish(deploy: Deploy, status: Deploy.Status, failure: addons.StepFailed | None) -> None:
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
    if status == Deploy.Status.SUCCEEDED:
        installed = deploy.kind == Deploy.Kind.DEPLOY
        Cluster.objects.filter(pk=deploy.cluster_id).update(
            deployed_generation=deploy.generation if installed else None
        )
    audit.record(
        organization=deploy.cluster.organization,
        by=deploy.by,
        action=_ENDED[status],
        target=deploy,
        details={"error": failure.cause} if failure else None,
    )
