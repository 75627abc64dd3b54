"""The lease of a running deploy: who has it may write, who lost it stops.

The lease is on the row, not in the broker, which alone takes minutes to notice a killed worker.
"""

import datetime
import threading
from types import TracebackType
from typing import Self

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from clusters.models import Cluster, Deploy


class LeaseLost(Exception):
    """Another worker has taken the deploy over; this one must not write any more."""


def _until() -> datetime.datetime:
    return timezone.now() + datetime.timedelta(seconds=settings.LEASE_SECONDS)


@transaction.atomic
def take(deploy_id: str) -> Deploy | None:
    """Take a queued or abandoned deploy, or return None when there is nothing to do now.

    A queued deploy waits while another one of its cluster runs.
    """
    found = Deploy.objects.filter(pk=deploy_id).select_related("cluster").first()
    if found is None:
        return None
    Cluster.objects.select_for_update(no_key=True).get(pk=found.cluster_id)
    deploy = Deploy.objects.select_for_update(of=("self",)).select_related("cluster").get(pk=deploy_id)
    now = timezone.now()
    running = deploy.cluster.deploys.filter(status=Deploy.Status.RUNNING).exclude(pk=deploy.pk)
    held = (
        deploy.status == Deploy.Status.RUNNING and deploy.lease_until is not None and deploy.lease_until > now
    )
    if deploy.is_over or held or running.exists():
        return None
    deploy.status = Deploy.Status.RUNNING
    deploy.started_at = deploy.started_at or now
    deploy.generation = deploy.cluster.generation
    deploy.fence += 1
    deploy.lease_until = _until()
    deploy.save()
    return deploy


class Lease:
    """Renews the lease in the background; `check()` raises once it is lost."""

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

    def check(self) -> None:
        """Raise `LeaseLost` if another worker holds the deploy by now."""
        if self._lost.is_set() or not self._mine.update(lease_until=_until()):
            self._lost.set()
            raise LeaseLost

    def _renew(self) -> None:
        try:
            while not self._ended.wait(settings.LEASE_SECONDS / 3):
                if not self._mine.update(lease_until=_until(), fence=F("fence")):
                    self._lost.set()
                    return
        finally:
            connection.close()
