"""What the operator says when it cannot bring a secret, translated to a cause and what to do."""

import re
from collections.abc import Sequence
from typing import Any

from accesses import causes
from accesses.causes import Cause
from clusters.kubernetes.events import WARNING
from external_secrets.models import ExternalSecret

# A key that looks like a path is no message of its own, whatever it is called: `prod/throttling-limits`.
_PATH = re.compile(r"[/:]")


def translate(message: str, link: ExternalSecret) -> Cause:
    """Return the cause that the operator's message means for a link; never quotes a value."""
    named = causes.words(message, link.access) | _words(link)
    known = causes.explain(_without_key(message, link), "link", link.access, named)
    return known or Cause(causes.said(message), "The operator's log says more.")


def last_words(link: ExternalSecret) -> str:
    """Return what the operator last complained of, redacted, to stand beside our own words; may be empty."""
    if link.status != ExternalSecret.Status.FAILED or link.status_reason.startswith(causes.said("")):
        return ""
    events: Sequence[dict[str, Any]] = link.events
    told = next((one["message"] for one in reversed(events) if one.get("type") == WARNING), "")
    return causes.said(str(told)) if told else ""


def _without_key(message: str, link: ExternalSecret) -> str:
    return message.replace(link.key, "KEY") if _PATH.search(link.key) else message


def _words(link: ExternalSecret) -> dict[str, str]:
    several = {
        ExternalSecret.Takes.PATH: f"secret below {link.key}",
        ExternalSecret.Takes.TAGS: f"secret with the tags {link.words_of_tags}",
    }
    found = {
        "namespace": link.namespace,
        "key": link.key or "what it takes",
        "named": several.get(ExternalSecret.Takes(link.takes), f"secret named {link.key}"),
        "field": link.json_field or "of that name",
        "version": link.version or "of that name",
        "object": link.object_name,
    }
    if link.variant is not None:
        namespace = link.access.cluster.operator_namespace
        found["subject"] = f"system:serviceaccount:{namespace}:{link.variant.service_account}"
    return found
