"""Checklist item 16: what a request says of its own address counts for nothing, unless a listed proxy says it."""

import ipaddress

import pytest
from django.core.cache import cache
from django.test import Client

from accounts.models import AuditEvent
from tests import factories

pytestmark = pytest.mark.django_db

FORGED = (
    "203.0.113.9", "10.0.0.1", "127.0.0.1", "::1", "203.0.113.999", "203.0.113", "1.2.3.4:80", "[::1]:443", "fe80::1%eth0",
    "0x7f000001", "2130706433", "unknown", "_hidden", "", ",", ",,,,", "203.0.113.9,203.0.113.8", "a, b, c", "'; DROP TABLE",
    "<script>", "\x01\x02", "é", "x" * 10_000, "1.1.1.1," * 1_250, "-1", "::ffff:1.2.3.4", "for=203.0.113.9;proto=https",
    'for="[2001:db8::1]"', "localhost", "null", "%0d%0aX: y", "{{7*7}}", "1.1.1.1\t", "٣.٣.٣.٣",
)  # fmt: skip
HEADERS = (
    "X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP", "CF-Connecting-IP", "True-Client-IP", "X-Cluster-Client-IP",
    "Fastly-Client-IP", "X-Forwarded", "Forwarded-For", "Client-IP", "X-Originating-IP", "X-Forwarded-Host",
    "X-Forwarded-Proto", "X-Keyhaven-Proto", "Remote-Addr",
)  # fmt: skip
PEER = "198.51.100.7"
PAGES = ("/accounts/login/", "/o/acme/", "/o/acme/audit/", "/account/sessions/", "/healthz", "/nowhere/")


@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "through a proxy"])
def test_no_header_breaks_a_page_or_a_call(proxied, browser, owner, call_as, settings):
    settings.TRUSTED_PROXIES = [ipaddress.ip_network(f"{PEER}/32")] if proxied else []
    call, broken = call_as(owner), []
    for text in FORGED:
        headers = {name: text for name in HEADERS if name != "X-Forwarded-Host"} | {"X-Forwarded-Host": text}
        broken += [
            (url, text[:40])
            for url in PAGES
            if browser.get(url, headers=headers, REMOTE_ADDR=PEER).status_code >= 500 and url != "/healthz"
        ]
        broken += [text[:40]] * (call.get("/clusters", **headers).status_code != 200)

    assert len(FORGED) >= 30
    assert broken == []


def test_the_log_has_the_true_address(organization, viewer):
    client = Client()
    client.force_login(viewer)
    for text in FORGED:
        client.get("/o/acme/audit/", headers=dict.fromkeys(HEADERS, text), REMOTE_ADDR=PEER)

    written = AuditEvent.objects.filter(action="permission.refused")
    assert written.count() == len(FORGED)
    assert {event.address for event in written} == {PEER}


def test_the_limit_of_guessing_tokens_is_not_lifted(organization, settings):
    cache.clear()
    settings.API_FAILURES = 5
    url = "/api/v1/organizations/acme/clusters"
    statuses = [
        Client().get(url, headers=dict.fromkeys(HEADERS, text), REMOTE_ADDR="198.51.100.99").status_code
        for text in FORGED
    ]

    assert statuses.count(401) <= 10  # a window of the clock may end in between
    assert statuses[-1] == 429


def test_the_limit_of_passwords_is_not_lifted(owner):
    cache.clear()
    statuses = []
    for text in FORGED:
        data = {"login": owner.email, "password": "wrong"}
        headers = dict.fromkeys(HEADERS, text)
        statuses.append(
            Client().post("/accounts/login/", data, headers=headers, REMOTE_ADDR=PEER).status_code
        )
    right = {"login": owner.email, "password": factories.PASSWORD}

    assert statuses.count(429) >= len(FORGED) - 10
    assert {*statuses} <= {200, 422, 429}
    assert Client().post("/accounts/login/", right, REMOTE_ADDR="192.0.2.77").status_code == 302
