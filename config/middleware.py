"""Small middleware: who is asking through which proxy, what the audit log notes of it, what may be stored."""

import ipaddress
import uuid
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template import loader

from accounts.audit import origin

type Next = Callable[[HttpRequest], HttpResponse]


def _trusted(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in settings.TRUSTED_PROXIES)


def plain_address(address: str) -> str:
    """Return an address as everything else knows it: IPv4 out of the IPv6 of a socket that has both, and no zone.

    Else all of IPv4 would be one network to whoever counts by it, and no range of TRUSTED_PROXIES.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def client_address(peer: str, forwarded: str) -> str:
    """Return the nearest address that is not one of our proxies; `forwarded` counts only from a trusted peer."""
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    address = peer
    while hops and _trusted(address):
        hop = plain_address(hops.pop())
        try:
            ipaddress.ip_address(hop)
        except ValueError:
            break
        address = hop
    return address


def trust_proxies(get_response: Next) -> Next:
    """Set REMOTE_ADDR and the scheme from the headers of listed proxies, and of nobody else."""

    def middleware(request: HttpRequest) -> HttpResponse:
        meta = request.META
        peer = meta["REMOTE_ADDR"] = plain_address(meta.get("REMOTE_ADDR", ""))
        meta.pop("HTTP_X_KEYHAVEN_PROTO", None)
        if _trusted(peer):
            meta["HTTP_X_KEYHAVEN_PROTO"] = meta.get("HTTP_X_FORWARDED_PROTO", "").strip().lower()
            meta["REMOTE_ADDR"] = client_address(peer, meta.get("HTTP_X_FORWARDED_FOR", ""))
        return get_response(request)

    return middleware


def audit_context(get_response: Next) -> Next:
    """Give the audit log the address, the agent and an id of the request."""

    def middleware(request: HttpRequest) -> HttpResponse:
        request_id = uuid.uuid4().hex
        with origin.of_request(
            address=request.META.get("REMOTE_ADDR", "")[:45],
            user_agent=request.headers.get("User-Agent", "").replace("\x00", "")[:200],
            request_id=request_id,
        ):
            response = get_response(request)
        response.headers["X-Request-Id"] = request_id
        return response

    return middleware


def no_store(get_response: Next) -> Next:
    """Keep every page out of caches: pages name secrets, and a signed-out browser must not show them again."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return middleware


def small_bodies(get_response: Next) -> Next:
    """Answer 413 to a body that no form can have, unread: a file of it would fill the disk before anybody is asked who they are.

    The API answers its own, as a problem document. A body without a length is empty to Django.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if (
            not request.path.startswith("/api/")
            and length.isdecimal()
            and int(length) > settings.LARGEST_BODY
        ):
            return HttpResponse(loader.get_template("413.html").template.source, status=413)  # type: ignore[attr-defined]
        return get_response(request)

    return middleware
