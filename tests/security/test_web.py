"""What the browser is protected from: forged forms, changes by looking, inline scripts, answers without their headers."""

import contextlib
import re
from typing import Any

import pytest
from django.core.cache import cache
from django.db import OperationalError, transaction
from django.test import Client
from django.urls import Resolver404, resolve

from config.paths import BASE_DIR
from tests.security import crawl

pytestmark = pytest.mark.django_db

# Changes by looking that are meant: sessions, when somebody was last here, and the log of refusals.
SEEN = re.compile(
    r"accounts_audit(event|head)|django_session|usersessions_usersession|accounts_idempotencykey"
)
FOREIGN = "x" * 64


class TestAForgedForm:
    """Checklist item 17."""

    @pytest.fixture
    def strict(self, browser: Client) -> Client:
        client = Client(enforce_csrf_checks=True)
        client.cookies = browser.cookies
        client.get("/accounts/password/reset/")
        return client

    @pytest.mark.parametrize("htmx", [{}, {"HX-Request": "true"}], ids=["page", "htmx"])
    def test_is_refused_everywhere(self, world, strict, htmx):
        before = crawl.rows()
        token = strict.cookies["csrf"].value
        forgeries: dict[str, tuple[dict[str, str], dict[str, str]]] = {
            "no token": ({}, {}),
            "a foreign token": ({"csrfmiddlewaretoken": FOREIGN}, {}),
            "a foreign token as a header": ({}, {"X-CSRFToken": FOREIGN}),
            "a foreign origin": ({"csrfmiddlewaretoken": token}, {"Origin": "https://evil.example"}),
            "no origin": ({"csrfmiddlewaretoken": token}, {"Origin": "null"}),
        }

        statuses = {
            (name, what): strict.post(url, fields, headers=htmx | headers).status_code
            for name, url in crawl.written(world)
            if url != "/nowhere/"
            for what, (fields, headers) in forgeries.items()
        }

        assert {key: status for key, status in statuses.items() if status != 403} == {}
        assert len(statuses) > 400
        assert crawl.rows() == before

    def test_and_a_true_one_is_taken(self, strict):
        token = strict.cookies["csrf"].value

        answer = strict.post("/account/", {"csrfmiddlewaretoken": token, "name": "Marie Rey"})

        assert answer.status_code == 302

    def test_no_page_is_exempt_but_the_api_which_looks_at_no_cookie(self):
        exempt = [
            address
            for address, pattern in crawl.patterns()
            if getattr(pattern.callback, "csrf_exempt", False) and not address.startswith("api/")
        ]

        assert exempt == []


@pytest.mark.parametrize("method", ["get", "head"])
def test_looking_changes_nothing(world, browser, method):
    """Checklist item 18: every address is looked at twice, by the one who may everything."""
    changed = {}
    browser.get("/o/acme/")
    before = crawl.rows()
    for name, url in [*crawl.visited(world)] * 2:
        if url in crawl.LEAVING:
            continue
        getattr(browser, method)(url)
        after = crawl.rows()
        tables = {table for table in before if before[table] != after[table] and not SEEN.match(table)}
        if tables:
            changed[name] = tables
        before = after

    assert changed == {}


def test_no_template_has_a_script_or_a_style_in_it():
    """Checklist item 19; and nothing switches escaping off."""
    forbidden = re.compile(
        r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son(?!e\b)[a-z]+\s*=|hx-on|javascript:|\|safe\b|autoescape off|mark_safe",
        re.IGNORECASE,
    )
    templates = list((BASE_DIR / "templates").rglob("*.html"))
    found = [
        (str(path.relative_to(BASE_DIR)), match.group())
        for path in templates
        for match in forbidden.finditer(path.read_text())
    ]

    assert len(templates) > 50
    assert found == []


EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains; preload",
}
POLICY = (
    "default-src 'none'",
    "object-src 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "form-action 'self'",
)


def wrong_headers(response: Any) -> list[str]:
    """Return what is wrong with an answer's headers."""
    headers = response.headers
    wrong = [name for name, value in EVERYWHERE.items() if headers.get(name) != value]
    policy = headers.get("Content-Security-Policy", "")
    wrong += [part for part in POLICY if part not in policy]
    wrong += [word for word in ("unsafe", "data:", "*", "http:") if word in policy]
    return wrong + ([] if "no-store" in headers.get("Cache-Control", "") else ["no-store"])


class TestHeaders:
    """Checklist items 19 and 21, over TLS: on pages, parts for htmx, downloads, the API and errors."""

    @pytest.fixture(autouse=True)
    def over_tls(self, settings):
        settings.SECURE_HSTS_SECONDS = 31536000
        settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = settings.SECURE_HSTS_PRELOAD = True

    def test_are_on_every_page_part_and_download(self, world, browser):
        wrong = {}
        for name, url in crawl.visited(world):
            for htmx in ({}, {"HX-Request": "true"}):
                response = browser.get(url, headers=htmx, secure=True)
                found = wrong_headers(response)
                # What clouds fetch is public, and may be kept for a while.
                allowed = ["no-store"] if url.startswith("/.well-known/") else []
                if found and found != allowed:
                    wrong[name, response.status_code] = found

        assert wrong == {}

    def test_are_on_every_answer_to_a_form(self, world, browser):
        wrong = {}
        for name, url in crawl.written(world):
            with transaction.atomic():
                response = browser.post(url, {"x": "1"}, secure=True)
                transaction.set_rollback(True)
            if found := wrong_headers(response):
                wrong[name, response.status_code] = found

        assert wrong == {}

    @staticmethod
    def _away(*_):
        raise OperationalError

    def test_are_on_every_error(self, world, browser, viewer, monkeypatch):
        """400, 403, 403 of a forged form, 404, 405, 413, 422, 500, 503; and those of the API."""
        strict, low = Client(enforce_csrf_checks=True, raise_request_exception=False), Client()
        low.force_login(viewer)
        root = "/api/v1/organizations/acme/clusters"
        answers = [
            browser.get("/nowhere/", secure=True),
            browser.get("/o/globex/", secure=True),
            browser.put("/o/acme/team/", secure=True),
            low.get("/o/acme/audit/", secure=True),
            strict.post("/accounts/login/", secure=True),
            browser.post("/account/", {"name": ""}, secure=True),
            browser.post("/account/", {"name": "x" * 2_000_000}, secure=True),
            browser.post("/account/", {"name": "x" * 4_000_000}, secure=True),
            browser.get("/", secure=True, headers={"Host": "evil.example"}),
            browser.get("/healthz", secure=True),
            browser.get(root, secure=True),
            browser.get("/api/nowhere", secure=True),
            browser.post(root, b"{", "application/json", secure=True),
        ]
        monkeypatch.setattr("accounts.members.team.page", None)
        answers.append(browser.get("/o/acme/team/", secure=True))
        monkeypatch.setattr("accounts.organizations.entering.find", self._away)
        answers.append(browser.get("/o/acme/team/", secure=True))

        assert {
            (answer.status_code, *found) for answer in answers if (found := wrong_headers(answer))
        } == set()
        assert {400, 401, 403, 404, 405, 413, 422, 500, 503} <= {answer.status_code for answer in answers}


FOREIGN_PLACES = (
    "https://evil.example/", "http://evil.example", "//evil.example", "///evil.example", "////evil.example",
    "/\\evil.example", "\\\\evil.example", "/\\/evil.example", "\\/\\/evil.example", "https:evil.example", "https:/evil.example",
    "https:///evil.example", "http:\\\\evil.example", "HtTpS://evil.example", " https://evil.example", "\thttps://evil.example",
    "\nhttps://evil.example", "\x00https://evil.example", "/\t/evil.example", "/\n/evil.example", "\t//evil.example",
    "//evil.example/%2f..", "//evil.example@testserver", "https://testserver@evil.example", "https://testserver.evil.example",
    "https://testserver:x@evil.example", "https://evil.example#testserver", "https://evil.example?testserver",
    "https://evil.example\\testserver", "https://evil.example\\@testserver", "//[::1]", "//127.0.0.1", "https://[::ffff:1.2.3.4]",
    "javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "ftp://evil.example",
    "mailto:x@evil.example", "//evil%E3%80%82example", "//ｅvil.example", "https://evil。example", "//xn--evil-.example",
    "/%09/evil.example", "/%5cevil.example", "%2f%2fevil.example", "https%3a%2f%2fevil.example", "//evil.example:80",
    "/redirect?next=//evil.example", "http://[::1", "//" + "x" * 5000,
)  # fmt: skip


def is_ours(location: str) -> bool:
    """Tell whether a browser that is sent to `location` stays here: it drops tabs and line ends, and \\ is / to it."""
    cleaned = re.sub(r"[\t\r\n]", "", location).strip("".join(map(chr, range(33)))).replace("\\", "/")
    return (cleaned.startswith("/") and not cleaned.startswith("//")) or not re.match(
        r"[a-z]+:|/|\\", cleaned, re.I
    )


class TestNobodyIsLedAway:
    """Checklist item 23: by whatever stands in `next` or in the address that a page came from."""

    PLACES = ("/accounts/login/", "/accounts/reauthenticate/", "/theme/", "/accounts/logout/", "/accounts/second-factor/show/",
              "/sso/", "/sso/acme/", "/sso/acme/again/", "/sso/acme/needed/", "/organizations/new/", "/account/")  # fmt: skip

    @pytest.mark.parametrize("place", PLACES)
    def test_from(self, place, owner, browser, world):
        from tests import factories

        led = []
        for foreign in FOREIGN_PLACES:
            cache.clear()
            client = Client(raise_request_exception=False)
            if "login" not in place:
                client.cookies = browser.cookies.copy()
            fields = {"next": foreign, "theme": "dark", "login": owner.email, "password": factories.PASSWORD}
            headers = {"Referer": foreign.strip("\t\n\x00 ")}
            with transaction.atomic():
                for answer in (
                    client.get(place, {"next": foreign}),
                    client.post(
                        place, fields, headers={"HX-Request": "true", "HX-Current-URL": headers["Referer"]}
                    ),
                    client.post(place, fields, headers=headers),
                ):
                    to = answer.headers.get("Location") or answer.headers.get("HX-Redirect") or "/"
                    led += [] if is_ours(to) else [(foreign, to)]
                transaction.set_rollback(True)

        assert led == []

    def test_the_test_itself_sees_what_leads_away(self):
        leading = [place for place in FOREIGN_PLACES if not is_ours(place)]

        assert {"https://evil.example/", "//evil.example", "/\t/evil.example", "/\\evil.example"} <= {
            *leading
        }
        assert is_ours("/o/acme/")


def test_every_address_is_looked_at(world):
    """A page that is added is in one of the lists above, or in this test's list of what leads elsewhere."""
    reached = set()
    for _, url in [*crawl.visited(world), *crawl.written(world)]:
        with contextlib.suppress(Resolver404):
            reached.add(resolve(url).route.replace("^", ""))
    elsewhere = {"accounts/logout/", "healthz", "styleguide/", "accounts/passkey/options/"}
    addresses = {address.replace("^", "") for address, _ in crawl.patterns()}
    missing = {one for one in addresses - reached - elsewhere if not one.startswith(("api/", "setup/"))}

    assert missing == set()
