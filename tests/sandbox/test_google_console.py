"""What plays Google as the console meets it: whose tokens it trusts, and what it refuses about clusters and keys."""

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from credentials.clouds import errors
from credentials.clouds import google as cloud
from sandbox import google_keys, tokens, world

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("google_endpoint")]

PROJECT = world.GOOGLE_CLUSTERS
CONSOLE = f"{world.GOOGLE_CONSOLE}@{PROJECT}.iam.gserviceaccount.com"
KEYS = f"v1/projects/{PROJECT}/serviceAccounts/{CONSOLE}/keys"


def api(google: Any, name: str) -> cloud.Api:
    return cloud.Api(cloud.by_key(cloud.parse_key(google.keys[name])))


class Console(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        root = f"http://127.0.0.1:{self.server.server_address[1]}"
        pages = {
            "/.well-known/openid-configuration": {"issuer": root, "jwks_uri": f"{root}/keys"},
            "/keys": {"keys": [{"kid": "1"}]},
            "/astray/.well-known/openid-configuration": {"jwks_uri": "http://127.0.0.1:9/keys"},
        }
        said = json.dumps(pages.get(self.path, [])).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def console() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Console) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class TestIssuers:
    def test_a_console_on_this_machine_is_asked_for_its_keys(self, console):
        assert tokens.published(console) == {"keys": [{"kid": "1"}]}

    @pytest.mark.parametrize(
        "issuer",
        [
            "https://keys.example",
            "http://169.254.169.254",
            "http://127.0.0.1.evil.example",
            "",
            "file:///etc",
        ],
    )
    def test_nobody_else_is_asked(self, issuer):
        assert tokens.published(issuer) is None

    def test_keys_that_lie_elsewhere_are_not_fetched(self, console):
        assert tokens.published(f"{console}/astray") is None

    def test_what_does_not_answer_publishes_nothing(self):
        assert tokens.published("http://127.0.0.1:9") is None


class TestKeys:
    def test_a_key_is_given_away_once(self, sandbox_google):
        made = api(sandbox_google, "console").call("POST", "iam", KEYS, "x.y.z", {})
        listed = api(sandbox_google, "console").call("GET", "iam", KEYS, "x.y.z")
        key_id = made["name"].rpartition("/")[2]
        api(sandbox_google, "console").call("DELETE", "iam", f"{KEYS}/{key_id}", "x.y.z")

        assert "privateKeyData" in made
        assert "privateKeyData" not in json.dumps(listed)
        with pytest.raises(errors.NotThere):
            api(sandbox_google, "console").call("GET", "iam", f"{KEYS}/{key_id}", "x.y.z")

    def test_there_are_ten_at_most(self, sandbox_google):
        asking = api(sandbox_google, "console")
        there = len(asking.call("GET", "iam", KEYS, "x.y.z")["keys"])
        made = [
            asking.call("POST", "iam", KEYS, "x.y.z", {})["name"] for _ in range(google_keys.MOST - there)
        ]

        try:
            with pytest.raises(errors.NotValid):
                asking.call("POST", "iam", KEYS, "x.y.z", {})
        finally:
            for name in made:
                asking.call("DELETE", "iam", f"v1/{name}", "x.y.z")

    def test_others_may_not_look(self, sandbox_google):
        with pytest.raises(errors.PermissionMissing):
            api(sandbox_google, "reader").call("GET", "iam", KEYS, "x.y.z")


class TestClusters:
    def test_a_place_has_its_own(self, sandbox_google):
        sandbox_google.gke("placed", location="us-east1", endpoint="203.0.113.1")
        path = f"v1/projects/{PROJECT}/locations"
        asking = api(sandbox_google, "console")

        here = asking.call("GET", "container", f"{path}/us-east1/clusters", "x.y.z")
        there = asking.call("GET", "container", f"{path}/us-east4/clusters", "x.y.z")
        everywhere = asking.call("GET", "container", f"{path}/-/clusters", "x.y.z")

        assert [one["name"] for one in here["clusters"]] == ["placed"]
        assert there == {}
        assert "placed" in [one["name"] for one in everywhere["clusters"]]

    def test_others_may_not_look(self, sandbox_google):
        path = f"v1/projects/{PROJECT}/locations/-/clusters"

        with pytest.raises(errors.PermissionMissing):
            api(sandbox_google, "reader").call("GET", "container", path, "x.y.z")
