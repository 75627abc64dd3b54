"""What can go wrong at a cluster, translated by table. No message quotes a token or a Secret's data."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_CONFLICT = re.compile(r'conflicts? with "(?P<manager>[^"]+)"(?: using [^:]+)?: (?P<field>\S+)')
_LINES = re.compile(r'^conflicts with "(?P<manager>[^"]+)"', re.MULTILINE)
_TOKENS = re.compile(
    r"(?i)(bearer\s+\S+|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*|\b(?:data|stringData)\b\S*: ?Invalid value: .*)"
)
LONGEST = 600


def redact(text: str) -> str:
    """Return a message without tokens and values of Secrets, on one line, at most 600 characters."""
    return _TOKENS.sub("••••", " ".join(text.split()))[:LONGEST]


class ClusterError(Exception):
    """A request to a cluster failed. `reason` is what it answered, `remedy` what to do."""

    remedy_text = "Look at the API server's log."
    retryable = False

    def __init__(self, reason: str, remedy: str = "") -> None:
        self.reason = redact(reason)
        self.remedy = remedy or self.remedy_text
        super().__init__(self.reason)


class Unreachable(ClusterError):
    """No answer: wrong address, firewall, a stopped server, or a certificate that does not fit."""

    remedy_text = "Check that the address is right and that the console's network reaches it."
    retryable = True


class Unauthorized(ClusterError):
    """The API server does not know this identity, any more."""

    remedy_text = "The token or certificate is wrong or has expired. Replace the cluster's kubeconfig."


class Forbidden(ClusterError):
    """The identity is known but not allowed to do this."""

    remedy_text = "Grant the permission that the message names to this identity."


class NotFound(ClusterError):
    """The object or its namespace is not there."""

    remedy_text = "Create what is missing, or refresh the list of services."


class KindMissing(NotFound):
    """The cluster does not know this kind: its CRD is not installed."""

    remedy_text = "Install the External Secrets Operator: a deploy does it."


class Invalid(ClusterError):
    """The API server refuses the object. Trying again does not help."""

    remedy_text = "Correct what the message names."


class WebhookFailed(ClusterError):
    """An admission webhook did not answer."""

    remedy_text = (
        "The operator's webhook is not ready or the API server cannot reach it. "
        "Check its pods, and the firewall to port 10250."
    )
    retryable = True


class Conflict(ClusterError):
    """Another field manager owns what we would write; `conflicts` is a list of (manager, field)."""

    remedy_text = "Let the other manager give the field up, or choose another name."

    def __init__(self, reason: str, conflicts: list[tuple[str, str]] | None = None) -> None:
        super().__init__(reason)
        self.conflicts = conflicts or []


def _conflict(message: str, causes: list[dict[str, Any]]) -> Conflict:
    found = []
    for cause in causes:
        manager = _LINES.search(str(cause.get("message", "")))
        if manager:
            found.append((manager["manager"], str(cause.get("field", ""))))
    if not found:
        found = [(match["manager"], match["field"]) for match in _CONFLICT.finditer(message)]
    return Conflict(message, found)


def from_status(status: int, body: str) -> ClusterError:
    """Return our error for an answer of the API server: an HTTP status and a Status object."""
    try:
        parsed = json.loads(body) if body else {}
    except ValueError:
        parsed = {}
    parsed = parsed if isinstance(parsed, dict) else {}
    message = str(parsed.get("message") or f"The API server answered {status}.")
    causes = (parsed.get("details") or {}).get("causes") or []
    if status == 409:
        return _conflict(message, causes)
    if status >= 500:
        if "failed to create typed patch object" in message:
            return Invalid(message)
        return WebhookFailed(message) if "webhook" in message else Unreachable(message)
    kinds: dict[int, type[ClusterError]] = {
        400: Invalid, 401: Unauthorized, 403: Forbidden, 404: NotFound, 422: Invalid, 429: Unreachable,
    }  # fmt: skip
    return kinds.get(status, ClusterError)(message)


@contextmanager
def translated(host: str) -> Iterator[None]:
    """Turn what happens on the way, before the API server answers, into our errors."""
    import urllib3

    try:
        yield
    except urllib3.exceptions.HTTPError as error:
        raise _no_answer(host, error) from None


def _no_answer(host: str, error: Exception) -> Unreachable:
    inner = getattr(error, "reason", None) or error
    name = type(inner).__name__
    if "SSL" in name or "Certificate" in str(inner):
        return Unreachable(
            f"{host} shows a certificate that the kubeconfig's authority did not sign.",
            "Take certificate-authority-data from the cluster anew.",
        )
    if "Timeout" in name:
        return Unreachable(f"{host} did not answer in time.")
    if "NameResolution" in name:
        return Unreachable(f"{host} cannot be resolved.")
    return Unreachable(f"{host} refuses the connection.")
