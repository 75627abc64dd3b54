"""Waiting for a cluster, bounded, with a sign of life for the deploy's lease."""

import time
from collections.abc import Callable

from clusters import addons

# The first pause and the longest, in seconds: what is ready soon is seen soon.
SHORTEST, LONGEST = 0.1, 2.0


def until(run: addons.Run, seconds: float, done: Callable[[], bool]) -> bool:
    """Ask `done` again and again, less often each time, for at most `seconds`; return whether it came true."""
    end = time.monotonic() + seconds
    pause = SHORTEST
    while not done():
        if time.monotonic() > end:
            return False
        run.checkpoint()
        time.sleep(pause)
        pause = min(LONGEST, pause * 1.5)
    return True
