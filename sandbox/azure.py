"""Azure, as far as the demo and the tests need it: HTTP on a loopback port, which refuses wrong secrets and tokens.

`python -m sandbox.azure --port N` prints one line of JSON with the address and the applications, then serves. It is a
stand-in of our own: Entra's token address, Azure Resource Manager with AKS, and key vaults, written from Microsoft's public
reference. Its faults and what tests plant in it go through `POST /sandbox/…`.
"""

import argparse
import json
import signal
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sandbox import azure_arm, azure_state, azure_tokens, azure_vault
from sandbox import azure_vault_state as vaults
from sandbox.azure_state import Assignment, Refused, SignInRefused, State
from sandbox.kubernetes import Cluster, rbac
from sandbox.kubernetes.identity import EVERYTHING, User
from sandbox.standin import StandIn

_SIGN_IN = "/oauth2/v2.0/token"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    state: State
    lock: threading.Lock

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: Any) -> None:
        """Say nothing: bodies here hold secrets."""

    def _serve(self) -> None:
        target = urllib.parse.urlsplit(self.path)
        path, query = urllib.parse.unquote(target.path), dict(urllib.parse.parse_qsl(target.query))
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        faults = {} if path.startswith("/sandbox/") else self.server.state.faults
        time.sleep(float(faults.get("hang", 0)))
        if faults.get("html"):
            self._send(200, b"<html>Log in to the network</html>", {"Content-Type": "text/html"})
            return
        try:
            with self.server.lock:
                found = self._answer(path, query, sent, faults)
            self._send(200, json.dumps(found).encode(), {})
        except (Refused, SignInRefused) as refusal:
            self._send(refusal.status, json.dumps(refusal.body).encode(), refusal.headers)

    def _answer(
        self, path: str, query: dict[str, str], sent: bytes, faults: dict[str, Any]
    ) -> dict[str, Any]:
        state = self.server.state
        if path.startswith("/sandbox/vaults/"):
            return vaults.planted(state, path.removeprefix("/sandbox/vaults/"), json.loads(sent))
        if path.startswith("/sandbox/"):
            return _planted(state, path, json.loads(sent) if sent else {})
        if path.endswith(_SIGN_IN) and self.command == "POST":
            form = dict(urllib.parse.parse_qsl(sent.decode()))
            return azure_tokens.answer(state, path.removesuffix(_SIGN_IN).strip("/"), form)
        _strike(faults)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        if path.startswith("/vaults/"):
            body = json.loads(sent) if sent else {}
            asked = azure_vault.Request(state, token, self.command, path, query, body, self.server.url)
            return azure_vault.answer(asked)
        app = state.bearer(token, azure_tokens.ARM)
        if app is None:
            raise Refused(401, "InvalidAuthenticationToken", "The access token is invalid.")
        return azure_arm.answer(azure_arm.Request(state, app, query, self.server.url), self.command, path)

    def _send(self, code: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in ({"Content-Type": "application/json; charset=utf-8"} | headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve


def _strike(faults: dict[str, Any]) -> None:
    """Refuse as many requests as a test wants (`times`; all of them without), with its status and code."""
    if "status" not in faults or faults.get("times", 1) == 0:
        return
    if "times" in faults:
        faults["times"] -= 1
    headers = {"Retry-After": str(faults["retry_after"])} if "retry_after" in faults else {}
    if "location" in faults:
        headers["Location"] = faults["location"]
    raise Refused(int(faults["status"]), faults.get("code", "InternalServerError"), **headers)


def _planted(state: State, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Do what a test asks for; nothing like it is at Azure."""
    what, app = path.removeprefix("/sandbox/"), state.apps.get(body.get("client", ""))
    if app is not None:
        return _of_app(app, what, body)
    match what:
        case "faults":
            state.faults = body
        case "issuers":
            state.issuers[body["issuer"]] = body["jwks"]
        case "clusters":
            return azure_arm.register(state, body)
        case "whoami":
            found = state.bearer(body["token"], body["audience"])
            return {"object": found.object} if found else {}
        case "assign":
            state.assignments.append(Assignment(body["object"], body["role"], body["scope"]))
        case _:
            raise Refused(404, "NotFound")
    return {}


def _of_app(app: azure_state.App, what: str, body: dict[str, Any]) -> dict[str, Any]:
    match what:
        case "secret":
            return {"secret": app.new_secret(body.get("seconds", azure_state.YEAR))}
        case "forget":
            app.secrets.pop(body["secret"], None)
        case "federated":
            app.federated.append({name: body[name] for name in ("issuer", "subject", "audience")})
        case "unfederated":
            app.federated.clear()
        case "app":
            app.disabled = body["disabled"]
        case _:
            raise Refused(404, "NotFound")
    return {}


def serve(port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    server = _Server(("127.0.0.1", port), _Handler)
    server.state, server.lock = State(), threading.Lock()
    apps = server.state.people()
    azure_state.ROLES.update(vaults.ROLES)
    server.state.vaults[vaults.VAULT] = vaults.seeded()
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    print(json.dumps({"url": server.url, "apps": apps}), flush=True)
    ended.wait()
    server.shutdown()


class Azure(StandIn):
    """The Azure stand-in.

    `apps` are by name: `console` (finds and connects clusters), `reader` (finds them), `limited` (nothing), `vault-reader`
    and `vault-writer` (the secrets of the vault `vault`), and `other`, of another tenant; each with `tenant`, `client`, `object`, `subscription` and a `client_secret`.
    """

    module = "sandbox.azure"
    tenant, subscription = azure_state.TENANT, azure_state.SUBSCRIPTION
    vault = vaults.VAULT
    other_tenant, other_subscription = azure_state.OTHER_TENANT, azure_state.OTHER_SUBSCRIPTION

    def hear(self, said: dict[str, Any]) -> None:
        self.apps: dict[str, dict[str, str]] = said["apps"]

    def plant(self, what: str, **body: Any) -> dict[str, Any]:
        """Send something to `/sandbox/…`: faults, issuers, clusters, assign, vaults/…, secret, forget, federated, app."""
        return _post(f"{self.url}/sandbox/{what}", body)

    def value(self, name: str, vault: str = vaults.VAULT) -> str:
        """Return a secret's value, as its owner reads it."""
        return str(self.plant("vaults/value", name=name, vault=vault)["value"])

    def trust(self, issuer: str, jwks: dict[str, Any]) -> None:
        """Let the stand-in reach an issuer."""
        self.plant("issuers", issuer=issuer, jwks=jwks)

    def federate(
        self, app: str, issuer: str, subject: str, audience: str = "api://AzureADTokenExchange"
    ) -> None:
        """Give an application a federated credential."""
        client = self.apps[app]["client"]
        self.plant("federated", client=client, issuer=issuer, subject=subject, audience=audience)

    def enroll(self, cluster: Cluster, name: str = "prod", access: Iterable[str] = (), **more: Any) -> str:
        """Let AKS know a running cluster, as `enroll` does."""
        return enroll(self.url, cluster, name, access, **more)


def _post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(url, data=json.dumps(body).encode(), method="POST")  # noqa: S310
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        found: dict[str, Any] = json.loads(answer.read())
        return found


def enroll(url: str, cluster: Cluster, name: str, access: Iterable[str], **more: Any) -> str:
    """Let AKS know a running cluster, which from now on takes Entra's tokens, and return its ID; those of `access`, as
    object IDs, may do everything."""
    _post(f"{url}/sandbox/issuers", {"issuer": cluster.issuer, "jwks": cluster.jwks()})
    for principal in access:
        cluster.add_user(principal, EVERYTHING)
    cluster.identities.authenticators.append(authenticator(url, cluster))
    given = {"name": name, "issuer": cluster.issuer, "kubeconfig": cluster.kubeconfig("sandbox-viewer")}
    return str(_post(f"{url}/sandbox/clusters", given | more)["id"])


def authenticator(url: str, cluster: Cluster) -> Callable[[str], User | None]:
    """Return what tells an AKS cluster who holds one of Entra's tokens for AKS: its users are named by object IDs.

    As on AKS, one whom nothing was granted there is known all the same, and may do nothing but what the bindings in the
    cluster give.
    """

    def who(token: str) -> User | None:
        if token.count(".") != 2:
            return None
        try:
            found = _post(f"{url}/sandbox/whoami", {"token": token, "audience": azure_tokens.AKS}).get(
                "object"
            )
        except OSError:
            return None
        if not found:
            return None
        given = cluster.identities.users.get(found)
        return User(found, [*(given.rules if given else ()), rbac.ISSUER, *rbac.bound(cluster.store, found)])

    return who


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.azure", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--count", type=int, default=0, help="not used: a vault has as many as it has")
    serve(parser.parse_args(list(arguments) if arguments is not None else None).port)


if __name__ == "__main__":
    main()
