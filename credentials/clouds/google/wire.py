"""Requests to Google: how long they may take, and that it is Google that answers."""

import logging
import random
import time
from typing import Any

import requests

from credentials.clouds import answers, errors
from credentials.clouds.limits import Budget

CONNECT, READ = 3.0, 10.0
# For all requests of one call together: tokens, impersonation, and the question itself. The last one may begin just
# before the end.
BUDGET = 23.0
_AGAIN = (429, 503)

_budget = Budget("google_until", BUDGET)
budget = _budget.bound


def _left() -> float:
    return _budget.left(READ)


class _Limited(answers.Bounded):
    """Sends within the budget, and once more with backoff where Google asks to slow down; `once` says never again."""

    def __init__(self, *, once: bool = False) -> None:
        self._once = once
        super().__init__()

    def send(self, request: Any, **options: Any) -> Any:  # type: ignore[override]
        left = _left()
        if left <= 0:
            raise requests.exceptions.ConnectTimeout(request=request)
        options["timeout"] = (min(CONNECT, left), min(READ, left))
        answer = super().send(request, **options)
        pause = random.uniform(0.3, 0.9)  # noqa: S311  jitter
        if self._once or answer.status_code not in _AGAIN or _left() <= pause:
            return answer
        answer.close()
        time.sleep(pause)
        return super().send(request, **options)


def not_google() -> errors.NotReachable:
    return errors.NotReachable(
        "What answers for Google is not Google.", "Check the proxies on the console's way out."
    )


def _google_only(answer: requests.Response, **_: Any) -> None:
    """Refuse what is no JSON object, a redirect as well: Google's interfaces answer nothing else."""
    try:
        found = answer.json()
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise not_google()


def _harden(session: requests.Session, *, once: bool = False) -> None:
    session.max_redirects = 0
    # Otherwise a netrc file would replace the Authorization header.
    session.auth = lambda request: request
    session.hooks["response"] = [_google_only]
    for scheme in ("https://", "http://"):
        session.mount(scheme, _Limited(once=once))


def transport() -> Any:
    """Return what google-auth asks for tokens with."""
    from google.auth.transport.requests import Request

    # At DEBUG, google-auth hands tokens and signed requests to the log.
    logging.getLogger("google").setLevel(logging.INFO)
    session = requests.Session()
    _harden(session)
    return Request(session)


def authorized(credentials: Any, *, once: bool = False) -> Any:
    """Return a session that signs its requests as these credentials; `once` sends nothing twice, but for tokens."""
    from google.auth.transport.requests import AuthorizedSession

    made: Any = AuthorizedSession
    return limited(made(credentials), once=once)


def limited(session: Any, *, once: bool = False) -> Any:
    """Return an authorized session that somebody else made, within our limits."""
    session._auth_request = transport()
    session._max_refresh_attempts = 0 if once else 1
    _harden(session, once=once)
    return session
