"""The first start: one link, one hour, one owner."""

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from accounts.models import AuditEvent, Membership, User
from accounts.sign_in import first
from tests import factories

TYPED = {
    "organization": "Acme Industries",
    "name": "Marie Rey",
    "email": "Marie@acme.example",
    "password": "a long and unusual password",
}


@pytest.fixture
def link(db, capsys):
    call_command("set_up")
    return capsys.readouterr().out.strip().removeprefix("http://localhost:8000")


def test_the_link_makes_the_first_owner_who_then_signs_in(link, log_in):
    client = Client()

    opened = client.get(link, follow=True)
    done = client.post("/accounts/first/", TYPED)

    assert link.rpartition("/")[0].rpartition("/")[2] not in opened.redirect_chain[-1][0]
    assert done.headers["Location"] == "/accounts/login/"
    membership = Membership.objects.get()
    assert (membership.user.email, membership.roles, membership.organization.slug) == (
        "marie@acme.example",
        ["owner"],
        "acme-industries",
    )
    assert AuditEvent.objects.get().action == "organization.created"
    assert log_in("marie@acme.example", TYPED["password"]).status_code == 302


def test_it_works_once(link):
    one, two = Client(), Client()
    one.get(link)
    two.get(link)
    one.post("/accounts/first/", TYPED)

    again = two.post("/accounts/first/", TYPED | {"email": "eve@evil.example"})

    assert again.status_code == 404
    assert two.get(link).status_code == 404
    assert User.objects.count() == 1


def test_it_ends_when_somebody_is_there_or_a_newer_link_is_made(link, client):
    first.make_link()
    older = client.get(link).status_code
    factories.make_user()

    with pytest.raises(CommandError, match="already"):
        call_command("set_up")
    assert older == 404
    assert client.get(link).status_code == 404


@pytest.mark.parametrize(
    "bad", [{"password": "12345678"}, {"email": "nobody"}, {"organization": ""}, {"name": ""}]
)
def test_what_is_wrong_is_said_and_nothing_is_made(link, client, bad):
    client.get(link)

    assert client.post("/accounts/first/", TYPED | bad).status_code == 422
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "path", ["/accounts/first/", "/accounts/first/guessed/", f"/accounts/first/{'x' * 5000}/"]
)
def test_nobody_gets_in_without_the_link(db, client, path):
    assert client.get(path).status_code == 404


def test_the_link_itself_is_kept_nowhere(link):
    token = link.rstrip("/").rpartition("/")[2]
    client = Client()
    client.get(link)

    with connection.cursor() as cursor:
        cursor.execute("SELECT session_data FROM django_session")
        stored = str(cursor.fetchall())
    assert token not in stored
    assert first.digest(token) != token
