"""The app's Celery tasks: no logic. Their queues are in CELERY_TASK_ROUTES."""

from celery import shared_task

from credentials import checks


@shared_task  # type: ignore[untyped-decorator]
def check(*, credential_id: str, **_: object) -> None:
    checks.take(credential_id)
