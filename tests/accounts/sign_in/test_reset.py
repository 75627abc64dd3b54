"""A password is reset by mail, and nobody learns who has an account."""

import re

import pytest
from django.core import mail
from django.test import Client

from accounts.sign_in import mails, tasks
from tests import factories

NEW = "another sentence of words"


@pytest.fixture
def people(admin, organization):
    disabled = factories.make_member(organization, "viewer", is_active=False)
    machine = factories.make_member(organization, "viewer", is_machine=True)
    without = factories.make_member(organization, "viewer", password=None)
    return [admin.email, disabled.email, machine.email, without.email, "nobody@example.com"]


@pytest.fixture
def posted(monkeypatch):
    """What the pages would hand to a worker, instead of a broker."""
    asked = []
    monkeypatch.setattr(tasks.mail_reset, "delay", lambda **said: asked.append(said))
    return asked


def ask(email, **extra):
    return Client().post("/accounts/password/reset/", {"email": email}, **extra)


def test_nobody_is_told_apart(people, posted):
    answers = [ask(email) for email in people]

    assert {(answer.status_code, answer.headers["Location"], answer.content) for answer in answers} == {
        (302, "/accounts/password/reset/done/", b"")
    }
    assert posted == [{"email": email} for email in people]


def test_only_who_signs_in_with_a_password_gets_a_mail(people):
    for email in people:
        mails.reset(email)

    assert [message.to for message in mail.outbox] == [[people[0]]]


def test_the_link_is_of_our_own_address_whatever_host_was_asked(admin):
    mails.reset(admin.email)

    assert "http://localhost:8000/accounts/password/reset/key/" in mail.outbox[0].body


@pytest.fixture
def there(log_in, admin):
    """A browser in which the person is signed in."""
    client = Client()
    log_in(admin.email, client=client)
    return client


@pytest.fixture
def link(there, admin):
    mails.reset(admin.email)
    return re.search(r"http://localhost:8000(\S+)", mail.outbox[0].body.partition("for an hour")[2])[1]


def test_the_link_sets_a_password_and_ends_all_sessions(there, link, admin, log_in, actions):
    here = Client()
    form = here.get(link).headers["Location"]

    answer = here.post(form, {"password1": NEW, "password2": NEW})

    assert answer.headers["Location"] == "/accounts/password/reset/key/done/"
    assert link.rstrip("/").rpartition("-")[2] not in form
    assert there.get("/o/acme/team/").status_code == 302
    assert here.get("/o/acme/team/").status_code == 302
    assert log_in(admin.email, NEW).status_code == 302
    assert "password.reset" in actions()


def test_the_link_works_once(link, admin):
    here = Client()
    here.post(here.get(link).headers["Location"], {"password1": NEW, "password2": NEW})

    again = Client().get(link)

    assert again.status_code == 200
    assert "This link has ended" in again.content.decode()


def test_the_link_ends_after_an_hour(link, monkeypatch):
    import datetime

    from allauth.account.forms import default_token_generator

    now = datetime.datetime.now() + datetime.timedelta(seconds=3700)
    monkeypatch.setattr(type(default_token_generator), "_now", lambda self: now)

    assert "This link has ended" in Client().get(link).content.decode()


@pytest.mark.parametrize("weak", ["1234567", "password", "12345678", "x" * 1001])
def test_a_weak_password_is_refused(link, admin, weak):
    here = Client()
    form = here.get(link).headers["Location"]

    here.post(form, {"password1": weak, "password2": weak})

    admin.refresh_from_db()
    assert not admin.check_password(weak)


def test_nobody_is_flooded_with_mail(admin, posted):
    answers = [ask(admin.email) for _ in range(20)]

    assert len(posted) == 5
    assert "Too many tries" in answers[-1].content.decode()


def test_a_change_is_told_by_mail(admin):
    mails.notice(admin.pk, "passkey.added", "198.51.100.1", "Firefox")

    assert mail.outbox[0].to == [admin.email]
    assert "A passkey was added" in mail.outbox[0].subject
    assert "198.51.100.1" in mail.outbox[0].body
