"""What the operator says of a store, in words with a remedy, and without what could be a key."""

import pytest

from accesses import causes, watching

TOKEN = "eyJhbGciOiJIUzI1NiJ9.abcdefgh.xyz"


@pytest.mark.parametrize(
    ("said", "reason", "remedy"),
    [
        ('cannot get Kubernetes secret "aws" from namespace "x"', "not in the cluster", "Deploy"),
        ('cannot find secret data for key: "secret-access-key"', "lacks a key", "Deploy"),
        ("UnrecognizedClientException: the token is invalid", "refused", "Replace the credentials"),
        ("AccessDeniedException: not authorized", "may not do", "policy"),
        ("dial tcp 10.0.0.1:443: i/o timeout", "does not reach", "way out"),
    ],
)
def test_known_words_become_a_cause_and_a_remedy(said, reason, remedy):
    cause = causes.translate(f"unable to create client {said}")

    assert reason in cause.reason
    assert remedy in cause.remedy


@pytest.mark.parametrize("secret", [TOKEN, "Bearer abcdef", "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"])
def test_what_could_be_a_key_is_never_passed_on(secret):
    store = {"status": {"conditions": [{"type": "Ready", "status": "False", "message": f"oops {secret}"}]}}

    assert secret not in causes.translate(f"oops {secret}").reason
    assert secret not in watching.ready(store)["message"]
