"""Where a change comes from, known to the audit log without passing it through every function."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """The console, the worker or the command line, and the request when there was one."""

    kind: str = "cli"
    address: str = ""
    user_agent: str = ""
    request_id: str = ""


COMMAND_LINE = Origin()
_current: ContextVar[Origin] = ContextVar("origin", default=COMMAND_LINE)


def current() -> Origin:
    return _current.get()


@contextlib.contextmanager
def of_request(*, address: str, user_agent: str, request_id: str) -> Iterator[None]:
    """Note that what happens inside was asked for by a browser."""
    token = _current.set(Origin("console", address, user_agent, request_id))
    try:
        yield
    finally:
        _current.reset(token)


@contextlib.contextmanager
def of_worker(task_id: str) -> Iterator[None]:
    """Note that what happens inside is the worker's doing."""
    token = _current.set(Origin("worker", request_id=task_id))
    try:
        yield
    finally:
        _current.reset(token)
