"""The variable that a secret's name suggests."""

import pytest

from external_secrets import naming
from external_secrets.models import variable_rule

ARN = "arn:aws:secretsmanager:eu-west-3:123456789012:secret:prod/db-password-AbCdEf"


@pytest.mark.parametrize(
    ("key", "variable"),
    [
        ("prod/db-password", "DB_PASSWORD"),
        ("db-password", "DB_PASSWORD"),
        ("prod/db.password", "DB_PASSWORD"),
        ("prod/DbPassword", "DBPASSWORD"),
        ("prod/stripe key", "STRIPE_KEY"),
        ("/shop/api/token", "TOKEN"),
        ("shop/api/", "API"),
        ("prod/2fa-seed", "_2FA_SEED"),
        ("prod/_private", "_PRIVATE"),
        ("prod/a--b", "A__B"),
        ("prod/clé", "CL_"),
        ("prod/🔑", "_"),
        ("prod/" + "x" * 300, "X" * 200),
        ("prod/1" + "x" * 300, "_1" + "X" * 198),
        (ARN, "DB_PASSWORD"),
        ("arn:aws:secretsmanager:eu-west-3:123456789012:secret:db-password", "DB_PASSWORD"),
        ("arn:aws:ssm:eu-west-3:123456789012:parameter/shop/token", "TOKEN"),
        ("", ""),
        ("///", ""),
        (" / ", ""),
    ],
)
def test_the_variable_is_derived_from_the_last_segment(key, variable):
    assert naming.derive_variable(key) == variable


@pytest.mark.parametrize("key", ["a", "9", "-", "prod/…", "x" * 2048, "a/0", "ß"])
def test_what_is_derived_is_always_legal(key):
    variable_rule(naming.derive_variable(key))
