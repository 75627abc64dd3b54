"""Requests to Azure: how long they may take, and that it is Azure that answers."""

import random
import time
from dataclasses import dataclass, field
from typing import Any

import requests
from django.views.decorators.debug import sensitive_variables

from credentials.clouds import answers, errors
from credentials.clouds.limits import Budget

CONNECT, READ = 3.0, 10.0
# For all requests of one call together: the token, and the question with its pages. The last one may begin just before
# the end.
BUDGET = 23.0
# A wait that Azure asks for is kept where it is short; else the caller is told.
LONGEST_PAUSE = 3.0
_AGAIN = (429, 503)

_budget = Budget("azure_until", BUDGET)
budget = _budget.bound


@dataclass(frozen=True, slots=True)
class Answer:
    """What Azure said; the body may be a token."""

    status: int
    body: dict[str, Any] = field(repr=False)


def _left() -> float:
    return _budget.left(READ)


def not_azure() -> errors.NotReachable:
    return errors.NotReachable(
        "What answers for Azure is not Azure.", "Check the proxies on the console's way out."
    )


@sensitive_variables()
def ask(method: str, url: str, **sent: Any) -> Answer:
    """Send a request, and once more where Azure asks to slow down; redirects are not followed.

    :raises NotReachable: nobody answers in time, or somebody else does
    """
    try:
        with budget(), requests.Session() as session:
            # Otherwise a netrc file would replace the Authorization header.
            session.auth = lambda request: request
            answers.bound(session)
            answer = _send(session, method, url, sent)
            pause = _pause(answer)
            if answer.status_code in _AGAIN and pause < min(LONGEST_PAUSE, _left()):
                time.sleep(pause)
                answer = _send(session, method, url, sent)
    except requests.RequestException:
        raise errors.NotReachable(
            "Azure does not answer.", "Check that the console's network reaches Azure."
        ) from None
    return Answer(answer.status_code, _read(answer))


@sensitive_variables()
def _send(session: requests.Session, method: str, url: str, sent: dict[str, Any]) -> requests.Response:
    left = _left()
    if left <= 0:
        raise requests.exceptions.ConnectTimeout
    timeout = (min(CONNECT, left), min(READ, left))
    return session.request(method, url, timeout=timeout, allow_redirects=False, **sent)


def _pause(answer: requests.Response) -> float:
    """Return how long Azure asks to wait, or a short while."""
    asked = answer.headers.get("Retry-After", "")
    return float(asked) if asked.isascii() and asked.isdigit() else random.uniform(0.3, 0.9)  # noqa: S311  jitter


@sensitive_variables()
def _read(answer: requests.Response) -> dict[str, Any]:
    """Return the JSON object that Azure answers with, and nothing else: a redirect or a page is somebody else's."""
    try:
        found = answer.json()
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise (
            not_azure()
            if answer.status_code < 500
            else errors.NotReachable(
                f"Azure answers with an error of its own ({answer.status_code}).", "Try again later."
            )
        )
    return found
