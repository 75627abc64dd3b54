"""A browser at the sign-in page, and how often a password is hashed."""

import pytest
from django.core.cache import cache
from django.test import Client

from accounts.models import AuditEvent
from tests.accounts.sign_in.counting import count

HASHER = "tests.accounts.sign_in.counting.Counting"


@pytest.fixture(autouse=True)
def fresh_counts(db):
    """No test is slowed by what the one before tried."""
    cache.clear()


@pytest.fixture(autouse=True)
def worker_at_once(monkeypatch):
    """What is refused is written by a worker; here at once, by a page's own process."""
    from accounts.sign_in import tasks

    asked = []

    def act(**said):
        asked.append(said)
        tasks.write_failed(**said)

    monkeypatch.setattr(tasks.write_failed, "delay", act)
    return asked


@pytest.fixture
def hashes(settings):
    """Return a function that tells how many hashes were computed since it was last asked."""
    settings.PASSWORD_HASHERS = [HASHER]
    count["hashes"] = 0

    def since():
        number, count["hashes"] = count["hashes"], 0
        return number

    return since


@pytest.fixture
def log_in():
    """Return a function that signs in at the page, by default with the right password, from an address."""
    from tests import factories

    def act(email, password=factories.PASSWORD, *, client=None, address="198.51.100.1", query="", **extra):
        client = client or Client()
        data = {"login": email, "password": password}
        return client.post(f"/accounts/login/{query}", data, REMOTE_ADDR=address, **extra)

    return act


@pytest.fixture
def actions(organization):
    """Return a function that lists the organization's audit actions, oldest first."""
    return lambda: list(
        AuditEvent.objects.owned_by(organization).order_by("sequence").values_list("action", flat=True)
    )
