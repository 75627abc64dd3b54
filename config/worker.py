"""What a worker does besides its tasks: it says that it is alive and sees to what is due."""

import logging
import threading
from collections.abc import Callable

from celery.signals import worker_init, worker_ready, worker_shutting_down
from django.db import connection

SECONDS = 5

logger = logging.getLogger(__name__)
_ended = threading.Event()


def _sweeps() -> tuple[Callable[[], object], ...]:
    """Return what is due at each beat; each decides itself whether it is its turn."""
    from accesses import telling
    from accounts.audit import digests
    from accounts.audit import retention as audit_retention
    from accounts.outgoing import engine, turning
    from built_in import purging
    from clusters import deploys, looks, retention
    from clusters.health import recording as health_history
    from clusters.health import schedule as cluster_health
    from clusters.joining import renewing
    from clusters.joining import telling as joining_telling
    from clusters.rotations import sweeps as rotations
    from config import health
    from credentials import checks
    from external_secrets import inventory_schedule

    return (
        health.worker_is_here,
        deploys.sweep,
        looks.sweep,
        rotations.sweep,
        retention.sweep,
        cluster_health.sweep,
        health_history.sweep,
        inventory_schedule.sweep,
        digests.sweep,
        audit_retention.sweep,
        engine.sweep,
        turning.sweep,
        telling.sweep,
        renewing.sweep,
        joining_telling.sweep,
        checks.sweep,
        purging.sweep,
    )


def _beat() -> None:
    sweeps = _sweeps()
    while not _ended.is_set():
        for act in sweeps:
            try:
                act()
            # Whatever it is, the next beat comes; what an exception says may be anything.
            except Exception as error:
                logger.warning(
                    "%s failed in the worker's beat: %s",
                    f"{act.__module__}.{act.__qualname__}",
                    type(error).__name__,
                )
        connection.close()
        _ended.wait(SECONDS)


@worker_init.connect  # type: ignore[untyped-decorator]
def check_keys(**_: object) -> None:
    """A worker that lacks a key does not start."""
    from accounts.encryption import keys

    try:
        keys.check()
    except (keys.KeyMissing, keys.KeyRetired) as error:
        raise SystemExit(str(error)) from None


@worker_ready.connect  # type: ignore[untyped-decorator]
def start(**_: object) -> None:
    threading.Thread(target=_beat, daemon=True, name="worker-beat").start()


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def stop(**_: object) -> None:
    _ended.set()
