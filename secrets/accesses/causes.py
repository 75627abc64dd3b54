"""Translating what the operator says to a cause and what to do, by the table of troubles."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from accesses import troubles
from accesses.providers import PROVIDERS, tokens
from clusters.kubernetes import errors

if TYPE_CHECKING:
    from accesses.models import Access

# What could be a key, a value or a request's number: long, and without the marks of a name or an ARN.
_LONG_WORD = re.compile(r"(?<![\w/:.-])[A-Za-z0-9+=_]{20,}(?![\w/:.-])")
_REQUEST_ID = re.compile(r",?\s*(RequestID|request id):\s*[\w-]+,?", re.IGNORECASE)
# AWS: “is not authorized to perform: X”; Google: “Permission 'X' denied”.
_ACTION = re.compile(
    r"not authorized to perform: (?P<aws>[\w:-]+)|Permission '(?P<google>[\w.]+)'", re.IGNORECASE
)
LONGEST = 240


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something of ours does not work in the cluster, and what to do about it.

    `slug` is its heading in docs/troubleshooting.md, empty when the table does not know it.
    """

    reason: str
    remedy: str
    slug: str = ""


def translate(message: str, access: "Access | None" = None) -> Cause:
    """Return the cause that the operator's words about a store mean; never quotes a key."""
    known = explain(message, "store", access, words(message, access))
    return known or Cause(said(message), "Test the access, correct it, then deploy again.")


def explain(
    message: str, about: troubles.About, access: "Access | None", named: Mapping[str, str]
) -> Cause | None:
    """Return the cause of the first row of the table that fits, its words filled in; None when none does."""
    provider = PROVIDERS.get(access.provider) if access else None
    cloud = (provider.cloud or provider.slug) if provider else ""
    for row in troubles.TABLE:
        if row.fits(message, about, cloud):
            remedy = row.remedies.get(access.method, row.remedy) if access else row.remedy
            return Cause(row.reason.format_map(named), remedy.format_map(named), row.slug)
    return None


def words(message: str, access: "Access | None") -> dict[str, str]:
    """Return what the table's texts name, as far as a message and an access tell."""
    found = _ACTION.search(message)
    return {
        "access": access.name if access else "the access",
        "namespace": "its namespace",
        "operator": access.cluster.operator_namespace if access else "its namespace",
        "subject": tokens.subject(access) if access else "the operator's ServiceAccount",
        "action": (found["aws"] or found["google"]) if found else "the right to read its value",
    }


def said(message: str) -> str:
    """Return the operator's own words as a sentence, redacted."""
    return f"The operator says: {clean(message)}"


def clean(message: str) -> str:
    """Return a message without tokens and long words, at most 240 characters."""
    text = _LONG_WORD.sub("••••", errors.redact(_REQUEST_ID.sub("", message)))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
