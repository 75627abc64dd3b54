"""The sandbox cluster: the API over HTTPS on a loopback port, in threads of this process."""

import base64
import contextlib
import datetime
import ipaddress
import json
import socket
import ssl
import tempfile
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sandbox.kubernetes import answers, flavours, iam, requests
from sandbox.kubernetes.controllers import Controllers
from sandbox.kubernetes.faults import Faults
from sandbox.kubernetes.identity import Identities, User
from sandbox.kubernetes.operations import Options
from sandbox.kubernetes.store import Store


def _certificates() -> tuple[bytes, bytes, bytes]:
    """Return a CA, and a certificate for loopback with its key, all PEM."""
    now = datetime.datetime.now(datetime.UTC)

    def build(
        subject: str, key: Any, issuer: x509.Name | None, signer: Any, authority: bool
    ) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer or name)
            .public_key(key.public_key())
        )
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(minutes=5))
        builder = builder.not_valid_after(now + datetime.timedelta(days=30))
        builder = builder.add_extension(x509.BasicConstraints(authority, None), critical=True)
        builder = builder.add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
        around = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        builder = builder.add_extension(around, critical=False)
        usage = x509.KeyUsage(True, False, False, False, False, authority, authority, False, False)
        builder = builder.add_extension(usage, critical=True)
        if not authority:
            names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(signer, hashes.SHA256())

    root, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = build("sandbox-ca", root, None, root, True)
    served = build("localhost", leaf, authority.subject, root, False)
    private = leaf.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = serialization.Encoding.PEM
    return authority.public_bytes(pem), served.public_bytes(pem), private


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    cluster: "Cluster"

    def get_request(self) -> tuple[socket.socket, Any]:
        # The handshake happens in the request's thread, so that one slow client holds up nobody.
        connection, address = self.socket.accept()
        connection.settimeout(60)
        return self.cluster.tls.wrap_socket(
            connection, server_side=True, do_handshake_on_connect=False
        ), address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are two writes; without this each answer waits 40 ms for the client's acknowledgement.
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *args: Any) -> None:
        """Nothing is logged: bodies hold secrets."""

    def _serve(self) -> None:
        cluster = self.server.cluster
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            trouble = cluster.faults.strike(self.command, self.path)
            status, answer = cluster.api.answer(self.command, self.path, self.headers, body)
            cluster.faults.strike_after(trouble)
        except answers.Refused as refused:
            status, answer = refused.code, refused.status()
        except ConnectionError:
            self.close_connection = True
            cluster.requests.append((self.command, self.path, 0))
            return
        cluster.requests.append((self.command, self.path, status))
        if hasattr(answer, "__next__"):
            self._stream(answer)
            return
        encoded = requests.encode(answer)
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(answer, str) else "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def _stream(self, events: Any) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with contextlib.suppress(OSError):
            for event in events:
                line = json.dumps(event).encode() + b"\n"
                self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve


class Cluster:
    """A Kubernetes API on https://127.0.0.1:PORT; use it as a context manager, or `start()` and `stop()`.

    Its kind is `eks`, `gke`, `aks`, `kapsule`, `plain` (of no cloud) or `sandbox` (nothing that is asked tells what it is).
    """

    def __init__(self, port: int = 0, kind: str = "sandbox", issuer: str = "") -> None:
        self.kind = kind
        self.store, self.identities, self.faults = Store(), Identities(), Faults()
        self.requests: deque[tuple[str, str, int]] = deque(maxlen=5000)
        self.api = requests.Api(self.store, self.identities)
        authority, certificate, key = _certificates()
        self.ca_pem = authority.decode()
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile(prefix="sandbox-") as file:
            file.write(certificate + key)
            file.flush()
            self.tls.load_cert_chain(file.name)
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.cluster = self
        self.port = self._server.server_address[1]
        self.url = f"https://127.0.0.1:{self.port}"
        self.api.issuer = issuer or flavours.issuer_of(kind, self.url)
        self.api.version = flavours.KINDS[kind].version
        # What the operator's own Pod finds as its identity: an AWS key ID with its secret, a Google key.json, an
        # application of Azure.
        self.ambient_aws: tuple[str, str] | None = None
        self.ambient_google: dict[str, Any] | None = None
        self.ambient_azure: dict[str, str] | None = None
        # Where its operator finds what plays Azure.
        self.azure_url = ""
        self._controllers = Controllers(self.store)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        for name in ("default", "kube-system"):
            self.load([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        self._controllers.start()
        self._thread.start()

    def stop(self) -> None:
        self.faults.clear()
        self._server.shutdown()
        self._server.server_close()
        self._controllers.stop()

    # -- ways in -------------------------------------------------------------------------------------
    def add_user(self, name: str, rules: list[dict[str, Any]], groups: tuple[str, ...] = ()) -> User:
        return self.identities.add(User(name, rules, ("system:authenticated", *groups)))

    def let_in_by_iam(self, aws_url: str, name: str, region: str) -> None:
        """Take the tokens that identities of AWS sign for the cluster that EKS there knows by this name."""
        self.identities.authenticators.append(iam.Authenticator(self.store, aws_url, name, region))

    def token(self, user: str = "sandbox-admin") -> str:
        return self.identities.users[user].token

    @property
    def issuer(self) -> str:
        """Who signs the tokens of ServiceAccounts."""
        return self.api.issuer

    def jwks(self) -> dict[str, Any]:
        """Return the keys that the issuer publishes."""
        return self.identities.jwks()

    def service_account_token(self, namespace: str, name: str, audience: str, seconds: int = 3600) -> str:
        """Return a token of a ServiceAccount, as a TokenRequest would.

        :raises answers.Refused: 404, there is no such ServiceAccount
        """
        wanted = {"audiences": [audience], "expirationSeconds": seconds}
        return str(self.api.token(namespace, name, wanted)["token"])

    def kubeconfig(self, user: str = "sandbox-admin", context: str = "sandbox") -> str:
        """Return a kubeconfig as YAML, with everything inside."""
        authority = base64.b64encode(self.ca_pem.encode()).decode()
        return str(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": context,
                    "clusters": [
                        {
                            "name": context,
                            "cluster": {"server": self.url, "certificate-authority-data": authority},
                        }
                    ],
                    "contexts": [{"name": context, "context": {"cluster": context, "user": user}}],
                    "users": [{"name": user, "user": {"token": self.token(user)}}],
                },
                sort_keys=False,
            )
        )

    # -- what is in it, for tests and seeds ----------------------------------------------------------------
    def load(self, manifests: str | list[dict[str, Any]]) -> None:
        """Create objects as somebody with kubectl would."""
        documents = yaml.safe_load_all(manifests) if isinstance(manifests, str) else manifests
        for manifest in documents:
            if manifest:
                group, _, version = manifest["apiVersion"].rpartition("/")
                found = [r for r in self.store.resources.values() if (r.group, r.version) == (group, version)]
                resource = next(r for r in found if r.kind == manifest["kind"])
                namespace = manifest["metadata"].get("namespace", "default")
                self.api.operations.create(resource, namespace, manifest, Options(manager="kubectl-create"))

    def get(self, kind: str, name: str, namespace: str = "") -> dict[str, Any] | None:
        resource = self.store.by_kind(kind)
        try:
            return self.api.operations.get(resource, namespace, name)
        except answers.Refused:
            return None

    def list(self, kind: str, namespace: str = "") -> list[dict[str, Any]]:
        try:
            return self.store.list_all(self.store.by_kind(kind), namespace)
        except StopIteration:
            return []
