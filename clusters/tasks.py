"""The app's Celery tasks: ids only, no logic. Their queues are in CELERY_TASK_ROUTES."""

from celery import shared_task

from clusters import runner


@shared_task  # type: ignore[untyped-decorator]
def run_deploy(*, deploy_id: str, **_: object) -> None:
    runner.run(deploy_id)
