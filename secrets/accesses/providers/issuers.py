"""Whether a cloud can reach a cluster's issuer, as far as its address tells."""

import ipaddress
from urllib.parse import urlsplit

from accesses.providers.base import Obstacle

_LOCAL = (".local", ".internal", ".svc", ".localhost", ".lan", ".home.arpa")


def public(issuer: str) -> str:
    """Return an empty string if clouds can fetch the issuer's keys, or else why they cannot."""
    if not issuer:
        return "The cluster does not tell who issues its tokens."
    parts = urlsplit(issuer)
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme != "https" or not host:
        return f"The cluster's issuer is {issuer}; clouds fetch its keys over HTTPS only."
    try:
        inside = not ipaddress.ip_address(host).is_global
    except ValueError:
        inside = "." not in host or host.endswith(_LOCAL)
    return f"The cluster's issuer is {issuer}, which no cloud can reach." if inside else ""


def obstacle(issuer: str, otherwise: str) -> Obstacle | None:
    """Return what stands in federation's way; `otherwise` is the way that is left."""
    why = public(issuer)
    if not why:
        return None
    return Obstacle(
        why,
        "Give the API server a public HTTPS address as --service-account-issuer, and publish its keys there; "
        f"or use {otherwise}.",
    )
