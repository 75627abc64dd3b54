"""The Celery application: `celery -A config worker`."""

import os

from celery import Celery

from config import paths as paths

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("keyhaven")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

from config import worker as worker  # noqa: E402  connects the worker's signals
