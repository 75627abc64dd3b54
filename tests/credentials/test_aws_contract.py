"""AWS's kinds of credentials keep to the contract."""

from typing import Any

import pytest

from credentials.clouds.aws import console, role
from tests.credentials import contract

pytestmark = [pytest.mark.sandbox, pytest.mark.django_db]

ACCOUNT = "123456789012"


class TestRole(contract.Contract):
    kind = "aws.role"
    identity = (ACCOUNT, "External ID", "keyhaven@")
    wrong = (
        contract.Wrong("nothing", {"arn": ""}, "Enter the role ARN."),
        contract.Wrong("a name", {"arn": "keyhaven-console"}, "An ARN has six parts with colons between them"),
        contract.Wrong("a user", {"arn": f"arn:aws:iam::{ACCOUNT}:user/keyhaven"}, "This is the ARN of a user."),
        contract.Wrong("another service", {"arn": f"arn:aws:lambda::{ACCOUNT}:function:x"}, "This is an ARN of lambda."),
        contract.Wrong("eleven digits", {"arn": "arn:aws:iam::12345678901:role/x"}, "it has 11 characters."),
        contract.Wrong("no partition", {"arn": f"arn:moon:iam::{ACCOUNT}:role/x"}, "the partition, which is one of aws,"),
        contract.Wrong("no such role", {"arn": lambda good: f"{good}-2"}, "The role is not there, or it does not let"),
        contract.Wrong("another account's", {"arn": lambda good: good.replace(ACCOUNT, "210987654321")}, "The role is not there"),
    )  # fmt: skip

    @pytest.fixture
    def good(self, console_role: str) -> dict[str, str]:
        return {"arn": console_role}

    def canaries(self, good: dict[str, str]) -> list[str]:
        """No value is entered; but there are the console's own key and the temporary ones."""
        keys = [console.keys(), *(keys for _, keys in role.kept._found.values())]
        return [value for one in keys for value in (one.secret_access_key, one.session_token) if value]

    def test_there_is_something_to_look_for(self, good: dict[str, str], browser: Any) -> None:
        before = self.canaries(good)

        self._add(browser, good)

        assert len(before) == 1
        assert len(self.canaries(good)) == 3


class TestAccessKey(contract.Contract):
    kind = "aws.static"
    identity = (f"arn:aws:iam::{ACCOUNT}:user/reader", ACCOUNT, "Access key ID")
    shown = frozenset({"access_key_id"})
    wrong = (
        contract.Wrong("no key ID", {"access_key_id": ""}, "Enter the access key ID."),
        contract.Wrong("no secret", {"secret_access_key": ""}, "Enter the secret access key."),
        contract.Wrong("a user's name", {"access_key_id": "keyhaven"}, "at least 16 capital letters and digits"),
        contract.Wrong("a space", {"secret_access_key": lambda good: f"{good} {good}"}, "that no key has."),
        contract.Wrong("a temporary key", {"access_key_id": "ASIA" + "Z" * 16}, "is temporary and has a session token"),
        contract.Wrong("no such partition", {"partition": "aws-moon"}, "Select a valid choice."),
        contract.Wrong("an unknown key", {"access_key_id": "AKIA" + "Z" * 16}, "AWS does not accept these keys."),
        contract.Wrong("another secret", {"secret_access_key": lambda good: good[::-1]}, "AWS does not accept these keys."),
        contract.Wrong("a token too many", {"session_token": "t" * 40}, "AWS does not accept these keys."),
    )  # fmt: skip

    @pytest.fixture
    def good(self, keys: Any) -> dict[str, str]:
        return {"partition": "aws", **keys(), "session_token": ""}
