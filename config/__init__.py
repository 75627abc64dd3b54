"""Settings and wiring. Every entry point imports this package first."""

from config import paths as paths
from config.celery import app as celery_app

__all__ = ["celery_app"]
