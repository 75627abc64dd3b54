"""An access that may write, to a real stand-in, and managers that fail in every way over the network."""

import http.server
import json
import threading
from typing import Any

import pytest

from tests import factories


def keys(pair: tuple[str, str]) -> dict[str, str]:
    return {"access_key_id": pair[0], "secret_access_key": pair[1]}


@pytest.fixture
def cloud(aws_endpoint: str, sandbox_cloud: Any) -> Any:
    """The AWS stand-in; what a test wrote below `written/` is gone afterwards."""
    yield sandbox_cloud
    manager = sandbox_cloud.client("secretsmanager")
    listed = manager.list_secrets(
        IncludePlannedDeletion=True, MaxResults=100, Filters=[{"Key": "name", "Values": ["written/"]}]
    )
    for one in listed["SecretList"]:
        sandbox_cloud.delete(one["Name"])


@pytest.fixture
def access(cluster: Any) -> Any:
    """An access that writes below a prefix; its keys are the stand-in's where `writable` is asked for."""
    return factories.make_access(
        cluster=cluster,
        name="aws",
        namespaces=["shop"],
        prefix="written/",
        writes=True,
        tags={"team": "shop"},
    )


@pytest.fixture
def writable(access: Any, cloud: Any) -> Any:
    access.credential = keys(cloud.keys["writer"])
    access.save()
    return access


class Failing:
    """Something at AWS's address that fails; `seen` counts requests by their target."""

    def __init__(self, how: str) -> None:
        self.how, self.seen = how, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.seen.append((self.headers.get("X-Amz-Target", ""), body))
                if outer.how == "cut":
                    self.connection.close()
                    return
                if outer.how == "hang":
                    outer.ended.wait(20)
                    return
                status, code = {"500": (500, "InternalServiceError"), "denied": (400, "AccessDeniedException"),
                                "throttled": (400, "ThrottlingException")}[outer.how]  # fmt: skip
                # A manager that quotes what it was sent.
                answer = json.dumps({"__type": code, "message": body.decode()}).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        self.ended = threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def writes(self) -> list[str]:
        return [target.partition(".")[2] for target, _ in self.seen if "List" not in target]

    def stop(self) -> None:
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def failing(monkeypatch: Any) -> Any:
    """Return a function that lets AWS's address fail in one way: cut, hang, 500, denied, throttled."""
    started: list[Failing] = []

    def act(how: str) -> Failing:
        started.append(Failing(how))
        monkeypatch.setenv("AWS_ENDPOINT_URL", started[-1].url)
        return started[-1]

    yield act
    for one in started:
        one.stop()
