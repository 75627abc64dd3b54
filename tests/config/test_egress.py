"""The one rule of which addresses are called, at the socket itself."""

import contextlib
import http.server
import ipaddress
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from config import egress


class _Answers(http.server.BaseHTTPRequestHandler):
    seen: list[str] = []

    def do_GET(self) -> None:
        self.seen.append(self.path)
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Set-Cookie", "session=1")
        self.end_headers()
        size = 4096 if self.path == "/large" else 2
        with contextlib.suppress(OSError):
            self.wfile.write(b"o" * size)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    _Answers.seen = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


def test_what_is_allowed_is_answered(server):
    assert egress.session().get(f"{server}/").text == "oo"


def test_a_redirect_is_not_followed(server):
    answer = egress.session().get(f"{server}/redirect")

    assert answer.status_code == 302
    assert _Answers.seen == ["/redirect"]


def test_no_more_is_read_than_allowed(server):
    with pytest.raises(egress.TooLarge):
        egress.session(largest=1024).get(f"{server}/large")


def test_a_name_that_leads_elsewhere_after_a_check_is_refused_at_the_socket(server, monkeypatch):
    here = ipaddress.ip_address("127.0.0.1")
    monkeypatch.setattr(egress, "METADATA", egress.METADATA | {here})

    with pytest.raises(egress.Forbidden, match="metadata address"):
        egress.session().get(f"{server}/")

    assert _Answers.seen == []


@pytest.mark.parametrize(
    "url",
    [
        "http://metadata.google.internal/",
        "https://METADATA.google.internal./x",
        "http://169.254.169.254/latest",
        "http://[fe80::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://[::ffff:0:169.254.169.254]/",
        "http://[64:ff9b:1::169.254.169.254]/",
        "http://[fd20:ce::254]/",
        "http://168.63.129.16/machine",
        "http://0.0.0.0/",
    ],
)
def test_a_metadata_name_is_not_even_looked_up(url):
    with pytest.raises(egress.Forbidden):
        egress.session().get(url)


def test_the_environment_names_no_proxy(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    assert egress.session().get(f"{server}/").status_code == 200


def test_no_cookie_is_kept(server):
    session = egress.session()

    session.get(f"{server}/")

    assert not list(session.cookies)


def test_nobody_there_is_an_ordinary_failure():
    with pytest.raises(requests.ConnectionError):
        egress.session().get("http://127.0.0.1:9/")


@pytest.mark.parametrize(
    ("host", "is_it"),
    [("127.0.0.1", True), ("localhost", True), ("[::1]", True), ("10.0.0.1", False), ("x", False)],
)
def test_loopback_is_this_machine(host, is_it):
    assert egress.is_loopback(host) is is_it
