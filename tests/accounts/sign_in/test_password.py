"""Signing in by password: who is slowed, who is not, and what a stranger can find out."""

import itertools
import time

import pytest
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEvent, Membership, User
from accounts.sign_in.adapter import Adapter, TooMany
from tests import factories

WRONG = "not the password"


def body(response):
    """What the page says, without the token that differs with each answer and the address that was typed."""
    text = response.content.decode()
    for token in {response.context["csrf_token"]}:
        text = text.replace(str(token), "")
    return text


def attempt(email, address):
    """Try a wrong password as the page does, without drawing the page; tell whether it was looked at."""
    request = RequestFactory().post("/accounts/login/", REMOTE_ADDR=address)
    try:
        Adapter(request).authenticate(request, email=email, password=WRONG)
    except TooMany:
        return False
    return True


def test_a_thousand_wrong_passwords_from_one_address_cost_ten_hashes_at_most(hashes, log_in, admin):
    hashes()

    looked_at = [attempt(admin.email, "198.51.100.1") for _ in range(1000)]

    assert hashes() == sum(looked_at) <= 10
    assert log_in(admin.email, WRONG).status_code == 429


def test_a_thousand_addresses_share_a_cap_and_a_known_browser_does_not_notice(
    hashes, log_in, admin, settings, monkeypatch
):
    settings.SIGN_IN_HASHES_PER_MINUTE = 60
    now = time.time()
    monkeypatch.setattr("accounts.sign_in.limits.time.time", lambda: now)
    mine, numbers = Client(), itertools.count()
    log_in(admin.email, client=mine)
    mine.post("/accounts/logout/")
    hashes()

    began = time.monotonic()
    for number in range(1000):
        attempt(admin.email, f"2001:db8:{number:x}::1")
    computed, took = hashes(), time.monotonic() - began
    while attempt(admin.email, f"2001:db8:aaaa:{next(numbers):x}::1"):
        pass
    stranger = log_in(admin.email, address="203.0.113.200")
    known = log_in(admin.email, client=mine, address="203.0.113.200")

    # Ten in each window, which Redis forgets after fifteen seconds though the clock stands still.
    assert computed <= 10 * (took // 15 + 1)
    assert stranger.status_code == 429
    assert known.status_code == 302


def test_a_known_browser_is_known_for_its_person_only(log_in, admin, viewer, settings):
    settings.SIGN_IN_HASHES_PER_MINUTE = 6
    mine = Client()
    log_in(admin.email, client=mine)
    mine.post("/accounts/logout/")

    as_somebody_else = [log_in(viewer.email, WRONG, client=mine).status_code for _ in range(8)]

    assert 429 in as_somebody_else


def test_a_known_browser_may_not_guess_for_ever_either(hashes, log_in, admin):
    mine = Client()
    log_in(admin.email, client=mine)
    mine.post("/accounts/logout/")
    hashes()

    tries = [log_in(admin.email, WRONG, client=mine).status_code for _ in range(50)]

    assert hashes() <= 10
    assert tries.count(429) >= 40


def test_changing_the_password_forgets_known_browsers(log_in, admin, settings):
    mine = Client()
    log_in(admin.email, client=mine)
    mine.post("/accounts/logout/")
    admin.set_password("another sentence of words")
    admin.save()
    for _ in range(6):
        log_in(admin.email, WRONG)

    answer = log_in(admin.email, "another sentence of words", client=mine)

    assert answer.status_code == 429


def test_the_wait_ends_by_itself(log_in, admin, monkeypatch):
    for _ in range(6):
        log_in(admin.email, WRONG)
    slowed = log_in(admin.email)
    now = time.time()
    monkeypatch.setattr("accounts.sign_in.limits.time.time", lambda: now + 61)

    later = log_in(admin.email)

    assert slowed.status_code == 429
    assert "Wait " in slowed.content.decode()
    assert later.status_code == 302


def test_an_attack_from_elsewhere_does_not_slow_a_new_browser_of_the_owner(log_in, admin):
    for _ in range(20):
        log_in(admin.email, WRONG, address="203.0.113.66")

    assert log_in(admin.email, address="198.51.100.9").status_code == 302


def test_who_signs_in_often_is_not_slowed(log_in, admin):
    assert {log_in(admin.email).status_code for _ in range(40)} == {302}


def test_the_right_password_does_not_buy_more_guesses_at_another_account(log_in, admin, viewer):
    statuses = []
    for _ in range(8):
        log_in(admin.email)
        statuses.append(log_in(viewer.email, WRONG).status_code)

    assert 429 in statuses


@pytest.fixture
def people(admin, organization):
    """Who cannot sign in with this password, each for another reason."""
    disabled = factories.make_member(organization, "viewer", is_active=False)
    machine = factories.make_member(organization, "viewer", is_machine=True)
    without = factories.make_member(organization, "viewer", password=None)
    return [admin.email, disabled.email, machine.email, without.email, "nobody@example.com"]


def test_nobody_is_told_apart_by_signing_in(hashes, log_in, people):
    answers, costs = [], []
    for email in people:
        hashes()
        answers.append(log_in(email, WRONG))
        costs.append(hashes())

    texts = {body(answer).replace(email, "") for answer, email in zip(answers, people, strict=True)}

    assert len(texts) == 1
    assert {answer.status_code for answer in answers} == {422}
    assert set(costs) == {1}


def test_nobody_is_told_apart_by_being_slowed(hashes, log_in, people):
    answers = []
    for email in people:
        for _ in range(5):
            log_in(email, WRONG)
        hashes()
        answers.append(log_in(email, WRONG))
        assert hashes() == 0

    assert {answer.status_code for answer in answers} == {429}
    # The seconds to wait are the clock's.
    words = {answer.context["form"].non_field_errors()[0].partition(" Wait ")[0] for answer in answers}
    assert words == {"Too many tries."}


def test_nobody_is_told_apart_by_what_is_written(monkeypatch, log_in, people):
    """Writing an event takes longer than the rest of an answer without a hash: the page only asks a worker to."""
    from accounts.sign_in import tasks

    asked, queries = [], {}
    monkeypatch.setattr(
        tasks.write_failed, "delay", lambda **said: asked.append(said["email"]), raising=False
    )
    for email in people:
        with CaptureQueriesContext(connection) as captured:
            for _ in range(7):
                log_in(email, WRONG)
        queries[email] = len(captured)

    assert len(set(queries.values())) == 1
    assert asked == [email for email in people for _ in range(7)]


def test_a_machine_and_a_disabled_person_cannot_sign_in_with_the_right_password(log_in, people):
    statuses = [log_in(email).status_code for email in people]

    assert statuses == [302, 422, 422, 422, 422]


def test_a_machine_with_a_session_is_a_stranger(client, organization):
    machine = factories.make_member(organization, "owner", is_machine=True)
    client.force_login(machine)

    assert client.get("/o/acme/team/").status_code == 302


def test_signing_in_is_written_in_each_organization(log_in, admin, organization, actions):
    other = factories.make_organization(slug="other")
    Membership.objects.create(organization=other, user=admin, roles=["viewer"])

    log_in(admin.email, WRONG)
    log_in(admin.email)

    assert actions() == ["sign_in.failed", "sign_in.succeeded"]
    assert AuditEvent.objects.owned_by(other).count() == 2
    event = AuditEvent.objects.owned_by(organization).get(action="sign_in.succeeded")
    assert (event.actor_id, event.details, event.address) == (
        str(admin.pk), {"by": ["password"]}, "198.51.100.1",
    )  # fmt: skip


def test_an_attack_does_not_flood_the_log(log_in, admin, actions):
    for number in range(100):
        log_in(admin.email, WRONG, address=f"203.0.113.{number}")

    assert actions().count("sign_in.failed") <= 20


@pytest.mark.parametrize(
    "password", ["x" * 128, "correct horse battery staple", "ünïcödé wörds 🔑", "  spaces  "]
)
def test_long_and_unusual_passwords_are_taken_as_they_are(log_in, organization, password):
    person = factories.make_member(organization, "viewer", password=password)

    assert log_in(person.email, password).status_code == 302


@pytest.mark.parametrize("field", ["login", "password"])
@pytest.mark.parametrize("text", ["", "\x00", "x" * 20_000, "a@b.c\r\nBcc: d@e.f", "{{7*7}}", "\u202e"])
def test_garbage_is_answered(client, admin, field, text):
    data = {"login": admin.email, "password": WRONG} | {field: text}

    assert client.post("/accounts/login/", data).status_code == 422


FORGED = [
    *({name: value} for name in ("X-Forwarded-For", "X-Real-Ip", "Forwarded", "X-Client-Ip", "True-Client-Ip",
      "Cf-Connecting-Ip") for value in ("203.0.113.7", "127.0.0.1", "for=203.0.113.7;proto=https", "999.1.1.1",
      "x" * 10_000)),
    {"X-Forwarded-For": "203.0.113.7, 10.0.0.1", "X-Real-Ip": "203.0.113.8"},
    {"X-Forwarded-For": ",,,", "Forwarded": "for=\"[2001:db8::1]:4711\""},
]  # fmt: skip


def test_forged_headers_do_not_lift_the_limit(hashes, log_in, admin, actions):
    hashes()

    answers = [log_in(admin.email, WRONG, headers=headers) for headers in FORGED]

    assert len(FORGED) >= 30
    assert {answer.status_code for answer in answers} <= {422, 429}
    assert hashes() <= 10
    assert set(AuditEvent.objects.values_list("address", flat=True)) == {"198.51.100.1"}


@pytest.mark.parametrize("address", ["", "unix:", "x" * 300])
def test_an_address_that_is_none_is_answered(log_in, admin, address):
    assert log_in(admin.email, address=address).status_code == 302


HOSTS = ("evil.example", "testserver.evil.example", "evil.example%00.testserver", "testserver@evil.example")
SHAPES = (
    "https://{}", "http://{}/", "//{}", "///{}", "////{}", "/\\{}", "\\\\{}", "\\/{}", "https:{}", "https:///{}",
    "http:/\\{}", "/\t/{}", "\t//{}", "javascript://{}/%0aalert(1)",
)  # fmt: skip
FOREIGN = [shape.format(host) for shape in SHAPES for host in HOSTS]


@pytest.mark.parametrize("foreign", FOREIGN)
def test_nobody_is_led_away(log_in, admin, foreign):
    from urllib.parse import quote, urlsplit

    assert len(FOREIGN) >= 50
    client = Client()
    location = log_in(admin.email, client=client, query=f"?next={quote(foreign)}").headers["Location"]
    out = client.post("/accounts/logout/", {"next": foreign}).headers["Location"]

    for where in (location, out):
        assert (urlsplit(where).netloc, urlsplit(where).scheme) == ("", "")
        assert where.startswith("/")
        assert not where.startswith(("//", "/\\", "/\t"))


def test_signing_out_ends_the_session_and_clears_the_browser(log_in, admin, actions):
    client = Client()
    log_in(admin.email, client=client)
    kept = client.cookies["session"].value

    answer = client.post("/accounts/logout/")
    client.cookies["session"] = kept

    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert client.get("/o/acme/team/").status_code == 302
    assert actions()[-1] == "signed_out"


def test_no_password_is_written_anywhere(log_in, admin, caplog):
    log_in(admin.email, "a canary of a password")

    assert "canary" not in str(list(AuditEvent.objects.values()))
    assert "canary" not in caplog.text
    assert User.objects.count() == 1


FULL = """
CREATE FUNCTION is_full() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER is_full BEFORE INSERT ON accounts_auditevent FOR EACH ROW EXECUTE FUNCTION is_full();
"""


def test_nobody_comes_in_whose_sign_in_cannot_be_written(log_in, admin):
    client = Client(raise_request_exception=False)
    with connection.cursor() as cursor:
        cursor.execute(FULL)

    answer = log_in(admin.email, client=client)

    assert answer.status_code == 503
    assert "_auth_user_id" not in client.session
    assert client.get("/o/acme/team/").status_code == 302
