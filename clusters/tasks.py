"""The app's Celery tasks: no logic. Their queues are in CELERY_TASK_ROUTES."""

from celery import shared_task

from clusters import looks, runner
from clusters.health import schedule
from clusters.joining import renewing
from clusters.rotations import making


@shared_task  # type: ignore[untyped-decorator]
def run_deploys(**_: object) -> None:
    """Run the deploy whose turn it is. A message says that there is one, not which: the rows are the queue."""
    runner.run_next()


@shared_task  # type: ignore[untyped-decorator]
def look(*, cluster_id: str, **_: object) -> None:
    looks.take(cluster_id)


@shared_task  # type: ignore[untyped-decorator]
def renew_token(*, cluster_id: str, **_: object) -> None:
    renewing.take(cluster_id)


@shared_task  # type: ignore[untyped-decorator]
def examine(*, cluster_id: str, **_: object) -> None:
    """See whether a cluster is well."""
    schedule.take(cluster_id)


@shared_task  # type: ignore[untyped-decorator]
def make_key(*, rotation_id: str, user_id: int, **_: object) -> None:
    making.make(rotation_id, user_id)
