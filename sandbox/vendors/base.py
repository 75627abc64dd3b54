"""What the stand-ins of secret managers share: routes, faults, and what tests plant. Each is HTTP on a loopback port."""

import json
import re
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

type Found = Any
_NAME = re.compile(r"\{(\w+)(:path)?\}")


class Refused(Exception):
    """An answer that is no success, as the vendor gives it."""

    def __init__(self, status: int, body: Any = None, **headers: str) -> None:
        self.status, self.body = status, body
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        super().__init__(str(status))


@dataclass(frozen=True, slots=True)
class Answered:
    """A success that is not just `200` and a body."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """One request; `path` is as it was sent, `names` are the route's, decoded, `headers` are by small letters."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    names: dict[str, str] = field(default_factory=dict)

    @cached_property
    def json(self) -> Any:
        try:
            return json.loads(self.body) if self.body else {}
        except ValueError:
            raise Refused(400, {"message": "invalid JSON"}) from None

    @cached_property
    def form(self) -> dict[str, str]:
        return dict(urllib.parse.parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def bearer(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ").strip()


def route(method: str, template: str) -> Callable[[Any], Any]:
    """Mark a method of a vendor; `{name}` is one segment of the path, `{name:path}` the rest of it."""

    def mark(function: Any) -> Any:
        pattern = _NAME.sub(lambda found: f"(?P<{found[1]}>{'.+' if found[2] else '[^/]+'})", template)
        function.routes = [*getattr(function, "routes", ()), (method, re.compile(pattern))]
        return function

    return mark


class Vendor:
    """One secret manager. A subclass has `route`s, `facts` (addresses and credentials, for guides and tests), and
    `planted`, which does what a test asks for.

    Common faults: `status` and `body` (`times` of them) instead of an answer, `hang` seconds, `html` of a proxy, `location`
    of a redirect, and `ahead`, by how many seconds its clock is ahead, so that tokens are over.
    """

    slug: ClassVar[str]
    _routes: ClassVar[list[tuple[str, re.Pattern[str], str]]]

    def __init_subclass__(cls) -> None:
        cls._routes = [
            (method, pattern, name)
            for name in dir(cls)
            for method, pattern in getattr(getattr(cls, name), "routes", ())
        ]

    def __init__(self) -> None:
        self.url = ""
        self.faults: dict[str, Any] = {}

    def facts(self) -> dict[str, Any]:
        """Return what it prints when it is ready; `self.url` is known."""
        return {}

    def planted(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        """Do what a test asks for at `/sandbox/WHAT`; nothing like it is at the vendor."""
        raise Refused(404)

    def unknown(self, request: Request) -> Refused:
        """Return how the vendor answers an address that it does not have."""
        return Refused(404, {"message": "not found"})

    def now(self) -> float:
        return time.time() + float(self.faults.get("ahead", 0))

    def answer(self, request: Request) -> Found:
        """Return what one of the routes answers."""
        for method, pattern, name in self._routes:
            found = pattern.fullmatch(request.path) if method == request.method else None
            if found:
                names = {key: urllib.parse.unquote(value) for key, value in found.groupdict().items()}
                asked = Request(
                    request.method, request.path, request.query, request.headers, request.body, names
                )
                return getattr(self, name)(asked)
        raise self.unknown(request)

    def serve(self, request: Request) -> Answered:
        """Answer a request, or do what a test plants."""
        if request.path == "/sandbox/faults":
            self.faults = request.json
            return Answered({})
        if request.path.startswith("/sandbox/"):
            return Answered(self.planted(request.path.removeprefix("/sandbox/"), request.json))
        self._strike()
        found = self.answer(request)
        return found if isinstance(found, Answered) else Answered(found)

    def _strike(self) -> None:
        faults = self.faults
        if "status" not in faults or faults.get("times", 1) == 0:
            return
        if "times" in faults:
            faults["times"] -= 1
        headers = {"Location": faults["location"]} if "location" in faults else {}
        if "retry_after" in faults:
            headers["Retry-After"] = str(faults["retry_after"])
        raise Refused(int(faults["status"]), faults.get("body"), **headers)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Server"

    def log_message(self, *_: Any) -> None:
        """Say nothing: bodies here hold secrets."""

    def _serve(self) -> None:
        target = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(target.query, keep_blank_values=True))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, target.path, query, headers, body)
        faults = {} if target.path.startswith("/sandbox/") else self.server.vendor.faults
        time.sleep(float(faults.get("hang", 0)))
        if faults.get("html"):
            self._send(200, b"<html>Log in to the network</html>", {"Content-Type": "text/html"})
            return
        try:
            with self.server.lock:
                found = self.server.vendor.serve(request)
        except Refused as refusal:
            found = Answered(refusal.body, refusal.status, refusal.headers)
        self._send(found.status, _encoded(found.body), dict(found.headers))

    def _send(self, code: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in ({"Content-Type": "application/json"} | headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve


def _encoded(body: Any) -> bytes:
    if body is None:
        return b""
    return body if isinstance(body, bytes) else json.dumps(body).encode()


class Server(ThreadingHTTPServer):
    """Serves one vendor on a loopback port."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, vendor: Vendor, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.vendor, self.lock = vendor, threading.Lock()
        vendor.url = f"http://127.0.0.1:{self.server_address[1]}"

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True).start()
