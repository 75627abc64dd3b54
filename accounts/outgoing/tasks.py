"""The Celery task of outgoing events: no logic. Its queue is in CELERY_TASK_ROUTES."""

from celery import shared_task

from accounts.outgoing import engine


@shared_task  # type: ignore[untyped-decorator]
def deliver(*, destination_id: str, **_: object) -> None:
    """Send what waits for a destination."""
    engine.run(destination_id)
