"""Second factors: apps for codes, recovery codes, and how they are kept."""

import re
import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from cryptography.fernet import Fernet, MultiFernet
from django.core.cache import cache
from django.db import connection
from django.test import Client
from encrypted_model_fields import fields as encrypted

from accounts.encryption import rotating
from accounts.sign_in import factors

CODES = re.compile(r"(?<![\d\"])\d{10}(?![\d\"])")


def code(secret, step=0):
    """What an app shows, `step` times 30 seconds from now."""
    value = totp.hotp_value(secret.replace(" ", ""), int(time.time()) // 30 + step)
    return totp.format_hotp_value(value)


@pytest.fixture
def mine(log_in, admin):
    client = Client()
    log_in(admin.email, client=client)
    return client


@pytest.fixture
def app(mine):
    """Set up an app; return its secret and the recovery codes that came with it."""
    secret = mine.get("/account/second-factors/app/").context["secret"]
    answer = mine.post("/account/second-factors/app/", {"code": code(secret, -1)})
    assert answer.status_code == 200, answer.context["form"].errors
    return secret, CODES.findall(answer.content.decode())


@pytest.fixture
def at_second(log_in, admin, app):
    """A browser in which the password was given and the second factor is owed."""
    client = Client()
    answer = log_in(admin.email, client=client)
    assert answer.headers["Location"] == "/accounts/second-factor/"
    return client


def owed(client, given):
    return client.post("/accounts/second-factor/", {"code": given})


def test_the_picture_and_the_secret_are_in_the_page_and_nowhere_in_clear(mine):
    answer = mine.get("/account/second-factors/app/")
    secret = answer.context["secret"].replace(" ", "")

    assert "<svg" in answer.content.decode()
    assert "data:" not in answer.content.decode()
    assert secret not in str(dict(mine.session))
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_app_is_asked_for_after_the_password(at_second, app):
    before = at_second.get("/o/acme/team/").status_code

    answer = owed(at_second, code(app[0]))

    assert before == 302
    assert answer.status_code == 302
    assert at_second.get("/o/acme/team/").status_code == 200


def test_a_code_is_taken_once(at_second, app, log_in, admin):
    used = code(app[0])
    owed(at_second, used)
    again = Client()
    log_in(admin.email, client=again)

    answer = owed(again, used)

    assert answer.status_code == 200
    assert again.get("/o/acme/team/").status_code == 302


@pytest.mark.parametrize("given", ["", "000000", "abcdef", "\x00", "٠٠٠٠٠٠", "9" * 5000, "1 2 3"])
def test_a_wrong_code_is_refused(at_second, given):
    answer = owed(at_second, given)

    assert answer.status_code == 200
    assert answer.context["form"].errors
    assert at_second.get("/o/acme/team/").status_code == 302


def test_codes_cannot_be_guessed(at_second, app):
    answers = [owed(at_second, f"{number:06}") for number in range(20)]

    assert "Too many tries" in answers[-1].content.decode()
    assert "Too many tries" in owed(at_second, code(app[0])).content.decode()


def test_a_recovery_code_opens_once(at_second, app, log_in, admin, actions):
    first = owed(at_second, app[1][0])
    again = Client()
    log_in(admin.email, client=again)
    second = owed(again, app[1][0])

    assert len(app[1]) == 10
    assert (first.status_code, second.status_code) == (302, 200)
    assert "recovery_codes.used" in actions()


def test_new_recovery_codes_end_the_old_ones(mine, app, at_second):
    answer = mine.post("/account/second-factors/recovery-codes/")

    assert not set(CODES.findall(answer.content.decode())) & set(app[1])
    assert owed(at_second, app[1][0]).status_code == 200


def test_recovery_codes_are_shown_once(mine, app):
    text = mine.get("/account/second-factors/").content.decode()

    assert "10 left" in text
    assert not any(given in text for given in app[1])


def test_secrets_are_encrypted_at_rest_and_bear_a_new_key(mine, app, settings, monkeypatch):
    secret = app[0].replace(" ", "")
    new = Fernet(b"MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE=")
    both = MultiFernet([new, *(Fernet(key) for key in settings.FIELD_ENCRYPTION_KEY)])

    with connection.cursor() as cursor:
        cursor.execute("SELECT data::text FROM mfa_authenticator")
        stored = str(cursor.fetchall())
    monkeypatch.setattr(encrypted, "CRYPTER", both)
    settings.FIELD_ENCRYPTION_KEY = [
        "MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE=",
        *settings.FIELD_ENCRYPTION_KEY,
    ]
    rotating.run(write=True)
    monkeypatch.setattr(encrypted, "CRYPTER", new)

    assert secret not in stored
    factor = Authenticator.objects.get(type=factors.Type.TOTP)
    assert factors.Adapter().decrypt(factor.data["secret"]) == secret


def test_removing_the_app_removes_the_recovery_codes(mine, app, admin, actions):
    factor = Authenticator.objects.get(type=factors.Type.TOTP)

    answer = mine.post(f"/account/second-factors/{factor.pk}/remove/")

    assert answer.status_code == 302
    assert not Authenticator.objects.exists()
    assert actions()[-1] == "second_factor.removed"


def test_each_change_is_written(app, actions):
    assert actions()[-2:] == ["second_factor.added", "recovery_codes.made"]


def test_nobody_touches_the_factors_of_another(app, log_in, viewer):
    factor = Authenticator.objects.get(type=factors.Type.TOTP)
    other = Client()
    log_in(viewer.email, client=other)

    removed = other.post(f"/account/second-factors/{factor.pk}/remove/")
    renamed = other.post(f"/account/second-factors/{factor.pk}/rename/", {"name": "mine"})

    assert (removed.status_code, renamed.status_code) == (404, 404)
    assert Authenticator.objects.filter(pk=factor.pk).exists()


NONSENSE = ["", "{}", "[]", "null", "1", '"x"', "{", '{"id": 1}', '{"response": {}}', "x" * 20_000,
  '{"id":"a","rawId":"a","type":"public-key","response":{"userHandle":"MQ","clientDataJSON":"e30",'
  '"authenticatorData":"AA","signature":"AA"},"clientExtensionResults":{}}',
]  # fmt: skip


@pytest.mark.parametrize("credential", NONSENSE)
@pytest.mark.parametrize("began", [True, False])
def test_a_passkey_that_is_none_is_refused(client, admin, credential, began):
    if began:
        assert client.post("/accounts/passkey/options/").json()["publicKey"]["challenge"]

    answer = client.post("/accounts/passkey/", {"credential": credential, "next": "//evil.example"})

    assert answer.headers["Location"] == "/accounts/login/?passkey=refused"


@pytest.mark.parametrize("credential", NONSENSE)
def test_a_passkey_that_is_none_is_not_added(mine, credential):
    mine.post("/account/second-factors/passkeys/options/")

    answer = mine.post("/account/second-factors/passkeys/add/", {"name": "x", "credential": credential})

    assert answer.status_code == 422
    assert not Authenticator.objects.exists()


def test_an_organization_that_asks_for_a_second_factor_leads_to_one_and_then_lets_in(mine, organization):
    organization.second_factor_required = True
    organization.save()

    led = mine.get("/o/acme/team/").headers["Location"]
    secret = mine.get("/account/second-factors/app/").context["secret"]
    mine.post("/account/second-factors/app/", {"code": code(secret, -1)})

    assert led.startswith("/account/second-factors/?next=")
    assert mine.get("/o/acme/team/").status_code == 200


def test_who_has_a_second_factor_and_did_not_show_it_is_asked_for_it_and_not_for_the_password(
    app, organization, admin
):
    organization.second_factor_required = True
    organization.save()
    client = Client()
    client.force_login(admin)

    led = client.get("/o/acme/team/").headers["Location"]
    text = client.get(led).content.decode()
    client.post("/accounts/reauthenticate/", {"method": "code", "code": code(app[0])})

    assert led.startswith("/accounts/second-factor/show/?next=")
    assert 'name="password"' not in text
    assert client.get("/o/acme/team/").status_code == 200


@pytest.mark.parametrize("spelling", ["{0[0]}-{0[1]}", "{0[0]}\t{0[1]}", "{0[0]}.{0[1]}", " {0[0]} {0[1]} "])
def test_a_code_is_taken_once_however_it_is_typed(app, admin, spelling):
    shown = code(app[0], 1)
    assert factors.check(admin, shown) is not None
    # django-allauth's own note of it ends before the code does.
    cache.delete(f"allauth.mfa.totp.used?user={admin.pk}&code={shown}")

    again = factors.check(admin, spelling.format((shown[:3], shown[3:])))

    assert again is None


def test_codes_are_not_guessed_from_many_addresses_by_who_has_the_password(
    app, admin, log_in, mine, monkeypatch
):
    now = time.time()
    monkeypatch.setattr("accounts.sign_in.limits.time.time", lambda: now)
    guessed = []
    for number in range(70):
        address, elsewhere = f"2001:db8:{number:x}::1", Client()
        log_in(admin.email, client=elsewhere, address=address)
        answer = elsewhere.post("/accounts/second-factor/", {"code": "000000"}, REMOTE_ADDR=address)
        guessed.append("Too many tries" not in answer.content.decode())
    mine.post("/accounts/logout/")
    log_in(admin.email, client=mine, address="203.0.113.5")

    known = mine.post("/accounts/second-factor/", {"code": code(app[0], 1)}, REMOTE_ADDR="203.0.113.5")

    assert guessed.count(True) <= 60
    assert known.status_code == 302
