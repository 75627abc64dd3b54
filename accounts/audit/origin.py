"""Where a change comes from, known to the audit log without passing it through every function."""

import contextlib
import dataclasses
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """The console, the API, the worker or the command line, and the request when there was one.

    The door adds whose roles were looked at (`user_id` in `organization_id`), and the API token that was shown.
    """

    kind: str = "cli"
    address: str = ""
    user_agent: str = ""
    request_id: str = ""
    organization_id: int | None = None
    user_id: int | None = None
    roles: str = ""
    token: str = ""


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


def entered(*, organization_id: int, user_id: int, roles: str, token: str = "") -> None:
    """Note as whom the request came through the door; an API token makes it a request of the API."""
    here = current()
    _current.set(
        dataclasses.replace(
            here,
            kind="api" if token else here.kind,
            organization_id=organization_id,
            user_id=user_id,
            roles=roles,
            token=token,
        )
    )


@contextlib.contextmanager
def of_worker(task_id: str) -> Iterator[None]:
    """Note that what happens inside is the worker's doing."""
    token = _current.set(Origin("worker", request_id=task_id))
    try:
        yield
    finally:
        _current.reset(token)
