"""A fresh proof before what is dangerous."""

import time

import pytest
from django.test import Client

from accounts.models import AuditEvent
from accounts.sign_in import sudo
from tests import factories
from tests.accounts.sign_in.test_factors import app as app
from tests.accounts.sign_in.test_factors import code
from tests.accounts.sign_in.test_factors import mine as mine
from tests.world import VIEWS

PROOF = "/accounts/reauthenticate/"
PAGE = "/o/acme/credentials/new/"
DANGEROUS = {
    "credentials:new", "credentials:edit", "credentials:delete", "clusters:connect", "clusters:connect_draft",
    "clusters:connect_kubeconfig", "clusters:connect_credential", "clusters:connect_found",
    "clusters:sign_in",
    "clusters:settings", "clusters:cloud", "clusters:disconnect", "accesses:new", "accesses:wizard",
    "accesses:edit", "accesses:delete", "accesses:uninstall_operator", "accounts:audit_settings",
}  # fmt: skip


@pytest.fixture
def later(mine):
    """A session whose proof is sixteen minutes old."""

    def act(seconds=sudo.SECONDS + 60):
        session = mine.session
        session["proved_at"] = time.time() - seconds
        session.save()
        return mine

    return act


def test_what_is_dangerous_asks_for_a_proof():
    asking = {name for name, view in VIEWS.items() if getattr(view.callback, "dangerous", False)}

    assert asking >= DANGEROUS


def test_signing_in_is_a_proof_for_fifteen_minutes(later):
    assert later(sudo.SECONDS - 5).get(PAGE).status_code == 200
    assert later(sudo.SECONDS + 1).get(PAGE).headers["Location"].startswith(PROOF)


def test_a_password_is_a_proof_and_leads_back(later, actions):
    client = later()
    asked = client.get(PAGE).headers["Location"]

    answer = client.post(PROOF, {"method": "password", "password": factories.PASSWORD, "next": PAGE})

    assert "next=%2Fo%2Facme%2Fcredentials%2Fnew%2F" in asked
    assert answer.headers["Location"] == PAGE
    assert client.get(PAGE).status_code == 200
    assert actions()[-1] == "sudo.granted"


def test_a_code_is_a_proof(app, later):
    client = later()

    answer = client.post(PROOF, {"method": "code", "code": code(app[0])})

    assert answer.status_code == 302
    assert client.get(PAGE).status_code == 200


@pytest.mark.parametrize(
    "typed",
    [
        {"method": "password", "password": "wrong"},
        {"method": "password"},
        {"method": "code", "code": "000000"},
        {"method": "passkey", "credential": "{}"},
        {"method": "magic"},
        {},
    ],
)
def test_what_proves_nothing_grants_nothing(later, typed):
    client = later()

    answer = client.post(PROOF, typed)

    assert answer.status_code in (200, 422)
    assert client.get(PAGE).status_code == 302


def test_a_failed_proof_is_written_and_counted(later, actions, hashes):
    client = later()
    hashes()

    answers = [client.post(PROOF, {"method": "password", "password": f"guess {n}"}) for n in range(30)]

    assert hashes() <= 11  # one of them is the new hasher's own
    assert "Too many tries" in answers[-1].content.decode()
    assert "sudo.failed" in actions()
    assert "guess" not in str(list(AuditEvent.objects.values()))


def test_a_form_that_comes_too_late_changes_nothing_and_is_not_kept(later, organization):
    client = later()
    typed = {"kind": "aws-static", "name": "x", "secret_access_key": "a canary of a key"}

    answer = client.post(PAGE, typed, headers={"Referer": f"http://testserver{PAGE}"})

    assert answer.headers["Location"].startswith(PROOF)
    assert "canary" not in str(dict(client.session))
    assert "canary" not in client.get(answer.headers["Location"]).content.decode()


def test_the_dialog_is_offered_only_where_a_proof_is_asked_for(later):
    client = later()

    def ask(path):
        return client.get(PROOF, {"for": path}, headers={"X-Dialog": "1"})

    assert b"<dialog" in ask(PAGE).content
    assert ask("/theme/").status_code == 204
    assert ask("/nowhere/").status_code == 204
    assert ask("//evil.example/\x00").status_code == 204


def test_the_dialog_grants_and_says_until_when(later):
    client = later()
    typed = {"method": "password", "password": factories.PASSWORD}

    wrong = client.post(PROOF, typed | {"password": "wrong"}, headers={"X-Dialog": "1"})
    right = client.post(PROOF, typed, headers={"X-Dialog": "1"})

    assert (wrong.status_code, right.status_code) == (422, 204)
    assert b"<dialog" in wrong.content
    assert int(right.headers["X-Proved-Until"]) > time.time() + 800
    assert client.get(PROOF, {"for": PAGE}, headers={"X-Dialog": "1"}).status_code == 204


def test_htmx_is_led_to_the_page(later):
    answer = later().get(PAGE, headers={"HX-Request": "true"})

    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"].startswith(PROOF)


def test_a_stranger_is_asked_to_sign_in(client):
    assert client.get(PROOF).headers["Location"].startswith("/accounts/login/")


def test_somebody_without_any_proof_is_told_what_to_do(log_in, organization):
    person = factories.make_member(organization, "admin", password=None)
    client = Client()
    client.force_login(person)

    assert "Sign out and sign in again" in client.get(PROOF).content.decode()


def test_the_proof_leads_to_no_foreign_place(later):
    client = later()
    typed = {"method": "password", "password": factories.PASSWORD, "next": "https://evil.example/"}

    assert client.post(PROOF, typed).headers["Location"] == "/"
