"""An OpenID Connect issuer on a loopback port, for the demo and the tests: the code flow with PKCE, and its faults.

`python -m sandbox.oidc --port N` prints one line of JSON with the issuer, the client and the people, then serves.
It checks the client, its secret, the redirect URI and PKCE as a real one does. `faults` tells it to misbehave.
"""

import argparse
import base64
import hashlib
import html
import json
import secrets
import signal
import threading
import time
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

PEOPLE: dict[str, dict[str, Any]] = {
    "jo": {"email": "jo@acme.example", "name": "Jo Winter", "email_verified": True, "amr": ["pwd", "otp"]},
    "max": {"email": "max@acme.example", "name": "Max Summer", "email_verified": True, "amr": ["pwd"]},
    "eve": {"email": "eve@elsewhere.example", "name": "Eve", "email_verified": True},
}


class OidcRefused(Exception):
    """What the token address answers with 400 or 401, by OAuth's own word."""

    def __init__(self, error: str, code: int = 400) -> None:
        self.error, self.code = error, code
        super().__init__(error)


@dataclass
class State:
    """What the issuer knows. `faults` are read with each request; `claims` are put into every ID token."""

    client_id: str = "keyhaven"
    client_secret: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    redirect_prefix: str = "http"
    people: dict[str, dict[str, Any]] = field(default_factory=lambda: {**PEOPLE})
    faults: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    key: Any = field(default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048))
    kid: str = "one"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    state: State

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: Any) -> None:
        """Say nothing: addresses here hold codes."""

    def _serve(self) -> None:
        parts = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        state = self.server.state
        state.asked.append(parts.path)
        if answer := state.faults.get(parts.path):
            self._send(*answer)
            return
        try:
            if parts.path == "/authorize":
                self._authorize(query)
                return
            found = self._answer(parts.path, dict(urllib.parse.parse_qsl(body)))
            self._send(200, json.dumps(found))
        except OidcRefused as refused:
            self._send(refused.code, json.dumps({"error": refused.error}))

    do_GET = do_POST = _serve

    def _answer(self, path: str, form: dict[str, str]) -> dict[str, Any]:
        if path == "/.well-known/openid-configuration":
            return {**_metadata(self.server.issuer), **self.server.state.faults.get("metadata", {})}
        if path == "/jwks":
            return {"keys": [_public(self.server.state)]}
        if path == "/token":
            return _redeem(self.server, form, self.headers.get("Authorization", ""))
        if path == "/userinfo":
            return _userinfo(self.server.state, self.headers.get("Authorization", ""))
        raise OidcRefused("not_found", 404)

    def _authorize(self, query: dict[str, str]) -> None:
        state = self.server.state
        target = query.get("redirect_uri", "")
        if query.get("client_id") != state.client_id or not target.startswith(state.redirect_prefix):
            raise OidcRefused("invalid_request")
        if query.get("code_challenge_method") != "S256" or "openid" not in query.get("scope", ""):
            raise OidcRefused("invalid_request")
        if (chosen := query.pop("person", "")) not in state.people:
            self._send(200, _choice(state, query), "text/html; charset=utf-8")
            return
        code = secrets.token_urlsafe(16)
        state.codes[code] = query | {"person": chosen, "auth_time": int(time.time())}
        back = {"code": code, "state": query.get("state", ""), "iss": self.server.issuer}
        back |= state.faults.get("callback", {})
        self.send_response(302)
        self.send_header("Location", f"{target}?{urllib.parse.urlencode(back)}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, code: int, body: str, kind: str = "application/json") -> None:
        sent = body.encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)


def _metadata(issuer: str) -> dict[str, Any]:
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/jwks",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "authorization_response_iss_parameter_supported": True,
    }


def _public(state: State) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(state.key.public_key()))
    return found | {"kid": state.kid, "use": "sig", "alg": "RS256"}


def _choice(state: State, query: dict[str, str]) -> str:
    hidden = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in query.items()
    )
    buttons = "".join(
        f'<p><button name="person" value="{html.escape(key)}">{html.escape(one["name"])} ({html.escape(one["email"])})'
        "</button></p>"
        for key, one in state.people.items()
    )
    return (
        '<!doctype html><html lang="en"><title>Sandbox issuer</title><h1>Who are you?</h1>'
        "<p>This is a stand-in for an identity provider.</p>"
        f'<form method="get" action="/authorize">{hidden}{buttons}</form></html>'
    )


def _client(state: State, form: dict[str, str], authorization: str) -> None:
    given = (form.get("client_id", ""), form.get("client_secret", ""))
    if authorization.startswith("Basic "):
        name, _, password = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        given = (urllib.parse.unquote(name), urllib.parse.unquote(password))
    if given != (state.client_id, state.client_secret):
        raise OidcRefused("invalid_client", 401)


def _redeem(server: _Server, form: dict[str, str], authorization: str) -> dict[str, Any]:
    state = server.state
    _client(state, form, authorization)
    grant = state.codes.pop(form.get("code", ""), None)
    digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    if (
        grant is None
        or form.get("grant_type") != "authorization_code"
        or grant["redirect_uri"] != form.get("redirect_uri")
        or grant.get("code_challenge") != challenge
    ):
        raise OidcRefused("invalid_grant")
    access = secrets.token_urlsafe(16)
    state.tokens[access] = grant["person"]
    return {
        "access_token": access,
        "token_type": "Bearer",
        "expires_in": 300,
        "id_token": id_token(server.issuer, state, grant),
    }


def id_token(issuer: str, state: State, grant: dict[str, Any]) -> str:
    """Return a person's ID token; `claims` override, None leaves out, `faults` choose key and algorithm."""
    now = int(time.time())
    claims = {
        "iss": issuer,
        "sub": f"sub-{grant['person']}",
        "aud": state.client_id,
        "iat": now,
        "exp": now + 300,
        "auth_time": grant["auth_time"],
        "nonce": grant.get("nonce", ""),
    }
    told = {name: value for name, value in state.people[grant["person"]].items() if name != "name" or value}
    claims = {name: value for name, value in (claims | told | state.claims).items() if value is not None}
    algorithm = state.faults.get("alg", "RS256")
    key: Any = state.faults.get("key", state.key)
    if algorithm == "none":
        key = None
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": state.faults.get("kid", state.kid)})


def _userinfo(state: State, authorization: str) -> dict[str, Any]:
    person = state.tokens.get(authorization.removeprefix("Bearer "))
    if person is None:
        raise OidcRefused("invalid_token", 401)
    return {"sub": f"sub-{person}", **state.people[person], **state.faults.get("userinfo", {})}


class Issuer:
    """The issuer in a thread of this process; use it as a context manager."""

    def __init__(self, port: int = 0) -> None:
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.state = self.state = State()
        self.url = self._server.issuer
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def facts(self) -> dict[str, str]:
        """What is entered in the console."""
        state = self.state
        return {"issuer": self.url, "client_id": state.client_id, "client_secret": state.client_secret}

    def choose(self, url: str, person: str) -> str:
        """Return where the browser is sent once a person was chosen on the page at `url`."""
        import requests

        answer = requests.get(f"{url}&person={person}", allow_redirects=False, timeout=5)
        answer.raise_for_status()
        return answer.headers["Location"]


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.oidc", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args(list(arguments) if arguments is not None else None)
    with Issuer(given.port) as issuer:
        people = ", ".join(one["email"] for one in issuer.state.people.values())
        print(json.dumps(issuer.facts | {"people": people}), flush=True)
        ended = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: ended.set())
        try:
            ended.wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
