"""Whatever answers for a cloud: nothing but a `ProviderError` comes of it, and what is kept of it can be kept and shown."""

import base64
import json
import logging
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from config import egress
from credentials.clouds import CLOUDS, answers
from credentials.clouds.base import Found
from credentials.clouds.errors import NotReachable, ProviderError

pytestmark = pytest.mark.django_db

ID, TENANT, CLIENT = (f"{digit * 8}-2222-3333-4444-555555555555" for digit in "123")
ODD = (True, 10**400, [None], "x", "\x00", "\ud800", "9999-99-99T99:99:99Z", "\u202eevil", "y" * 10_000)
NO_JSON = (b"[" * 100_000, b"\xff\xfe", b"<html>")
AUTHORITY = base64.b64encode(b"-----BEGIN CERTIFICATE").decode()
KUBECONFIG = base64.b64encode(
    json.dumps(
        {
            "clusters": [{"cluster": {"server": "https://x.test", "certificate-authority-data": AUTHORITY}}],
            "users": [{"user": {"token": "canary-token", "exec": {"command": "canary-exec"}}}],
        }
    ).encode()
).decode()


class _Answers(BaseHTTPRequestHandler):
    def _answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.answer(self)

    do_GET = do_POST = _answer

    def log_message(self, *args):
        pass


class Host(ThreadingHTTPServer):
    """Answers for every cloud."""

    def say(self, body, status=200):
        def answer(request):
            request.send_response(status)
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            request.wfile.write(body)

        self.answer = answer


@pytest.fixture
def host(settings):
    made = Host(("127.0.0.1", 0), _Answers)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{made.server_port}"
    settings.SCALEWAY_ENDPOINT_URL = settings.AZURE_ENDPOINT_URL = settings.GOOGLE_ENDPOINT_URL = url
    yield made
    made.shutdown()
    made.server_close()


def _scaleway():
    facts = {"project": ID, "organization": ID, "region": "fr-par"}
    cluster = {
        "id": ID, "region": "fr-par", "name": "n", "project_id": ID, "status": "ready", "version": "1.33",
        "cluster_url": "https://x.test",
    }  # fmt: skip
    good = cluster | {
        "application_id": ID, "created_at": "2026-01-01T00:00:00Z", "description": "d", "clusters": [cluster],
        "expires_at": "2027-01-01T00:00:00Z", "total_count": 1, "content": KUBECONFIG,
    }  # fmt: skip
    secret = {"access_key": "SCW" + "A" * 17, "secret_key": ID}
    return "scaleway", facts, secret, {"region": "fr-par", "id": ID}, good


def _azure():
    facts = {
        "tenant": TENANT, "client": CLIENT, "subscription": ID, "environment": "AzureCloud", "subject": "s",
        "issuer": "https://x.test",
    }  # fmt: skip
    path = f"/subscriptions/{ID}/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/n"
    cluster = {
        "id": path,
        "location": "fr",
        "properties": {
            "fqdn": "x.test", "provisioningState": "Succeeded", "powerState": {"code": "Running"},
            "aadProfile": {"managed": True, "tenantID": TENANT}, "apiServerAccessProfile": {"enablePrivateCluster": False},
            "oidcIssuerProfile": {"issuerURL": "https://x.test"}, "kubernetesVersion": "1.33",
        },
    }  # fmt: skip
    good = cluster | {
        "access_token": "a.b.c", "expires_in": 3600, "subscriptionId": ID, "displayName": "d", "value": [cluster],
        "nextLink": None, "kubeconfigs": [{"value": KUBECONFIG}],
    }  # fmt: skip
    return "azure", facts, {"client_secret": "z" * 30}, {"id": path}, good


def _google():
    facts = {
        "project": "acme-prod", "email": "", "subject": "s", "issuer": "https://x.test",
        "provider": "projects/1/locations/global/workloadIdentityPools/pool/providers/prov",
    }  # fmt: skip
    cluster = {
        "name": "n", "location": "europe-west1", "status": "RUNNING", "endpoint": "1.2.3.4",
        "masterAuth": {"clusterCaCertificate": AUTHORITY}, "currentMasterVersion": "1.33",
        "privateClusterConfig": {"publicEndpoint": "1.2.3.4"},
        "controlPlaneEndpointsConfig": {"ipEndpointsConfig": {"enabled": True, "publicEndpoint": "1.2.3.4"}},
    }  # fmt: skip
    good = cluster | {
        "access_token": "a", "expires_in": 3600, "token_type": "Bearer", "issued_token_type": "x",
        "projectId": "acme-prod", "clusters": [cluster], "missingZones": ["a"],
    }  # fmt: skip
    return "gcp", facts, {}, {"project": "acme-prod", "location": "europe-west1", "name": "n"}, good


def _calls(slug, facts, secret, locator):
    """Return what asks a cloud, by name; each signs in anew."""
    cloud = CLOUDS[slug]
    method = next(one for one in cloud.methods if one.keyless is not bool(secret))
    finder = cloud.finder
    return {
        "identify": lambda: method.identify(secret, facts),
        "find": lambda: finder.find(method.sign_in(secret, facts), facts, ""),
        "describe": lambda: finder.describe(method.sign_in(secret, facts), facts, locator),
    }


def _paths(document, before=()):
    pairs = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in pairs if isinstance(document, dict | list) else ():
        yield (*before, key)
        if isinstance(value, dict | list):
            yield from _paths(value, (*before, key))


def _spoiled(good):
    """Yield a good answer with one of its values replaced by something odd, for each of both."""
    for path in _paths(good):
        for odd in ODD:
            document = at = json.loads(json.dumps(good))
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] = odd
            yield json.dumps(document).encode()


def _texts(kept):
    """Return all texts of what was kept of an answer."""
    if isinstance(kept, Found):
        return [kept.name, kept.place, kept.account, kept.endpoint, kept.issuer, *kept.locator.values()]
    if isinstance(kept, list):
        return [text for one in kept for text in _texts(one)]
    return [*kept.values()] if isinstance(kept, dict) else []


@pytest.mark.parametrize("cloud", [_scaleway, _azure, _google])
def test_an_answer_of_any_shape_is_understood_or_refused(host, cloud):
    slug, facts, secret, locator, good = cloud()
    wrong, unfit = [], []

    for name, call in _calls(slug, facts, secret, locator).items():
        for body in _spoiled(good):
            host.say(body)
            try:
                unfit += [
                    text for text in _texts(call()) if {*"\x00\ud800\u202e"} & {*text} or len(text) > 2_000
                ]
            except ProviderError:
                continue
            except Exception as error:
                wrong.append(f"{name}: {type(error).__name__} {error}")

    assert wrong == []
    assert unfit == []


@pytest.mark.parametrize("cloud", [_scaleway, _azure, _google])
@pytest.mark.parametrize("body", NO_JSON, ids=range(len(NO_JSON)))
def test_what_is_no_answer_is_refused(host, cloud, body):
    slug, facts, secret, locator, _ = cloud()
    call = _calls(slug, facts, secret, locator)["identify"]

    for status in (200, 403):
        host.say(body, status)
        with pytest.raises(ProviderError):
            call()


@pytest.mark.parametrize("cloud", [_scaleway, _azure, _google])
def test_nothing_of_a_kubeconfig_but_where_the_cluster_is_gets_further(host, cloud):
    slug, facts, secret, locator, good = cloud()
    host.say(json.dumps(good).encode())

    found = _calls(slug, facts, secret, locator)["describe"]()

    assert "canary" not in repr(vars(type(found))) + repr([getattr(found, name) for name in found.__slots__])


@pytest.mark.parametrize("cloud", [_scaleway, _azure, _google])
def test_a_body_without_an_end_is_not_read_to_it(host, cloud, monkeypatch):
    slug, facts, secret, locator, _ = cloud()
    monkeypatch.setattr(answers, "LARGEST", 100_000)
    host.say(b"x" * 5_000_000)

    with pytest.raises(NotReachable):
        _calls(slug, facts, secret, locator)["identify"]()


def _drip(request):
    """Send a byte now and then, without an end."""
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    for _ in range(60):
        try:
            request.wfile.write(b" ")
        except OSError:
            return
        time.sleep(0.1)


@pytest.mark.parametrize("cloud", [_scaleway, _azure, _google])
def test_a_body_that_drips_is_not_waited_for(host, cloud, monkeypatch):
    slug, facts, secret, locator, _ = cloud()
    monkeypatch.setattr(answers, "SECONDS", 0.5)
    host.answer = _drip
    began = time.monotonic()

    with pytest.raises(NotReachable):
        _calls(slug, facts, secret, locator)["identify"]()

    assert time.monotonic() - began < 4


def test_an_address_that_drips_is_not_waited_for(host, monkeypatch):
    monkeypatch.setattr(egress, "WHOLE", 0.5)
    host.answer = _drip
    began = time.monotonic()

    with pytest.raises(egress.TooLarge):
        egress.session().get(f"http://127.0.0.1:{host.server_port}/")

    assert time.monotonic() - began < 4


def test_what_is_not_understood_is_logged_without_its_value(caplog):
    asks = answers.understood(lambda: int("canary-value"))

    with caplog.at_level(logging.DEBUG), pytest.raises(NotReachable) as caught:
        asks()

    assert "canary" not in caplog.text + repr(caught.value)
    assert "ValueError at tests.security.test_clouds" in caplog.text
    assert caught.value.__context__ is None
