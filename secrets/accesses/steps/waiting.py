"""Waiting for a cluster, bounded, with a sign of life for the deploy's lease."""

import time
from collections.abc import Callable

from clusters import addons

PAUSE = 0.5


def until(run: addons.Run, seconds: float, done: Callable[[], bool]) -> bool:
    """Ask `done` every half second for at most `seconds`; return whether it came true."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            return False
        run.checkpoint()
        time.sleep(PAUSE)
    return True
