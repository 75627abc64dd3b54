"""docs/add-a-cloud.md is true: its example, done as it says, is a cloud that keeps to the contract."""

import http.server
import json
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from config.paths import BASE_DIR
from credentials import clouds
from credentials.clouds.base import Cloud
from tests.credentials import contract

pytestmark = pytest.mark.django_db

TEXT = (BASE_DIR / "docs" / "add-a-cloud.md").read_text()
GOOD = {"project": "shop", "token": "tiny-canary-4f9a7c1e2b"}


def _space() -> dict[str, Any]:
    block = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert block
    space: dict[str, Any] = {"__name__": "example"}
    exec("\n".join(line.removeprefix("   ") for line in block[1].splitlines()), space)
    return space


class _Tiny(http.server.BaseHTTPRequestHandler):
    """The cloud of the example: one token, which may see one project."""

    def do_GET(self) -> None:
        known = self.headers["Authorization"] == f"Bearer {GOOD['token']}"
        found = self.path == f"/v1/projects/{GOOD['project']}/whoami"
        status = 401 if not known else 200 if found else 403
        body = {"email": "console@shop.tiny"} if status == 200 else {"error": self.headers["Authorization"]}
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """The cloud of the document's code, in the registry, with something that answers for it."""
    space = _space()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Tiny) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        space["API"] = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setitem(clouds.CLOUDS, "tiny", space["CLOUD"])
        yield space["CLOUD"]
        server.shutdown()


class TestExample(contract.Contract):
    kind = "tiny.token"
    identity = ("console@shop.tiny", "Service account", "shop")
    wrong = (
        contract.Wrong("no token", {"token": ""}, "Enter the token."),
        contract.Wrong("another token", {"token": "t" * 20}, "Tinycloud does not know this token."),
        contract.Wrong("another project", {"project": "other"}, "The credential lacks project.read."),
    )

    @pytest.fixture(autouse=True)
    def _registered(self, tiny: Cloud) -> None:
        """It is a cloud before anything is asked of it."""

    @pytest.fixture
    def good(self) -> dict[str, str]:
        return dict(GOOD)


def test_it_is_offered_beside_the_others(tiny, devops, sign_in):
    browser = sign_in(devops)

    page = browser.get("/o/acme/credentials/new/").content.decode()

    assert "Tinycloud" in page
    assert "tiny.token" in page


def test_it_takes_at_most_five_steps_in_files_that_are_there():
    steps = re.findall(r"^(\d)\. \*\*", TEXT, re.MULTILINE)
    files = re.findall(r"`([\w/.-]+(?:\.py|\.svg|\.md|/))`", TEXT)

    assert steps == ["1", "2", "3", "4", "5"][: len(steps)]
    assert 1 < len(steps) <= 5
    assert len(files) > 8
    assert [name for name in files if not (BASE_DIR / name).exists()] == []
