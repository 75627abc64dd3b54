"""An owner's browser that has just proved who it is, in a world where each engine and cloud is a stand-in."""

import time
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from tests import factories
from tests.api.conftest import Caller


@pytest.fixture
def browser(owner: Any, aws_endpoint: str, google_endpoint: str) -> Client:
    cache.clear()
    client = Client(raise_request_exception=False)
    client.force_login(owner)
    session = client.session
    session["proved_at"] = time.time()
    session.save()
    return client


@pytest.fixture
def call_as(organization: Any) -> Any:
    """Return a function that makes a token of a member of Acme and returns what calls with it."""
    return lambda user: Caller(factories.make_token(user, organization))
