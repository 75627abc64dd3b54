"""Passkeys and the proof dialog in a real Chromium, with an authenticator that it plays itself."""

import datetime
import re
import time

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.sessions.backends.db import SessionStore
from django.core.cache import cache
from django.db import connections
from django.urls import reverse

from accounts.models import AuditEvent
from clusters.models import Cluster
from tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def fresh_counts(settings):
    cache.clear()
    settings.ALLOWED_HOSTS = ["*"]


@pytest.fixture(autouse=True)
def no_connection_stays(visit):
    """Playwright's loop has database connections of its own in this thread, which nobody else closes."""
    yield
    connections.close_all()


@pytest.fixture
def go(visit, live_server, monkeypatch):
    """Open a page under the name localhost: passkeys are bound to a name, and an address is none."""
    name = live_server.url.replace("127.0.0.1", "localhost")
    monkeypatch.setattr(type(live_server), "url", name)

    def act(path):
        page = visit(path)
        devtools = page.context.new_cdp_session(page)
        devtools.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
            "isUserVerified": True, "automaticPresenceSimulation": True,
        }  # fmt: skip
        devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        return page

    return act


def sign_in(page, person):
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Password", exact=True).fill(factories.PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def age_proof(page):
    """Make the proof of this browser's session sixteen minutes old."""
    key = next(cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "session")
    session = SessionStore(key)
    session["proved_at"] = time.time() - 960
    session.save()
    connections.close_all()


def add_passkey(page):
    page.goto(page.url.partition("/o/")[0] + "/account/second-factors/passkeys/add/")
    page.get_by_label("Name").fill("Laptop")
    page.get_by_role("button", name="Add passkey").click()
    page.get_by_role("link", name="I have kept them").click()
    page.get_by_text("Laptop").first.wait_for()


def test_a_passkey_is_added_signs_in_alone_and_proves_it_again(go, owner, organization):
    page = go("/accounts/login/?next=/o/acme/team/")
    sign_in(page, owner)
    page.wait_for_url("**/o/acme/team/")

    add_passkey(page)
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/accounts/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(re.compile("/o/acme/clusters/"))
    age_proof(page)
    page.goto(page.url.partition("/o/")[0] + "/o/acme/credentials/new/")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/o/acme/credentials/new/")

    actions = list(AuditEvent.objects.order_by("sequence").values_list("action", flat=True))
    assert actions == [
        "sign_in.succeeded", "passkey.added", "recovery_codes.made", "signed_out", "sign_in.succeeded", "sudo.granted",
    ]  # fmt: skip
    assert AuditEvent.objects.filter(action="sign_in.succeeded").latest("sequence").details == {
        "by": ["passkey"]
    }
    assert Authenticator.objects.filter(type="webauthn").get().last_used_at is not None


def test_a_passkey_is_a_second_factor_after_the_password(go, owner, organization):
    page = go("/accounts/login/?next=/o/acme/team/")
    sign_in(page, owner)
    page.wait_for_url("**/o/acme/team/")
    add_passkey(page)
    page.get_by_role("button", name="Sign out").click()

    sign_in(page, owner)
    page.wait_for_url("**/accounts/second-factor/")
    page.get_by_role("button", name="Use a passkey").click()

    page.wait_for_url(re.compile("/o/acme/"))


def test_a_form_that_would_come_too_late_is_sent_after_the_proof_as_it_was_typed(go, owner, organization):
    factories.make_cluster(organization=organization, name="prod")
    page = go(
        f"/accounts/login/?next={reverse('clusters:danger', kwargs={'org': 'acme', 'cluster': 'prod'})}"
    )
    sign_in(page, owner)
    page.wait_for_url("**/danger/")
    page.locator("[name=name]").fill("prod")
    age_proof(page)
    page.clock.set_fixed_time(datetime.datetime.now() + datetime.timedelta(minutes=16))

    page.get_by_role("button", name="Disconnect…").click()
    dialog = page.get_by_role("dialog", name="Confirm that it is you")
    dialog.get_by_label("Password").fill("wrong")
    dialog.get_by_role("button", name="Go on with the password").click()
    dialog.get_by_text("The password is not right").first.wait_for()
    dialog.get_by_label("Password").fill(factories.PASSWORD)
    dialog.get_by_role("button", name="Go on with the password").click()

    page.wait_for_url("**/o/acme/clusters/")
    assert not Cluster.objects.exists()
