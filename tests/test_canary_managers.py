"""No secret manager gets the console to show what it was asked with, however it fails: each provider of the registry.

What answers in a manager's place echoes the whole request, sends elsewhere, cuts, or answers with what it likes.
"""

import base64
import http.server
import io
import json
import logging
import re
import threading
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session

from accesses import providers
from accesses.models import AccessDraft
from config import egress
from tests import factories
from tests.accesses import worlds
from tests.accesses.worlds import Sandbox
from tests.test_canary import tables
from tests.tools import broker

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]
CASES = worlds.cases()
# ServiceAccounts' and other tokens, and keys; certificates are no secret.
SHAPES = re.compile(r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.|BEGIN (?:RSA )?PRIVATE KEY|ya29\.\w+")
VALUE = "canary-value-51c7e0d9b2"
NEW = "/o/acme/clusters/prod/secret-managers/new/"


class _Hostile(http.server.BaseHTTPRequestHandler):
    """Answers each request as the server's `mode` says."""

    protocol_version = "HTTP/1.1"
    server: Any

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode(errors="replace")
        echo = f"{self.command} {self.path}\n{self.headers}\n{body}"
        self.server.asked += 1
        getattr(self, f"_{self.server.mode}")(echo)

    def _cut(self, echo: str) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n")
        self.wfile.write(json.dumps({"errors": [echo]})[:-3].encode())
        self.close_connection = True

    def _html(self, echo: str) -> None:
        self._send(200, f"<html>{echo}</html>", "text/html")

    def _redirect(self, echo: str) -> None:
        self._send(302, echo, Location=f"{self.server.url}/elsewhere?{urllib.parse.quote(echo)}")

    def _fails(self, echo: str) -> None:
        self._send(500, _said(echo))

    def _refuses(self, echo: str) -> None:
        self._send(400, _said(echo), **{"Retry-After": "-1e999"})

    def _denies(self, echo: str) -> None:
        self._send(403, _said(echo), **{"WWW-Authenticate": f"Basic realm={urllib.parse.quote(echo)}"})

    def _unknown(self, echo: str) -> None:
        self._send(401, _said(echo))

    def _slows(self, echo: str) -> None:
        self._send(429, _said(echo), **{"Retry-After": "99999999999999999999"})

    def _agrees(self, echo: str) -> None:
        self._send(200, _said(echo), **{"Set-Cookie": "a=b; Domain=localhost"})

    def _lists(self, echo: str) -> None:
        self._send(200, json.dumps([json.loads(_said(echo))]))

    def _send(self, status: int, body: str, kind: str = "application/json", **headers: str) -> None:
        sent = body.encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(sent)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(sent)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


MODES = [name.removeprefix("_") for name in ("_cut", "_html", "_redirect", "_fails", "_refuses", "_denies", "_unknown", "_slows", "_agrees", "_lists")]  # fmt: skip


def _said(echo: str) -> str:
    """Return the request in every place where a vendor's error says something."""
    names = ("message", "error", "error_description", "errors", "detail", "__type", "code", "reason", "nextLink", "data",
             "value", "id", "name", "token", "access_token", "items", "secrets", "cursor", "metadata", "auth")  # fmt: skip
    return json.dumps(dict.fromkeys(names, echo) | {"error": {"message": echo, "code": echo}})


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hostile)
    server.url, server.mode, server.asked = f"http://127.0.0.1:{server.server_port}", "fails", 0
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    monkeypatch.setattr(egress, "TIMEOUT", (1, 1))
    monkeypatch.setattr(egress, "WHOLE", 2)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that anybody logs, at DEBUG but for those whom the settings quieten."""
    stream, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(stream), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.fixture(params=CASES, ids="-by-".join)
def case(request: pytest.FixtureRequest) -> tuple[str, str]:
    found: tuple[str, str] = request.param
    return found


@pytest.fixture
def cluster(organization: Any) -> Any:
    found = factories.make_cluster(organization=organization, name="prod")
    factories.make_service(cluster=found, namespace="shop", name="api")
    return found


def turn(
    hostile: Any, monkeypatch: pytest.MonkeyPatch, configuration: dict[str, Any], form: Any
) -> dict[str, Any]:
    """Let every way to a manager lead to the hostile one; return the configuration with its address."""
    for name in dir(settings):
        if name.endswith("_ENDPOINT_URL") and getattr(settings, name):
            monkeypatch.setattr(settings, name, hostile.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL", hostile.url)
    places = {
        name: f"{hostile.url}/find?name={{key}}" if name == "url"
        else hostile.url.replace("http:", configuration[name].partition(":")[0] + ":")
        for name in form.addresses()
    }  # fmt: skip
    return configuration | places | ({"test_key": "prod/db"} if "url" in places else {})


def spellings(secret: str) -> set[str]:
    """Return a secret as it may stand somewhere: as it is, quoted, escaped, within base64 at each offset."""
    raw = secret.encode()
    cuts = {base64.b64encode(b"x" * at + raw)[4 if at else 0 : -4].decode() for at in range(3)}
    lines = {line for line in secret.splitlines() if len(line) > 12 and not line.startswith("-----")}
    found = {secret, urllib.parse.quote(secret), json.dumps(secret)[1:-1], *cuts, *lines}
    return {one for one in found if len(one) >= 8}


def _sessions() -> str:
    return json.dumps([one.get_decoded() for one in Session.objects.all()], default=str)


def everywhere(log: io.StringIO, shown: list[str]) -> dict[str, str]:
    """Return all places where nothing secret may be, as text."""
    places = {"log": log.getvalue(), "pages": "\n".join(shown), "broker": broker(settings.REDIS_URL)}
    return places | {"sessions": _sessions()} | tables()


def look(places: dict[str, str], secrets: set[str]) -> dict[str, str]:
    """Return where any of the secrets is, with what stands before it."""
    found = {}
    for where, text in places.items():
        for one in secrets:
            if (at := text.find(one)) >= 0:
                found[where] = text[max(0, at - 120) : at]
    return found


def test_a_wizard_whose_manager_is_hostile_leaves_its_credential_nowhere(
    case, request, cluster, sign_in, devops, hostile, log, monkeypatch
):
    slug, method = case
    found = worlds.of(slug, method, Sandbox(request))
    browser = sign_in(devops)
    draft = AccessDraft.objects.create(
        cluster=cluster, by=devops, provider=slug, method=method, configuration=found.configuration,
        credential=found.good,
    )  # fmt: skip
    found.prepare(draft)
    form = providers.PROVIDERS[slug].method(method).form
    entered = turn(hostile, monkeypatch, found.configuration, form) | found.good
    where, shown = f"{NEW}{draft.pk}/", []

    for mode in MODES:
        hostile.mode = mode
        sent = browser.post(f"{where}details/", {"name": "safe", "namespaces": ["shop"]} | entered)
        again = browser.post(f"{where}test/", {"wish": "test"})
        assert sent.status_code in (302, 422), (mode, sent.status_code)
        assert again.status_code in (302, 404), (mode, again.status_code)
        shown += [sent.content.decode(), browser.get(f"{where}details/").content.decode()]
        shown += [browser.get(f"{where}test/").content.decode()]

    assert hostile.asked >= len(MODES) or slug in ("built-in", "kubernetes"), "by no address, or by TLS alone"
    secrets = {one for value in found.good.values() for one in spellings(value)}
    places = everywhere(log, shown)
    assert look(places, secrets) == {}
    assert {name for name, text in places.items() if SHAPES.search(text)} == set()


WRITING = [case for case in CASES if providers.PROVIDERS[case[0]].writing is not None]


@pytest.mark.parametrize("case", WRITING, ids="-by-".join, indirect=True)
def test_a_write_whose_manager_is_hostile_leaves_its_value_nowhere(
    case, request, cluster, sign_in, admin, hostile, log, monkeypatch
):
    slug, method = case
    found = worlds.of(slug, method, Sandbox(request))
    configuration = found.writer_configuration or found.configuration
    access = worlds.make_access(
        slug, found, found.writer or found.good, cluster=cluster, name="safe", namespaces=["shop"], writes=True,
        configuration=configuration,
    )  # fmt: skip
    form = providers.PROVIDERS[slug].method(method).form
    access.configuration = turn(hostile, monkeypatch, configuration, form)
    access.save()
    browser = sign_in(admin)
    name, shown = found.names[0], []

    for mode in MODES:
        hostile.mode = mode
        for act, body in (
            ("new", {"name": f"{found.namespace}x-{mode}", "value": VALUE}),
            ("version", {"value": VALUE}),
        ):
            page = browser.post(
                f"/o/acme/secrets/{'new' if act == 'new' else 'show/version'}/?access={access.pk}&name={name}",
                body,
            )
            shown.append(page.content.decode() + str(page.headers))

    assert hostile.asked >= len(MODES) or slug in ("built-in", "kubernetes"), "by no address, or by TLS alone"
    secrets = {one for value in {VALUE, *(found.writer or {}).values()} for one in spellings(value)}
    places = everywhere(log, shown)
    assert look(places, secrets) == {}
    assert {where for where, text in places.items() if SHAPES.search(text)} == set()


def test_the_search_would_find_each_spelling(log, organization):
    logging.getLogger("x").warning(
        "Authorization: Basic %s", base64.b64encode(f"u:{VALUE}".encode()).decode()
    )
    factories.make_cluster(organization=organization, status_reason=urllib.parse.quote(f"a b {VALUE}"))

    assert set(look(everywhere(log, [VALUE]), spellings(VALUE))) == {"log", "pages", "clusters_cluster"}
