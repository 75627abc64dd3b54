"""Who may change an access, and never sees its credential, cannot have it sent to an address of theirs either."""

import http.server
import threading
from typing import Any

import pytest

from accesses import forms, providers
from accesses.models import Access
from tests import factories
from tests.accesses import worlds
from tests.accesses.worlds import Sandbox
from tests.api.conftest import Caller

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]


def _forms_with_an_address() -> list[tuple[str, str]]:
    return [
        (slug, method)
        for slug, method in worlds.cases()
        if (form := providers.PROVIDERS[slug].method(method).form).addresses()
        and set(form.secret_names()) - set(form.STAYS)
    ]


CASES = _forms_with_an_address()
ALIKE = [
    ("https://safe.example", "https://safe.example/below"),
    ("https://safe.example", "https://SAFE.example:443"),
]
OTHER = [
    "https://thief.example",
    "http://safe.example",
    "https://safe.example:8443",
    "https://safe.example.thief.example",
]


class _Thief(http.server.BaseHTTPRequestHandler):
    """Keeps what it is sent, and answers as if all were well."""

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode(errors="replace")
        self.server.taken.append(f"{self.command} {self.path}\n{self.headers}\n{body}")  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST = do_PUT = do_PATCH = _take

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def thief():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Thief)
    server.taken = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def access(request, organization) -> Access:
    slug, method = request.param
    found = worlds.of(slug, method, Sandbox(request))
    cluster = factories.make_cluster(organization=organization, name="prod")
    factories.make_service(cluster=cluster, namespace="shop", name="api")
    return worlds.make_access(slug, found, found.good, cluster=cluster, name="safe", namespaces=["shop"])


def _theirs(access: Access, thief: Any) -> dict[str, Any]:
    """Return the access's form as it is, with the thief's address in place of each."""
    form = providers.PROVIDERS[access.provider].method_of(access).form
    mine = f"http://127.0.0.1:{thief.server_port}"
    places = {name: f"{mine}/{{key}}" if name == "url" else mine for name in form.addresses()}
    return access.configuration | places


each = pytest.mark.parametrize("access", CASES, ids="-by-".join, indirect=True)


@each
def test_a_kept_credential_is_not_sent_to_an_address_that_somebody_enters(access, thief, sign_in, devops):
    browser = sign_in(devops)
    sent = _theirs(access, thief) | {"namespaces": ["shop"], "seen": str(access.version)}

    response = browser.post("/o/acme/clusters/prod/secret-managers/safe/edit/", sent)

    before = access.configuration
    access.refresh_from_db()
    assert response.status_code == 422
    assert "Enter it again" in response.content.decode()
    assert thief.taken == []
    assert access.configuration == before


@each
def test_nor_by_the_api(access, thief, organization, devops):
    form = providers.PROVIDERS[access.provider].method_of(access).form
    fields = {name: str(_theirs(access, thief)[name]) for name in form.addresses()}

    caller = Caller(factories.make_token(devops, organization))
    response = caller("PATCH", "/clusters/prod/accesses/safe", {"version": access.version, "fields": fields})

    assert response.status_code == 422, response.content
    assert thief.taken == []


@pytest.mark.parametrize(("before", "after"), ALIKE)
def test_another_path_at_the_same_place_keeps_it(before, after):
    assert _edited(before, after).is_valid()


@pytest.mark.parametrize("after", OTHER)
def test_another_place_wants_it_anew_and_takes_it(after):
    kept, anew = (
        _edited("https://safe.example", after),
        _edited("https://safe.example", after, token="hvs.new"),
    )

    assert set(kept.errors) == {"token"}
    assert anew.is_valid()


def _edited(before: str, after: str, **typed: str) -> Any:
    configuration = {"address": before, "namespace": "", "mount": "secret", "version": "2", "ca": ""}
    access = factories.make_access(
        provider="vault", method="token", configuration=configuration, credential={"token": "hvs.kept"},
        namespaces=["shop"],
    )  # fmt: skip
    factories.make_service(cluster=access.cluster, namespace="shop", name="api")
    method = providers.PROVIDERS["vault"].method("token")
    sent = configuration | {"address": after, "namespaces": ["shop"]} | typed
    return forms.edit_form(access, method, sent)
