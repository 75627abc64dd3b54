"""Sessions: new at sign-in, limited in time, listed, and ended."""

import time

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client

from accounts.models import AuditEvent
from accounts.sign_in import sessions
from tests import factories

PAGE = "/o/acme/team/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"


@pytest.fixture
def browser(log_in, admin):
    """Return a function that signs the admin in, in a browser of its own."""

    def act(**extra):
        client = Client(headers={"User-Agent": FIREFOX})
        assert log_in(admin.email, client=client, **extra).status_code == 302
        return client

    return act


def inside(client):
    return client.get(PAGE).status_code == 200


def move_clock(client, **seconds):
    session = client.session
    for name, back in seconds.items():
        session[name] = time.time() - back
    session.save()


def test_the_id_is_new_after_signing_in_and_long(log_in, admin):
    client = Client()
    client.get("/accounts/login/")
    session = client.session
    session["planted"] = True
    session.save()
    client.cookies["session"] = before = session.session_key

    log_in(admin.email, client=client)

    after = client.cookies["session"].value
    assert after != before
    assert len(after) * 5 >= 128  # 32 letters and digits
    assert not Session.objects.filter(session_key=before).exists()


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(browser):
    cookie = browser().cookies["session"]

    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_over_tls_cookies_bind_themselves_to_the_host(project):
    import os
    import subprocess
    import sys

    code = (
        "from config import settings as s; from accounts.sign_in import devices as d;"
        "print(s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME, s.SESSION_COOKIE_SECURE, d.COOKIE)"
    )
    environment = os.environ | {
        "BASE_URL": "https://keyhaven.example",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    said = subprocess.run(
        [sys.executable, "-c", f"import django; django.setup(); {code}"],
        cwd=project, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert said.stdout.split() == ["__Host-session", "__Host-csrf", "True", "__Host-device"]


def test_a_session_ends_after_twelve_hours_however_busy(browser, actions):
    client = browser()
    move_clock(client, signed_in_at=sessions.LONGEST - 1)
    before = inside(client)
    move_clock(client, signed_in_at=sessions.LONGEST + 1)

    assert before
    assert not inside(client)
    assert not inside(client)
    assert actions()[-1] == "session.ended"


def test_a_session_ends_after_two_hours_without_use(browser):
    client = browser()
    move_clock(client, seen_at=sessions.IDLE - 1)
    before = inside(client)
    move_clock(client, seen_at=sessions.IDLE + 1)

    assert before
    assert not inside(client)


def test_what_a_page_asks_by_itself_is_no_use(browser):
    client = browser()
    move_clock(client, seen_at=sessions.IDLE - 100)

    client.get(PAGE, headers={"X-Poll": "1"})
    by_itself = time.time() - client.session["seen_at"]
    client.get(PAGE)

    assert by_itself > sessions.IDLE - 200
    assert time.time() - client.session["seen_at"] < 60


def test_what_a_page_asks_by_itself_is_no_activity_of_a_member(browser, admin):
    client = browser()

    client.get(PAGE, headers={"X-Poll": "1"})
    by_itself = admin.memberships.get().last_active_at
    client.get(PAGE)

    assert by_itself is None
    assert admin.memberships.get().last_active_at is not None


def test_somebody_who_is_disabled_is_out_at_the_next_request(browser, admin):
    client = browser()
    admin.is_active = False
    admin.save()

    assert not inside(client)


def test_a_new_password_ends_all_other_sessions(browser, admin):
    here, there = browser(), browser()
    typed = {"current": factories.PASSWORD, "new": "another sentence of words"}

    answer = here.post("/account/password/", typed)

    assert answer.status_code == 302
    assert inside(here)
    assert not inside(there)


def test_a_password_set_elsewhere_ends_all_sessions(browser, admin):
    client = browser()
    admin.set_password("another sentence of words")
    admin.save()

    assert not inside(client)


def test_sessions_are_listed_with_device_and_address(browser):
    here, _ = browser(address="198.51.100.1"), browser(address="203.0.113.5")

    text = here.get("/account/sessions/", REMOTE_ADDR="198.51.100.1").content.decode()

    assert text.count("Firefox on Linux") >= 2
    assert "198.51.100.1" in text
    assert "203.0.113.5" in text
    assert text.count("This one") == 1


def test_one_session_is_ended_and_then_all_others(browser, actions):
    here, there, third = browser(), browser(), browser()
    listed = here.get("/account/sessions/").context["sessions"]
    one = next(session for session in listed if session.session_key == there.session.session_key)

    here.post(f"/account/sessions/{one.pk}/end/")
    after_one = (inside(here), inside(there), inside(third))
    here.post("/account/sessions/end-others/")

    assert after_one == (True, False, True)
    assert (inside(here), inside(third)) == (True, False)
    assert actions()[-2:] == ["session.ended", "session.ended"]


def test_nobody_ends_the_session_of_another(browser, log_in, viewer):
    mine = browser()
    session = mine.get("/account/sessions/").context["sessions"][0]
    other = Client()
    log_in(viewer.email, client=other)

    assert other.post(f"/account/sessions/{session.pk}/end/").status_code == 404
    assert inside(mine)


def test_a_session_that_is_over_is_not_listed(browser):
    here, there = browser(), browser()
    there.post("/accounts/logout/")

    assert len(here.get("/account/sessions/").context["sessions"]) == 1


def test_ids_of_sessions_are_nowhere_in_pages_and_log(browser):
    here = browser()
    key = here.session.session_key

    text = here.get("/account/sessions/").content.decode()

    assert key not in text
    assert key not in str(list(AuditEvent.objects.values()))


def test_the_limits_are_what_is_said(client, admin):
    client.force_login(admin)

    text = client.get("/account/sessions/").content.decode()

    assert (sessions.IDLE, sessions.LONGEST) == (2 * 3600, 12 * 3600)
    assert settings.SESSION_COOKIE_AGE == sessions.LONGEST
    assert "2 hours" in text
    assert "12 hours" in text
