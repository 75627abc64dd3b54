"""Headers, proxies, health, theme: what every answer has."""

import ipaddress

import pytest
from django.test import Client

from config import health, middleware

pytestmark = pytest.mark.django_db


def test_the_content_security_policy_is_strict(client):
    policy = client.get("/accounts/login/").headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "data:" not in policy


def test_pages_are_not_stored(client):
    assert client.get("/accounts/login/").headers["Cache-Control"].startswith("no-store") or (
        "no-store" in client.get("/accounts/login/").headers["Cache-Control"]
    )


def test_healthz_names_each_part(client):
    health.worker_is_here()

    response = client.get("/healthz")

    assert response.status_code == 200
    assert response.json() == {"database": "ok", "broker": "ok", "worker": "ok", "version": "0.1.0"}


def test_healthz_is_503_without_a_worker(client):
    from django.core.cache import cache

    cache.delete(health.WORKER_KEY)

    response = client.get("/healthz")

    assert response.status_code == 503
    assert response.json()["worker"] == "down"


def test_healthz_is_503_without_a_broker(client, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    response = client.get("/healthz")

    assert response.status_code == 503
    assert response.json()["broker"] == "down"


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("198.51.100.7", "203.0.113.9", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "garbage", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "x" * 10_000, "10.0.0.1"),
    ],
)
def test_only_a_listed_proxy_is_believed(settings, peer, forwarded, address):
    settings.TRUSTED_PROXIES = [ipaddress.ip_network("10.0.0.0/8")]

    assert middleware.client_address(peer, forwarded) == address


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        # A socket that has both families names IPv4 so.
        ("::ffff:198.51.100.7", "", "198.51.100.7"),
        ("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        ("fe80::1%eth0", "", "fe80::1"),
        ("2001:DB8:0::1", "", "2001:db8::1"),
        ("", "", ""),
    ],
)
def test_an_address_is_written_in_one_way(settings, rf, peer, forwarded, address):
    settings.TRUSTED_PROXIES = [ipaddress.ip_network("10.0.0.0/8")]
    seen = []
    request = rf.get("/", REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded)

    middleware.trust_proxies(lambda request: seen.append(request.META["REMOTE_ADDR"]))(request)

    assert seen == [address]


def test_the_theme_is_a_cookie_and_leads_back_only_to_ourselves():
    client = Client()

    response = client.post("/theme/", {"theme": "dark", "next": "https://evil.example/"})

    assert response.cookies["theme"].value == "dark"
    assert response.headers["Location"] == "/"
