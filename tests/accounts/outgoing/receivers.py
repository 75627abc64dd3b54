"""Real receivers on loopback: HTTP with planned answers, syslog over TCP, TLS and UDP."""

import datetime
import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from accounts.outgoing import payload
from accounts.outgoing.senders import Parcel


class Receiver:
    """An HTTP server that notes what it gets; `answers` are (status, headers, body), the last one stays."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = [(200, {}, b"{}")]
        self.before: Callable[[], Any] = lambda: None
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append((self.path, dict(self.headers), body))
                receiver.before()
                planned = receiver.answers
                status, headers, content = planned.pop(0) if len(planned) > 1 else planned[0]
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(content))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, _, body in self.requests]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for body in self.bodies for event in body["events"]]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Listener:
    """A TCP server that reads until the sender is done; with a context it speaks TLS."""

    def __init__(self, context: ssl.SSLContext | None = None, *, resets: bool = False) -> None:
        self.read: list[bytes] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.context, self.resets = context, resets
        self.done = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                raw, _ = self.socket.accept()
            except OSError:
                return
            try:
                self._one(raw)
            except (OSError, ssl.SSLError):
                pass
            finally:
                raw.close()
                self.done.set()

    def _one(self, raw: socket.socket) -> None:
        if self.resets:
            # Closed with bytes unread: the kernel answers with a reset.
            time.sleep(0.2)
            return
        wrapped = self.context.wrap_socket(raw, server_side=True) if self.context else raw
        data = b""
        while piece := wrapped.recv(65536):
            data += piece
        self.read.append(data)
        wrapped.close()

    def close(self) -> None:
        self.socket.close()


def certificate(folder: Path) -> tuple[ssl.SSLContext, str]:
    """Return a server's context for 127.0.0.1 and the path of the certificate to trust."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_path = folder / "key.pem"
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key_path)
    return context, str(path)


def make_event(**fields: Any) -> payload.Event:
    event = payload.test("acme", "Marie") | {"id": "1-7", "sequence": 7, "action": "deploy.failed"}
    return event | {"outcome": "failed", "sentence": "Marie failed at Deploy 4 of prod"} | fields


def make_parcel(address: str, *events: payload.Event, secrets: tuple[str, ...] = ("",)) -> Parcel:
    return Parcel(
        id="delivery-1",
        organization_id=1,
        organization="Acme",
        slug="acme",
        name="on-call",
        address=address,
        secrets=secrets,
        events=events or (make_event(),),
    )
