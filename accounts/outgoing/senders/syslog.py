"""Syslog as in RFC 5424: over TCP and TLS with octet counting (RFC 6587, RFC 5425), or a datagram an event.

No syslog has an acknowledgement. Over TCP and TLS the events count as accepted once all were written and the
receiver, told that there is no more, has closed its side or stayed silent for a while; a reset means no.
"""

import contextlib
import json
import os
import socket
import ssl
import unicodedata
from urllib.parse import urlsplit

from accounts.outgoing.causes import NotSent
from accounts.outgoing.payload import Event
from accounts.outgoing.senders.base import CONNECT, Accepted, Parcel
from config import egress

PORTS = {"udp": 514, "tcp": 514, "tls": 6514}
# Log audit, with the severity that an outcome has: informational, warning, error.
FACILITY = 13
SEVERITY = {"done": 6, "refused": 4, "failed": 3}
# Every receiver takes 2,048 bytes, the common ones 8,192.
LARGEST = 8192
# A datagram that does not fit into a frame of the network is lost easily.
LARGEST_DATAGRAM = 1400
# So long the receiver has to close its side.
CLOSING = 3.0
# The number that RFC 5612 keeps for examples: there is none of our own.
ELEMENT = "keyhaven@32473"


def send(parcel: Parcel) -> Accepted:
    """Write the events, in order.

    :raises NotSent: the receiver cannot be reached, or went away before it had them
    """
    parts = urlsplit(parcel.address)
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    try:
        egress.refuse_name(parcel.address)
        with _connected(parts.scheme, host, port) as connection:
            if parts.scheme == "udp":
                for event in parcel.events:
                    connection.send(message(event, LARGEST_DATAGRAM))
            else:
                connection.sendall(b"".join(_framed(message(event)) for event in parcel.events))
                _end(connection)
    except egress.Forbidden as error:
        raise NotSent("forbidden") from error
    except (OSError, UnicodeError) as error:
        raise NotSent(_cause(error)) from error
    return Accepted()


def _connected(scheme: str, host: str, port: int) -> socket.socket:
    """Return a connection to an address that may be called."""
    if scheme == "udp":
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        raw = socket.socket(family, kind, protocol)
        raw.settimeout(CONNECT)
        raw.connect(address)
    else:
        raw = socket.create_connection((host, port), CONNECT)
    try:
        egress.refuse(host, raw.getpeername()[0])
        if scheme != "tls":
            return raw
        bundle = os.environ.get("SSL_CERT_FILE") or None
        return ssl.create_default_context(cafile=bundle).wrap_socket(raw, server_hostname=host)
    except BaseException:
        raw.close()
        raise


def _end(connection: socket.socket) -> None:
    """Say that there is no more, and wait a moment for the receiver to close: a reset means that it has not all.

    :raises OSError: it was reset
    """
    connection.settimeout(CLOSING)
    with contextlib.suppress(TimeoutError, ssl.SSLError):
        if isinstance(connection, ssl.SSLSocket):
            connection.unwrap()
        else:
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1024):
                pass


def _cause(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return "tls"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, socket.gaierror | UnicodeError):
        return "name"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "broken"
    return "unreachable"


def _framed(line: bytes) -> bytes:
    """Return a message with its length before it, so that nothing in it can begin another one."""
    return f"{len(line)} ".encode() + line


def message(event: Event, largest: int = LARGEST) -> bytes:
    """Return an event as one line of RFC 5424, at most so many bytes: details go first, then the end of the text."""
    severity = SEVERITY.get(event["outcome"], SEVERITY["done"])
    # RFC 5424 has microseconds, and Z or an offset.
    at = event["at"].replace("+00:00", "Z")
    head = f"<{FACILITY * 8 + severity}>1 {at} {_name(socket.gethostname(), 255)} keyhaven - {_name(event['action'], 32)} "
    text = plain(event["sentence"])
    details = json.dumps(event["details"], ensure_ascii=False) if event["details"] else ""
    line = f"{head}{_element(event, details)} \ufeff{text}".encode()
    if len(line) > largest:
        line = f"{head}{_element(event, '')} \ufeff{text}".encode()
    # Cut between two characters.
    return line if len(line) <= largest else line[:largest].decode(errors="ignore").encode()


def _element(event: Event, details: str) -> str:
    values = {
        "id": event["id"],
        "sequence": str(event["sequence"]),
        "organization": event["organization"],
        "outcome": event["outcome"],
        "actor": event["actor"]["name"],
        "actorId": event["actor"]["id"],
        "target": event["target"]["name"],
        "targetType": event["target"]["type"],
        "cluster": event["cluster"],
        "origin": event["origin"]["kind"],
        "address": event["origin"]["address"],
        "requestId": event["origin"]["request_id"],
        "hash": event["hash"],
        "details": details,
    }
    pairs = (f'{name}="{_escaped(value)}"' for name, value in values.items() if value)
    return f"[{ELEMENT} {' '.join(pairs)}]"


def _escaped(value: str) -> str:
    text = plain(value).replace("\\", "\\\\")
    return text.replace('"', '\\"').replace("]", "\\]")


def plain(text: str) -> str:
    """Return text in one line: what controls a terminal, breaks a line or turns the direction is written as its code."""
    return "".join(
        f"#{ord(letter):04X}" if unicodedata.category(letter) in ("Cc", "Cf", "Zl", "Zp", "Cs") else letter
        for letter in text
    )


def _name(text: str, longest: int) -> str:
    """Return a word of the header: printable ASCII without spaces, `-` when nothing is left."""
    return "".join(letter for letter in text if "!" <= letter <= "~")[:longest] or "-"
