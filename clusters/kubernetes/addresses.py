"""Which addresses may be called: private ones are fine on a self-hosted console, a cloud's metadata never is."""

import ipaddress
import socket
from urllib.parse import urlsplit

METADATA_NAMES = frozenset(
    {"metadata.google.internal", "metadata", "instance-data", "instance-data.ec2.internal"}
)
METADATA = frozenset(
    ipaddress.ip_address(address)
    for address in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192")
)


class Forbidden(ValueError):
    """The address leads to where nothing may be called. The message names it."""


def _refuse(host: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    mapped = getattr(address, "ipv4_mapped", None) or address
    if mapped in METADATA or mapped.is_link_local or mapped.is_multicast or mapped.is_unspecified:
        raise Forbidden(f"{host} is a link-local or metadata address; an API server is never there.")


def check(url: str) -> None:
    """Refuse a URL whose host is, or resolves to, a link-local or metadata address.

    A name that cannot be resolved passes: connecting to it says so itself.

    :raises Forbidden: with the host's name
    """
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    if host in METADATA_NAMES:
        raise Forbidden(f"{host} is a cloud's metadata service; an API server is never there.")
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except OSError:
        return
    for address in found:
        _refuse(host, ipaddress.ip_address(str(address).partition("%")[0]))
