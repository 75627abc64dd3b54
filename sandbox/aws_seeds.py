"""What is in the AWS stand-in when it starts: secrets, parameters, and the users whose keys it gives out."""

import json
from typing import Any

from credentials.clouds.aws import policies
from sandbox import world

SECRETS = (
    "secretsmanager:GetResourcePolicy", "secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret",
    "secretsmanager:ListSecretVersionIds",
)  # fmt: skip
PARAMETERS = ("ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath")
# These two name every secret or parameter; AWS knows no resource for them.
LISTING = ("secretsmanager:ListSecrets", "ssm:DescribeParameters")

# What the providers say that writing needs besides: their own texts, checked by a test.
WRITING = (
    "secretsmanager:CreateSecret", "secretsmanager:PutSecretValue", "secretsmanager:TagResource",
    "secretsmanager:DeleteSecret", "secretsmanager:RestoreSecret",
    "ssm:PutParameter", "ssm:AddTagsToResource", "ssm:DeleteParameter", "ssm:DescribeParameters",
)  # fmt: skip


def allow(*actions: str, on: str = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": on}


def users(account: str) -> dict[str, list[dict[str, Any]]]:
    """Return what each user of an account may do."""
    return {
        # With what the operator needs to find secrets by their beginning or their tags.
        "reader": [allow(*SECRETS, *PARAMETERS, *LISTING, "secretsmanager:BatchGetSecretValue")],
        "writer": [allow(*SECRETS, *PARAMETERS, *LISTING), allow(*WRITING)],
        "limited": [allow(*SECRETS, *PARAMETERS)],
        "admin": [allow("secretsmanager:*", "ssm:*")],
        # What the console itself signs in with: what its page tells people to allow, and no more.
        "console": [*json.loads(policies.for_aws(account))["Statement"], *own_keys(account, "console")],
        # Who the console itself is at AWS, in an account of its own: it assumes roles, and does nothing else.
        "keyhaven": json.loads(policies.for_console())["Statement"],
        # Who sets things up in an account, by hand or by CloudFormation.
        "administrator": [allow("s3:*", "cloudformation:*", "iam:*", "eks:*", "secretsmanager:*", "ssm:*")],
    }


def own_keys(account: str, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(policies.for_keys(f"arn:aws:iam::{account}:user/{name}"))[
        "Statement"
    ]
    return found


def make_users(account: str) -> dict[str, tuple[str, str]]:
    """Make the users and return their access keys."""
    from moto.backends import get_backend

    backend: Any = get_backend("iam")[account]["aws"]
    keys = {}
    for name, statements in users(account).items():
        backend.create_user("us-east-1", name)
        backend.put_user_policy(
            name, "sandbox", json.dumps({"Version": "2012-10-17", "Statement": statements})
        )
        made = backend.create_access_key(name)
        keys[name] = (made.access_key_id, made.secret_access_key)
    return keys


def fill(count: int) -> None:
    """Put the world's names into both regions."""
    for region in world.REGIONS:
        _secrets(region, count)
        _parameters(region, count)


def _secrets(region: str, count: int) -> None:
    from moto.backends import get_backend

    backend: Any = get_backend("secretsmanager")[world.ACCOUNT][region]
    for name in world.names(count):
        backend.create_secret(
            name,
            secret_string=world.value(name),
            secret_binary=None,
            description=None,
            tags=world.tags(name),
            kms_key_id=None,
            client_request_token=None,
            replica_regions=[],
            force_overwrite=False,
        )


def _parameters(region: str, count: int) -> None:
    from moto.backends import get_backend

    backend: Any = get_backend("ssm")[world.ACCOUNT][region]
    for name in world.names(count)[: world.PARAMETERS]:
        kind = world.kind_of_parameter(name)
        value = "one,two,three" if kind == "StringList" else world.value(name)
        backend.put_parameter(
            f"/{name}",
            description="",
            value=value,
            parameter_type=kind,
            allowed_pattern="",
            keyid="alias/aws/ssm" if kind == "SecureString" else "",
            overwrite=False,
            tags=world.tags(name),
            data_type="text",
            tier="Standard",
            policies=None,
        )
