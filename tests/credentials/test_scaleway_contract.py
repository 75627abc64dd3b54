"""Scaleway's kind of credential keeps to the contract."""

import datetime
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.scaleway import IAM, ORGANIZATION, PROJECT, READ, Scaleway
from tests.credentials import contract

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]


@pytest.fixture
def scaleway(settings: Any) -> Iterator[Scaleway]:
    with Scaleway() as running:
        settings.SCALEWAY_ENDPOINT_URL = running.url
        yield running


class TestKey(contract.Contract):
    kind = "scaleway.key"
    identity = (PROJECT, ORGANIZATION, "Access key", "SCW", "Application")
    shown = frozenset({"access_key"})
    wrong = (
        contract.Wrong("no access key", {"access_key": ""}, "Enter the access key."),
        contract.Wrong("no secret key", {"secret_key": ""}, "Enter the secret key."),
        contract.Wrong("no project", {"project": ""}, "Enter the project ID."),
        contract.Wrong("a user's name", {"access_key": "keyhaven"}, "SCW with 17 capital letters and digits"),
        contract.Wrong("no uuid", {"secret_key": "s" * 36}, "It has 36 characters like"),
        contract.Wrong("a project's name", {"project": "default"}, "It has 36 characters like"),
        contract.Wrong("no such region", {"region": "us-east"}, "Select a valid choice."),
        contract.Wrong("an unknown key", {"access_key": "SCW" + "Z" * 17}, "Scaleway has no such access key."),
        contract.Wrong(
            "another secret", {"secret_key": "0a0a0a0a-0b0b-4c0c-8d0d-0e0e0e0e0e0e"},
            "Scaleway does not know this secret key.",
        ),
    )  # fmt: skip

    @pytest.fixture
    def good(self, scaleway: Scaleway) -> dict[str, str]:
        until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=90)
        places = {"project": PROJECT, "organization": ORGANIZATION, "region": "fr-par"}
        return scaleway.key((READ, IAM), expires=until) | places
