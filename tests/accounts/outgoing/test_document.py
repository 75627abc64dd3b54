"""The receiver's check in docs/notifications.md is what our signature needs."""

import re
import time

import pytest

from accounts.outgoing.senders import webhook
from config.paths import BASE_DIR

BODY = b'{"events": []}'


@pytest.fixture(scope="module")
def is_ours():
    text = (BASE_DIR / "docs" / "notifications.md").read_text()
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict = {}
    exec(found[1], names)
    return names["is_ours"]


def test_the_check_of_the_document_takes_our_signature(is_ours):
    header = webhook.signature(BODY, ["khs_new", "khs_old"], int(time.time()))

    assert is_ours(BODY, header, "khs_new")
    assert is_ours(BODY, header, "khs_old")


@pytest.mark.parametrize(
    ("body", "secret", "age"), [(b"x", "khs_new", 0), (BODY, "khs_other", 0), (BODY, "khs_new", 301)]
)
def test_it_refuses_another_body_another_secret_and_an_old_one(is_ours, body, secret, age):
    header = webhook.signature(BODY, ["khs_new"], int(time.time()) - age)

    assert not is_ours(body, header, secret)


@pytest.mark.parametrize("header", ["", "t=,v1=", "t=x,v1=y", "v1=abc", ","])
def test_it_refuses_nonsense(is_ours, header):
    assert not is_ours(BODY, header, "khs_new")
