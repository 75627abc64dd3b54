"""One POST, and what its answer means."""

import datetime
from email.utils import parsedate_to_datetime

import requests
import urllib3.exceptions
from django.utils import timezone

from accounts.outgoing import payload
from accounts.outgoing.causes import NotSent
from accounts.outgoing.senders.base import CONNECT, WHOLE
from config import egress

LARGEST = 64 * 1024
_STATUS = {401: "unauthorized", 403: "unauthorized", 410: "gone", 429: "too_many"}


def post(url: str, body: bytes, headers: dict[str, str]) -> requests.Response:
    """Send JSON and return the answer, which is 2xx.

    :raises NotSent: it could not be sent, or the receiver does not accept it
    """
    own = {"Content-Type": "application/json", "User-Agent": payload.agent()}
    try:
        with egress.session(LARGEST) as session:
            response = session.post(url, data=body, headers=own | headers, timeout=(CONNECT, WHOLE))
    except egress.Forbidden as error:
        raise NotSent("forbidden") from error
    except egress.TooLarge as error:
        raise NotSent("answer") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, UnicodeError, OSError) as error:
        raise NotSent(_cause(error)) from error
    if not 200 <= response.status_code < 300:
        raise NotSent(_refusal(response.status_code), status=response.status_code, after=_after(response))
    return response


def _cause(error: Exception) -> str:
    """Return what an exception of `requests` means; its text is the receiver's, and is not kept."""
    if isinstance(error, requests.exceptions.SSLError):
        return "tls"
    if isinstance(error, requests.Timeout):
        return "timeout"
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(reason, urllib3.exceptions.NameResolutionError):
        return "name"
    if isinstance(reason, urllib3.exceptions.NewConnectionError):
        return "unreachable"
    return "broken"


def _refusal(status: int) -> str:
    if 300 <= status < 400:
        return "redirect"
    return _STATUS.get(status) or ("refused" if status < 500 else "ill")


def _after(response: requests.Response) -> float | None:
    """Return the seconds that a Retry-After asks for, of either form; None without one that makes sense."""
    said = response.headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit() and len(said) < 10:
        return float(said)
    try:
        at = parsedate_to_datetime(said)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=datetime.UTC)
    return max(0.0, (at - timezone.now()).total_seconds())
