"""Google Cloud, as far as the demo and the tests need it: HTTP on a loopback port, which refuses wrong keys and tokens.

`python -m sandbox.google --port N --count N` prints one line of JSON with the address and the keys, then serves.
It is a stand-in of our own: Secret Manager, IAM, Resource Manager, and the ways to sign in, written from Google's
public reference. Its faults and what tests plant in it go through `POST /sandbox/…`.
"""

import argparse
import json
import signal
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sandbox import google_api, google_gke, google_keys, google_tokens, google_writing, world
from sandbox.google_state import OAuthRefused, Refused, State
from sandbox.standin import StandIn

# Each of them adds its routes.
PARTS = (google_api, google_gke, google_keys, google_writing)


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
        """Say nothing: addresses here hold names."""

    def _serve(self) -> None:
        target = urllib.parse.urlsplit(self.path)
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        time.sleep(float(self.server.state.faults.get("hang", 0)) if target.path.startswith("/v") else 0)
        if self.server.state.faults.get("html") and not target.path.startswith("/sandbox/"):
            self._send(200, b"<html>Log in to the network</html>", "text/html")
            return
        try:
            with self.server.lock:
                found = self._answer(urllib.parse.unquote(target.path), target.query, sent)
            self._send(200, json.dumps(found).encode())
        except (Refused, OAuthRefused) as refusal:
            self._send(refusal.code, json.dumps(refusal.body).encode())

    def _answer(self, path: str, query: str, sent: bytes) -> dict[str, Any]:
        state = self.server.state
        if path in ("/token", "/v1/token") and self.command == "POST":
            form = dict(urllib.parse.parse_qsl(sent.decode()))
            return (
                google_tokens.jwt_grant(state, form, self.server.url)
                if path == "/token"
                else google_tokens.exchange(state, form)
            )
        try:
            body = json.loads(sent) if sent else {}
        except ValueError:
            raise Refused(400, "INVALID_ARGUMENT", "Invalid JSON payload received.") from None
        if path.startswith("/sandbox/"):
            return _planted(state, path, body)
        if path == "/tokeninfo":
            return google_tokens.info(state, dict(urllib.parse.parse_qsl(query)).get("access_token", ""))
        members = google_tokens.caller(state, self.headers.get("Authorization", ""))
        asked = google_api.Request(state, members, dict(urllib.parse.parse_qsl(query)), body)
        return google_api.answer(asked, self.command, path)

    def _send(self, code: int, body: bytes, kind: str = "application/json; charset=UTF-8") -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = do_DELETE = _serve


def _planted(state: State, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Do what a test asks for; nothing like it is at Google."""
    if path == "/sandbox/faults":
        state.faults, state.pages = body, 0
    elif path == "/sandbox/issuers":
        state.issuers[body["issuer"]] = body
    elif path == "/sandbox/pools":
        project = state.projects[body.get("project", world.GOOGLE_PROJECT)]
        pool = project.pools.setdefault(body["pool"], {"providers": {}})
        pool["providers"][body["provider"]] = {
            "oidc": {"issuerUri": body["issuer"], "allowedAudiences": body.get("audiences") or []},
            "attributeCondition": body.get("condition", ""),
            "disabled": body.get("disabled", False),
        }
        return {"audience": audience(project.number, body["pool"], body["provider"])}
    elif path == "/sandbox/bindings":
        account = state.accounts.get(body.get("account", ""))
        project = state.projects[body.get("project", world.GOOGLE_PROJECT)]
        state.bind(account.policy if account else project.policy, body["role"], body["member"])
    elif path == "/sandbox/gke":
        google_gke.register(state, body)
    elif path == "/sandbox/keys":
        state.clear()
    elif path == "/sandbox/accounts":
        state.accounts[body["email"]].disabled = body["disabled"]
    else:
        return _secrets(state, path, body)
    return {}


def _secrets(state: State, path: str, body: dict[str, Any]) -> dict[str, Any]:
    project = state.projects[body.get("project", world.GOOGLE_PROJECT)]
    place = (body.get("location", ""), body["name"])
    if path == "/sandbox/put":
        project.put(body["name"], body["value"], place[0])
        return {}
    if path == "/sandbox/delete":
        return {"gone": project.secrets.pop(place, None) is not None}
    return {"value": project.secrets[place]["versions"][-1]}


def audience(number: str, pool: str, provider: str) -> str:
    """Return the name of a workload identity pool's provider, which is the audience to exchange a token for."""
    return f"//iam.googleapis.com/projects/{number}/locations/global/workloadIdentityPools/{pool}/providers/{provider}"


def serve(port: int, count: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    server = _Server(("127.0.0.1", port), _Handler)
    server.state, server.lock = State(count), threading.Lock()
    keys = server.state.people()
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    print(json.dumps({"url": server.url, "keys": keys}), flush=True)
    ended.wait()
    server.shutdown()


class Google(StandIn):
    """The Google stand-in.

    `keys` are key.json texts: `reader` (reads and lists), `writer`, `limited` (may not list), `admin`, `other`, which is of
    another project, and `console`, which sees the GKE cluster and makes keys.
    """

    module = "sandbox.google"
    project, number = world.GOOGLE_PROJECT, world.GOOGLE_NUMBER

    def hear(self, said: dict[str, Any]) -> None:
        self.keys: dict[str, str] = said["keys"]

    def plant(self, what: str, **body: Any) -> dict[str, Any]:
        """Send something to `/sandbox/…`: faults, issuers, pools, bindings, accounts, keys (as
        at the start), put, delete, value."""
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}/sandbox/{what}", data=json.dumps(body).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            found: dict[str, Any] = json.loads(answer.read())
            return found

    def trust(self, issuer: str, jwks: dict[str, Any], cluster: str = "") -> None:
        """Let the stand-in reach a cluster's issuer; `cluster` is its address as a GKE cluster, if it plays one."""
        self.plant("issuers", issuer=issuer, jwks=jwks, cluster=cluster)

    def pool(self, pool: str, provider: str, issuer: str, **more: Any) -> str:
        """Make a workload identity pool with a provider and return its audience."""
        return str(self.plant("pools", pool=pool, provider=provider, issuer=issuer, **more)["audience"])

    def bind(self, role: str, member: str, account: str = "") -> None:
        """Grant a role on the project, or on a service account."""
        self.plant("bindings", role=role, member=member, account=account)

    def gke(self, name: str, **cluster: Any) -> None:
        """Let the project of clusters have one, or change it; `location`, `project` and what Google says of one."""
        self.plant("gke", name=name, **cluster)

    def put(self, name: str, value: str, location: str = "") -> None:
        """Write a secret, new or changed."""
        self.plant("put", name=name, value=value, location=location)

    def delete(self, name: str, location: str = "") -> None:
        self.plant("delete", name=name, location=location)

    def value(self, name: str, location: str = "") -> str:
        return str(self.plant("value", name=name, location=location)["value"])


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.google", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000, help="secrets of the project")
    given = parser.parse_args(list(arguments) if arguments is not None else None)
    serve(given.port, given.count)


if __name__ == "__main__":
    main()
