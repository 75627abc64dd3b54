"""What the worker does for this app."""

from typing import Any

from celery import shared_task

from accesses.models import Access
from accounts.audit import origin
from clusters.models import Cluster
from external_secrets import inventory, syncing
from external_secrets.steps import restart


@shared_task  # type: ignore[untyped-decorator]
def read_inventory(*, access_id: str, **_: Any) -> None:
    """Read the names of an access; does nothing when the access is gone."""
    access = Access.objects.filter(pk=access_id).select_related("cluster").first()
    if access is not None:
        inventory.read_all(access)


@shared_task  # type: ignore[untyped-decorator]
def read_again(*, link_ids: list[str], by: int | None = None, **_: Any) -> None:
    """Have the operator read links again and keep what comes of it; what is gone meanwhile is left out."""
    syncing.run(link_ids, by)


@shared_task  # type: ignore[untyped-decorator]
def refresh_inventory(*, access_id: str, **_: Any) -> None:
    """Bring in what changed upstream; does nothing when the access is gone."""
    access = Access.objects.filter(pk=access_id).select_related("cluster").first()
    if access is not None:
        inventory.refresh(access)


@shared_task  # type: ignore[untyped-decorator]
def restart_changed(*, cluster_id: str, **_: Any) -> None:
    """Restart what runs with an old value; does nothing when the cluster is gone."""
    cluster = Cluster.objects.filter(pk=cluster_id).select_related("organization").first()
    if cluster is not None:
        with origin.of_worker(cluster_id):
            restart.restart_changed(cluster)
