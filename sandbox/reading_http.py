"""HTTP for the sandbox's operator, where it reads a vendor's API."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.reading_values import Failed

_TIMEOUT = 5


@dataclass(frozen=True)
class Answer:
    """A status, a body that was JSON, and the headers by small letters."""

    status: int
    body: Any
    headers: Mapping[str, str]


def ask(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    body: Any = None,
) -> Answer:
    """Send one request and return the answer, whatever its status.

    :raises Failed: there is none
    """
    data = (
        urllib.parse.urlencode(form).encode()
        if form
        else json.dumps(body).encode()
        if body is not None
        else None
    )
    every = (
        {"Content-Type": "application/json"} | dict(headers or {})
        if body is not None
        else dict(headers or {})
    )
    request = urllib.request.Request(url, data=data, headers=every, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as got:  # noqa: S310
            return _answer(got.status, got)
    except urllib.error.HTTPError as error:
        with error:
            return _answer(error.code, error)
    except (OSError, ValueError):
        host = urllib.parse.urlsplit(url).netloc
        raise Failed(f"dial tcp {host}: connect: connection refused") from None


def _answer(status: int, got: Any) -> Answer:
    raw = got.read()
    try:
        body = json.loads(raw) if raw else None
    except ValueError:
        body = None
    return Answer(status, body, {name.lower(): value for name, value in got.headers.items()})
