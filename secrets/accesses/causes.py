"""What the operator says when it does not accept a store, translated by table to a cause and what to do."""

import re
from dataclasses import dataclass

from clusters.kubernetes import errors

# What could be a key, a value or a request's number: long, and without the marks of a name or an ARN.
_LONG_WORD = re.compile(r"(?<![\w/:.-])[A-Za-z0-9+=_]{20,}(?![\w/:.-])")
_REQUEST_ID = re.compile(r",?\s*(RequestID|request id):\s*[\w-]+,?", re.IGNORECASE)
LONGEST = 240

# (what the operator's message holds, reason, remedy); the first that fits counts.
_TABLE: tuple[tuple[str, str, str], ...] = (
    (
        r"cannot get Kubernetes secret|secrets? \"[^\"]*\" not found",
        "The credential of the store is not in the cluster.",
        "Deploy: it brings the credential back.",
    ),
    (
        r"cannot find secret data for key",
        "The credential in the cluster lacks a key.",
        "Deploy: it brings the credential as it is configured here.",
    ),
    (
        r"UnrecognizedClient|InvalidClientTokenId|SignatureDoesNotMatch|ExpiredToken|InvalidSignature",
        "The credentials are refused.",
        "Replace the credentials of the access, then deploy.",
    ),
    (
        r"AccessDenied|not authorized|PermissionDenied|permission denied",
        "The identity may not do what the operator tries.",
        "Test the access: the result shows the policy that is missing.",
    ),
    (
        r"no such host|connection refused|i/o timeout|dial tcp|context deadline exceeded",
        "The cluster does not reach the secret manager.",
        "Check the region or endpoint of the access, and the cluster's way out.",
    ),
)


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something of ours does not work in the cluster, and what to do about it."""

    reason: str
    remedy: str


def translate(message: str) -> Cause:
    """Return the cause that the operator's words mean; never quotes a key."""
    for pattern, reason, remedy in _TABLE:
        if re.search(pattern, message):
            return Cause(reason, remedy)
    return Cause(f"The operator says: {clean(message)}", "Test the access, correct it, then deploy again.")


def clean(message: str) -> str:
    """Return a message without tokens and long words, at most 240 characters."""
    text = _LONG_WORD.sub("••••", errors.redact(_REQUEST_ID.sub("", message)))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
