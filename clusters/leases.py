"""The lease of a running deploy: who has it may write, who lost it stops.

The lease is on the row, not in the broker, which alone takes minutes to notice a killed worker.
"""

import datetime
import logging
import threading
from types import TracebackType
from typing import Self

from django.conf import settings
from django.db import Error, connection, transaction
from django.db.models import Count, F, Q
from django.utils import timezone

from accounts.audit import services as audit
from clusters.models import Cluster, Deploy, DeployStep

logger = logging.getLogger(__name__)


class LeaseLost(Exception):
    """Another worker has taken the deploy over; this one must not write any more."""


class Cancelled(Exception):
    """Somebody asked the deploy to stop."""


def _until() -> datetime.datetime:
    return timezone.now() + datetime.timedelta(seconds=settings.LEASE_SECONDS)


def due() -> list[str]:
    """Return the ids of the deploys that wait for a worker, in the order in which they should be taken.

    Queued ones, unless another one of their cluster runs, and running ones whose lease ran out. First those of the
    organization that has the fewest running, and of those the oldest: one with a hundred clusters delays nobody.
    """
    now = timezone.now()
    held = Q(status=Deploy.Status.RUNNING, lease_until__gt=now)
    busy = dict(
        Deploy.objects.filter(held)
        .values_list("cluster__organization")
        .annotate(count=Count("pk"))
        .order_by()
    )
    abandoned = Q(status=Deploy.Status.RUNNING, lease_until__lte=now)
    running = Deploy.objects.filter(status=Deploy.Status.RUNNING).values("cluster")
    waiting = Q(status=Deploy.Status.QUEUED) & ~Q(cluster__in=running)
    found = Deploy.objects.filter(abandoned | waiting).order_by("created_at")
    rows = list(found.values_list("pk", "cluster__organization"))
    ahead: dict[object, int] = {}
    turns = []
    for pk, organization in rows:
        turn = busy.get(organization, 0) + ahead.get(organization, 0)
        ahead[organization] = ahead.get(organization, 0) + 1
        turns.append((turn, str(pk)))
    # Sorting is stable: within a turn the oldest stays first.
    return [pk for _, pk in sorted(turns, key=lambda entry: entry[0])]


def take_next() -> Deploy | None:
    """Take the deploy whose turn it is, or return None when none waits."""
    for pk in due():
        deploy = take(pk)
        if deploy is not None:
            return deploy
    return None


@transaction.atomic
def take(deploy_id: str) -> Deploy | None:
    """Take a queued or abandoned deploy, or return None when there is nothing to do now.

    A queued deploy waits while another one of its cluster runs.
    """
    locked_first = Cluster.objects.select_for_update(no_key=True, of=("self",))
    cluster = locked_first.filter(deploys__pk=deploy_id).first()
    if cluster is None:
        return None
    locked = Deploy.objects.select_for_update(of=("self",)).select_related("cluster", "by")
    deploy = locked.get(pk=deploy_id)
    now = timezone.now()
    running = deploy.cluster.deploys.filter(status=Deploy.Status.RUNNING).exclude(pk=deploy.pk)
    held = (
        deploy.status == Deploy.Status.RUNNING and deploy.lease_until is not None and deploy.lease_until > now
    )
    ready = deploy.status in (Deploy.Status.QUEUED, Deploy.Status.RUNNING)
    if not ready or held or running.exists():
        return None
    if deploy.status == Deploy.Status.QUEUED and missed(deploy):
        miss(deploy)
        return None
    deploy.status = Deploy.Status.RUNNING
    deploy.started_at = deploy.started_at or now
    deploy.generation = deploy.cluster.generation
    deploy.fence += 1
    deploy.lease_until = _until()
    deploy.save()
    return deploy


def missed(deploy: Deploy) -> bool:
    """Tell whether a deploy that has not begun must not begin any more."""
    return deploy.not_after is not None and deploy.not_after < timezone.now()


def miss(deploy: Deploy) -> None:
    """End a deploy whose maintenance window has passed."""
    end(deploy, "Its window passed before a worker was free.")


def end(deploy: Deploy, why: str) -> None:
    """End a deploy that never began."""
    deploy.status, deploy.finished_at, deploy.error = Deploy.Status.CANCELLED, timezone.now(), why
    deploy.steps.update(status=DeployStep.Status.SKIPPED)
    deploy.save(update_fields=["status", "finished_at", "error"])
    audit.record(
        organization=deploy.cluster.organization, by=None, action="deploy.cancelled", target=deploy,
        details={"error": why},
    )  # fmt: skip


class Lease:
    """Renews the lease in the background; `check()` raises once it is lost or somebody asked to stop."""

    def __init__(self, deploy: Deploy) -> None:
        self._mine = Deploy.objects.filter(pk=deploy.pk, fence=deploy.fence, status=Deploy.Status.RUNNING)
        self._ended = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True, name=f"lease-{deploy.pk}")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(timeout=5)

    def held(self) -> None:
        """Renew the lease; raise `LeaseLost` if another worker holds the deploy by now."""
        if self._lost.is_set() or not self._mine.update(lease_until=_until()):
            self._lost.set()
            raise LeaseLost

    def check(self) -> None:
        """Raise `LeaseLost` if another worker holds the deploy by now, `Cancelled` if it is to stop."""
        seen = None if self._lost.is_set() else self._mine.values_list("cancel_asked_at").first()
        if seen is None:
            self._lost.set()
            raise LeaseLost
        if seen[0] is not None:
            raise Cancelled

    def _renew(self) -> None:
        until = _until()
        try:
            while not self._ended.wait(settings.LEASE_SECONDS / 3):
                try:
                    renewed = self._mine.update(lease_until=_until(), fence=F("fence"))
                except Error as error:
                    logger.warning("A lease was not renewed: %s", type(error).__name__)
                    connection.close()
                    # The database is away. Once our time is over, another worker may have the deploy.
                    renewed = timezone.now() < until
                else:
                    until = _until()
                if not renewed:
                    self._lost.set()
                    return
        finally:
            connection.close()
