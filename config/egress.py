"""Which addresses may be called: private ones are fine on a self-hosted console, a cloud's metadata never is.

What people type as an address (an API server, an issuer, a webhook) is called by `session()`, or by a pool of
`config.sockets`: both look at whom they reached. `check` says early, beside the field, what they would refuse.
"""

import ipaddress
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from config.sockets import Session

# Seconds to connect, between two pieces of an answer, and for all of it.
TIMEOUT = (3.05, 10.0)
WHOLE = 15.0
LARGEST = 1024 * 1024

METADATA_NAMES = frozenset(
    {"metadata.google.internal", "metadata", "instance-data", "instance-data.ec2.internal"}
)
METADATA = frozenset(
    ipaddress.ip_address(address)
    for address in (
        "169.254.169.254",
        "fd00:ec2::254",
        "fd20:ce::254",
        "fd00:42::42",
        "100.100.100.200",
        "192.0.0.192",
        # Azure's platform, which hands a machine its certificates.
        "168.63.129.16",
    )
)
# Prefixes whose last 32 bits are an IPv4 address that a gateway or the kernel may turn to.
_CARRIERS = tuple(
    ipaddress.ip_network(network)
    for network in ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96", "::/96")
)

type Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Forbidden(ValueError):
    """The address leads to where nothing may be called. The message names it."""


class TooLarge(ValueError):
    """An answer is larger, or takes longer, than is read."""


def _inside(address: Address) -> list[Address]:
    """Return the address and every IPv4 address that it carries."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    carried = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    # ::1 is loopback, not 0.0.0.1.
    if any(address in carrier for carrier in _CARRIERS) and int(address) > 1:
        carried.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [address, *(one for one in carried if one is not None)]


def refuse(host: str, reached: str) -> None:
    """Refuse the address that a host stands for.

    :raises Forbidden: with the host's name
    """
    for address in _inside(ipaddress.ip_address(reached.partition("%")[0])):
        if address in METADATA or address.is_link_local or address.is_multicast or address.is_unspecified:
            raise Forbidden(f"{host} is a link-local or metadata address, which is never called.")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def refuse_name(url: str) -> str:
    """Refuse a URL whose host is, as it is written, where nothing may be called; return the host.

    :raises Forbidden: with the host's name
    """
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    if host in METADATA_NAMES:
        raise Forbidden(f"{host} is a cloud's metadata service, which is never called.")
    if _is_address(host):
        refuse(host, host)
    return host


def check(url: str) -> None:
    """Refuse a URL whose host is, or resolves to, a link-local or metadata address.

    A name that cannot be resolved passes: connecting to it says so itself.

    :raises Forbidden: with the host's name
    """
    host = refuse_name(url)
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return
    for address in found:
        refuse(host, str(address))


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine itself, by its name or address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"


def session(largest: int = LARGEST, ca: str = "") -> "Session":
    """Return a `requests.Session` for addresses that people typed; `ca` are authorities in PEM, which are then the only ones.

    It refuses forbidden addresses when it connects, whatever the name resolved to before; follows no redirect; takes
    no proxy, credential or cookie from outside; verifies TLS; has time limits; and reads at most `largest` bytes.

    :raises Forbidden: from a request, the address may not be called
    :raises TooLarge: from a request
    :raises requests.RequestException: from a request, any other failure
    """
    from config.sockets import Session  # noqa: PLC0415  requests loads on first use

    return Session(largest, ca)
