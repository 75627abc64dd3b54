"""GET /healthz: whether the database, the broker and a worker answer, and the version."""

import time

import redis
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

WORKER_KEY = "worker-seen-at"
WORKER_SECONDS = 30


def worker_is_here() -> None:
    """Note that a worker is alive; the worker calls this every few seconds."""
    cache.set(WORKER_KEY, time.time(), timeout=WORKER_SECONDS)


def _database() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def _broker() -> bool:
    try:
        return bool(redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2).ping())
    except redis.RedisError:
        return False


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when all three are well, else 503; says nothing else about the installation."""
    broker = _broker()
    parts = {
        "database": _database(),
        "broker": broker,
        "worker": broker and cache.get(WORKER_KEY) is not None,
    }
    body = {name: "ok" if well else "down" for name, well in parts.items()} | {"version": settings.VERSION}
    return JsonResponse(body, status=200 if all(parts.values()) else 503)
