"""What people sign in with, and what is sent with, is looked for in every place where it must never be.

Each goes its whole way at DEBUG: passwords, codes, recovery codes, passkeys' challenges, links of invitations, API tokens,
an identity provider's secret, codes and tokens, secrets of webhooks and collectors.
"""

import io
import logging
import re
import time
from typing import Any

import pytest
from allauth.mfa.totp.internal import auth as totp
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.cache import cache
from django.test import Client

from tests import factories
from tests.accounts.single_sign_on.conftest import (  # noqa: F401
    browser,
    issuer,
    jo,
    provider,
    running_issuer,
)
from tests.api.conftest import Caller
from tests.security import crawl
from tests.test_canary import tables
from tests.tools import broker

pytestmark = pytest.mark.django_db

WRONG, RIGHT, NEXT = "canary-wrong-5e1f", "canary-right-9b2c8d", "canary-next-77ab31"


@pytest.fixture
def log() -> Any:
    """Everything that anybody logs, as text, at DEBUG but for those whom the settings quieten."""
    stream = io.StringIO()
    handler, root = logging.StreamHandler(stream), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.fixture
def person(organization: Any) -> Any:
    return factories.make_member(organization, "owner", name="Olive", password=RIGHT)


@pytest.fixture
def signed_in(person: Any) -> Client:
    cache.clear()
    client = Client()
    client.post("/accounts/login/", {"login": person.email, "password": WRONG})
    client.post("/accounts/login/", {"login": person.email, "password": RIGHT})
    return client


def everywhere(log: Any) -> dict[str, str]:
    """Return all that is kept and said, by place; sessions as they are when they are read."""
    return {
        "log": log.getvalue(),
        "broker": broker(settings.REDIS_URL),
        "sessions": "\n".join(repr(session.get_decoded()) for session in Session.objects.all()),
    } | tables()


def found(log: Any, *values: str) -> set[str]:
    assert all(len(value) > 5 for value in values)
    return {where for where, text in everywhere(log).items() if any(value in text for value in values)}


def shown(client: Client, *values: str) -> set[str]:
    """Return the pages of people, their account and settings that hold one of the values."""
    urls = ["/account/", "/account/sessions/", "/account/second-factors/", "/o/acme/team/", "/o/acme/tokens/",
            "/o/acme/audit/", "/o/acme/settings/notifications/", "/o/acme/settings/sign-in/", "/o/acme/settings/"]  # fmt: skip
    pages = {url: client.get(url) for url in urls}
    assert {page.status_code for page in pages.values()} == {200}
    return {url for url, page in pages.items() if any(value in page.content.decode() for value in values)}


def test_passwords(signed_in, person, log, client):
    signed_in.post("/account/password/", {"current": RIGHT, "new": NEXT})
    signed_in.post("/accounts/reauthenticate/", {"password": WRONG, "next": "/"})
    client.post("/accounts/login/", {"login": person.email, "password": NEXT})

    person.refresh_from_db()
    assert person.check_password(NEXT)
    assert found(log, WRONG, RIGHT, NEXT) == set()


def test_codes_and_recovery_codes(signed_in, log):
    secret = signed_in.get("/account/second-factors/app/").context["secret"].replace(" ", "")
    meanwhile = found(log, secret)
    code = totp.format_hotp_value(totp.hotp_value(secret, int(time.time()) // 30 - 1))
    page = signed_in.post("/account/second-factors/app/", {"code": code}).content.decode()
    recovery = re.findall(r"(?<![\d\"])\d{10}(?![\d\"])", page)

    assert (len(recovery), meanwhile) == (10, set())
    assert found(log, secret, *recovery) == set()
    assert shown(signed_in, secret, *recovery) == set()


def test_a_passkeys_challenge_is_in_the_session_of_its_browser_alone(signed_in, log):
    options = [
        client.post(url).json()
        for client, url in (
            (signed_in, "/account/second-factors/passkeys/options/"),
            (Client(), "/accounts/passkey/options/"),
        )
    ]
    challenges = re.findall(r"'challenge': '([\w-]{20,})'", repr(options))

    assert len(challenges) == 2
    assert found(log, *challenges) <= {"sessions"}
    assert shown(signed_in, *challenges) == set()


def test_links_of_invitations(signed_in, log):
    link = {"how": "link", "email": "", "roles": ["viewer"], "days": "1"}
    page = signed_in.post("/o/acme/team/invite/", link).content.decode()
    signed_in.post("/o/acme/team/invite/", link | {"how": "email", "email": "new@example.com"})
    tokens = re.findall(r"/join/([\w-]{20,})/", page + mail.outbox[-1].body)
    visitor = Client()
    for token in tokens:
        visitor.get(f"/join/{token}/", follow=True)
    registered = {"name": "Nia", "email": "nia@example.com", "password": NEXT, "password1": NEXT}
    visitor.post("/invitation/register/", registered)

    assert len(set(tokens)) == 2
    assert found(log, *tokens, NEXT) == set()
    assert shown(signed_in, *tokens) == set()


def test_values_of_api_tokens(signed_in, log):
    page = signed_in.post(
        "/o/acme/tokens/new/", {"name": "ci", "roles": ["viewer"], "expires": "90", "kind": "personal"}
    ).content.decode()
    (value,) = set(re.findall(r"kh[po]_[\w-]{40,}", page))
    statuses = [Caller(value).get(path).status_code for path in ("/clusters", "/nowhere", "/audit-events")]
    Caller(value + "x").get("/clusters")

    assert statuses == [200, 404, 403]
    assert found(log, value, value[4:]) == set()
    assert shown(signed_in, value) == set()


def test_what_an_identity_provider_says(provider, issuer, jo, browser, log):  # noqa: F811
    """Its client secret, the code, and every token that it gives."""
    answer = browser.enter(issuer, "jo")
    again = browser.enter(issuer, "jo")

    assert (answer.status_code, again.status_code) == (302, 302)
    assert found(log, issuer.state.client_secret) == set()
    assert not re.search(r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.", "".join(everywhere(log).values()))


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("webhook", {"url": f"https://127.0.0.1/hook/{NEXT}"}),
        ("otlp", {"url": "https://127.0.0.1:1", "header": f"Authorization: Bearer {NEXT}"}),
    ],
)
def test_secrets_of_receivers(signed_in, organization, log, kind, fields):
    from accounts.models import Destination

    sent = {"name": "on-call", "topics": ["deploy-failures"], "what": "topics"} | fields
    answer = signed_in.post(f"/o/acme/settings/notifications/add/?kind={kind}", sent)
    made = Destination.objects.filter(organization=organization).first()
    assert made is not None, answer.context["form"].errors
    signed_in.post(f"/o/acme/settings/notifications/{made.pk}/test/")
    signed_in.post(f"/o/acme/settings/notifications/{made.pk}/secret/")
    secrets = {NEXT, *([made.secret] if made.secret else [])}

    assert found(log, *secrets) == set()
    assert shown(signed_in, *secrets) == set()


def test_the_search_would_find_each_place(signed_in, log, organization):
    logging.getLogger("some.where").debug("A %s", NEXT)
    cache.set("x", NEXT)
    session = signed_in.session
    session["x"] = NEXT
    session.save()
    factories.make_cluster(organization=organization, status_reason=NEXT)

    assert {"log", "broker", "sessions", "clusters_cluster"} <= found(log, NEXT)
    assert crawl.rows("clusters_cluster")
