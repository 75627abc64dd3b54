"""What can go wrong at a cluster, translated by table. No message quotes a token or a Secret's data."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from config import egress

_MANAGER = re.compile(r'conflicts? with "(?P<manager>[^"]+)"')
_ONE = re.compile(r'conflict with "(?P<manager>[^"]+)"[^:]*: (?P<field>\S+)')
_FIELD = re.compile(r"^- (?P<field>\S+)")
_WEBHOOK = re.compile(r'admission webhook "(?P<name>[^"]+)" denied')
_TOKENS = re.compile(
    r"(?i)(bearer\s+\S+|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*|k8s-aws-v1\.\S+|ya29\.\S+|\b(?:data|stringData)\b\S*: ?Invalid value: .*)"
)
LONGEST = 600
UNWELL = "The API server answers, but not well. Try again in a while; its log says more."


def redact(text: str) -> str:
    """Return a message without tokens and values of Secrets, on one line that a column takes, at most 600 characters."""
    clean = text.replace("\x00", "").encode(errors="replace").decode()
    return _TOKENS.sub("••••", " ".join(clean.split()))[:LONGEST]


class ClusterError(Exception):
    """A request to a cluster failed. `reason` is what it answered, `remedy` what to do."""

    remedy_text = "Look at the API server's log."
    retryable = False
    # Seconds that the API server asked us to wait.
    retry_after = 0.0

    def __init__(self, reason: str, remedy: str = "") -> None:
        self.reason = redact(reason)
        self.remedy = remedy or self.remedy_text
        super().__init__(self.reason)


class Unreachable(ClusterError):
    """No answer: wrong address, firewall, a stopped server, or a certificate that does not fit."""

    remedy_text = "Check that the address is right and that the console's network reaches it."
    retryable = True


class Busy(Unreachable):
    """Too many requests."""


class Untrusted(Unreachable):
    """It may not be called, or is not who it should be. Trying again does not help."""

    retryable = False


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


class Gone(ClusterError):
    """A list cannot be gone on with: it was begun too long ago."""

    remedy_text = "List again from the beginning."


class Invalid(ClusterError):
    """The API server refuses the object. Trying again does not help."""

    remedy_text = "Correct what the message names."


class Changed(ClusterError):
    """The object was written by somebody else at the same moment."""

    remedy_text = "Deploy again."
    retryable = True


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


def seconds(header: str) -> float:
    """Return the seconds of a Retry-After header, or nothing when it is a date or absent."""
    return float(header) if header.isdecimal() and len(header) < 4 else 0.0


def _conflict(message: str, causes: list[dict[str, Any]]) -> ClusterError:
    found = []
    for cause in causes:
        manager = _MANAGER.search(str(cause.get("message", "")))
        if manager:
            found.append((manager["manager"], str(cause.get("field", ""))))
    if found or message.startswith("Apply failed with"):
        return Conflict(message, found or _conflicts_in(message))
    return Changed(message)


def _conflicts_in(message: str) -> list[tuple[str, str]]:
    """Return the conflicts that a message lists, one in a line, or several below their manager."""
    one = _ONE.search(message)
    if one:
        return [(one["manager"], one["field"])]
    found, manager = [], ""
    for line in message.splitlines():
        named, field = _MANAGER.search(line), _FIELD.match(line)
        manager = named["manager"] if named else manager
        if field:
            found.append((manager, field["field"]))
    return found


def _parsed(status: int, body: str) -> tuple[str, list[dict[str, Any]]]:
    """Return the message and the causes of a Status object, whatever the server sent."""
    try:
        parsed = json.loads(body) if body else {}
    except ValueError:
        parsed = {}
    parsed = parsed if isinstance(parsed, dict) else {}
    details = parsed.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    message = str(parsed.get("message") or f"The API server answered {status}.")
    return message, [cause for cause in causes or [] if isinstance(cause, dict)]


def _about_a_secret(status: int, message: str, causes: list[dict[str, Any]]) -> str:
    """Return the message in our own words: the server's may quote what was sent, and that is a Secret's data."""
    # A webhook chooses its status itself.
    if "webhook" not in message and status in (401, 403, 404, 409):
        return message
    fields = ", ".join(sorted({str(cause["field"]) for cause in causes if cause.get("field")}))
    who = "A webhook" if "webhook" in message else "The API server"
    return f"{who} refused the Secret with {status}" + (f" because of {fields}." if fields else ".")


def from_status(status: int, body: str, *, of_secret: bool = False) -> ClusterError:
    """Return our error for an answer of the API server: an HTTP status and a Status object.

    `of_secret` says that the request was about a Secret: then no word of the server is passed on that could
    quote its data.
    """
    message, causes = _parsed(status, body)
    denied = _WEBHOOK.search(message)
    if denied:
        # What it adds may quote the object, and a workload's variables may be set to anything.
        message = f'The admission webhook "{denied["name"]}" refuses it; its own log says why.'
    if of_secret:
        shown = _about_a_secret(status, message, causes)
        if "failed to create typed patch object" in message:
            return Invalid(shown)
        message = shown
    return _error(status, message, causes)


def _error(status: int, message: str, causes: list[dict[str, Any]]) -> ClusterError:
    if status == 409:
        return _conflict(message, causes)
    if status >= 500:
        if "failed to create typed patch object" in message:
            return Invalid(message)
        return WebhookFailed(message) if "webhook" in message else Unreachable(message, UNWELL)
    if status == 429:
        return Busy(message, UNWELL)
    kinds: dict[int, type[ClusterError]] = {
        400: Invalid, 401: Unauthorized, 403: Forbidden, 404: NotFound, 410: Gone, 422: Invalid,
    }  # fmt: skip
    return kinds.get(status, ClusterError)(message)


@contextmanager
def translated(host: str) -> Iterator[None]:
    """Turn what happens on the way, before the API server answers, into our errors."""
    import urllib3

    try:
        yield
    except egress.Forbidden as error:
        raise Untrusted(str(error)) from None
    except urllib3.exceptions.HTTPError as error:
        raise _no_answer(host, error) from None
    except ValueError:
        # A header or a host that cannot be sent; the message would quote the token.
        raise Unauthorized("The stored kubeconfig cannot be used.") from None


def _no_answer(host: str, error: Exception) -> Unreachable:
    inner = getattr(error, "reason", None) or error
    name = type(inner).__name__
    if "SSL" in name or "Certificate" in str(inner):
        return Untrusted(
            f"{host} shows a certificate that the kubeconfig's authority did not sign.",
            "Take certificate-authority-data from the cluster anew.",
        )
    if "Timeout" in name:
        return Unreachable(f"{host} did not answer in time.")
    if "NameResolution" in name:
        return Unreachable(f"{host} cannot be resolved.")
    return Unreachable(f"{host} refuses the connection.")
