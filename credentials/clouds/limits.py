"""How long the requests of one call may take together."""

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar


class Budget:
    """The seconds for all that happens inside of `bound`; an inner bound is the outer one."""

    def __init__(self, name: str, seconds: float) -> None:
        self.seconds = seconds
        self._until: ContextVar[float] = ContextVar(name, default=0.0)

    @contextlib.contextmanager
    def bound(self) -> Iterator[None]:
        if self._until.get():
            yield
            return
        token = self._until.set(time.monotonic() + self.seconds)
        try:
            yield
        finally:
            self._until.reset(token)

    def left(self, otherwise: float) -> float:
        """Return the seconds that are left, or `otherwise` where nothing is bound."""
        until = self._until.get()
        return until - time.monotonic() if until else otherwise
