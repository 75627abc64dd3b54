"""An issuer, an organization that trusts it, and a browser that goes there and back."""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.test import Client

from accounts.models import AuditEvent
from sandbox.oidc import Issuer, State
from tests import factories


@pytest.fixture(scope="session")
def running_issuer() -> Iterator[Issuer]:
    with Issuer() as running:
        yield running


@pytest.fixture(scope="session")
def other_running_issuer() -> Iterator[Issuer]:
    with Issuer() as running:
        yield running


def _fresh(running: Issuer) -> Issuer:
    kept = running.state
    running.state = running._server.state = State(key=kept.key, client_secret=kept.client_secret)
    running.state.people = {name: dict(one) for name, one in kept.people.items()}
    for name, one in State(key=kept.key).people.items():
        running.state.people[name] = dict(one)
    return running


@pytest.fixture
def issuer(running_issuer: Issuer) -> Issuer:
    """Acme's issuer, without faults."""
    cache.clear()
    return _fresh(running_issuer)


@pytest.fixture
def other_issuer(other_running_issuer: Issuer) -> Issuer:
    """The issuer of somebody who means no good."""
    return _fresh(other_running_issuer)


@pytest.fixture
def provider(organization: Any, issuer: Issuer) -> Any:
    return factories.make_identity_provider(
        organization=organization,
        issuer=issuer.url,
        client_secret=issuer.state.client_secret,
        domains=["acme.example"],
    )


@pytest.fixture
def jo(organization: Any) -> Any:
    """A member whose address is in Acme's domain."""
    return factories.make_member(organization, "viewer", name="Jo Winter", email="jo@acme.example")


class Browser:
    """A browser of its own, which goes to an issuer and back."""

    def __init__(self) -> None:
        self.client = Client()

    def away(self, slug: str = "acme", **query: str) -> str:
        """Begin, and return the address at the issuer."""
        answer = self.client.get(f"/sso/{slug}/", query)
        assert answer.status_code == 302, answer.content
        return str(answer.headers["Location"])

    def back(self, url: str) -> Any:
        """Follow the issuer's redirect to the console."""
        parts = urlsplit(url)
        return self.client.get(f"{parts.path}?{parts.query}")

    def enter(self, issuer: Issuer, person: str, slug: str = "acme", **query: str) -> Any:
        return self.back(issuer.choose(self.away(slug, **query), person))

    @property
    def user(self) -> str:
        return str(self.client.session.get("_auth_user_id", ""))

    def prove(self, user: Any) -> None:
        """Type the password once more, as dangerous pages ask."""
        self.client.post("/accounts/reauthenticate/", {"method": "password", "password": factories.PASSWORD})

    def show_factor(self, user: Any) -> None:
        """Note in the session that a second factor was shown, as django-allauth does; the person has one."""
        Authenticator.objects.get_or_create(user=user, type=Authenticator.Type.TOTP, defaults={"data": {}})
        session = self.client.session
        session["account_authentication_methods"] = [{"method": "mfa", "type": "totp", "at": time.time()}]
        session["account_authentication_methods_user"] = str(user.pk)
        session.save()


@pytest.fixture
def browser(db: None) -> Browser:
    return Browser()


@pytest.fixture
def another_browser(db: None) -> Browser:
    return Browser()


@pytest.fixture
def refusals(organization: Any) -> Any:
    """Return a function that lists the reasons of Acme's refused sign-ins."""

    def listed() -> list[str]:
        events = AuditEvent.objects.filter(organization=organization, action="sign_in.refused")
        return [event.details["reason"] for event in events.order_by("sequence")]

    return listed
