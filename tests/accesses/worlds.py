"""Where each provider's names, good, wrong and limited credentials come from in its contract test."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings

from credentials.clouds import google as cloud
from sandbox import world
from tests import factories

COUNT = 300


@dataclass(frozen=True)
class World:
    """A secret manager to test against: `nowhere` cuts the way to it, `value` reads as its owner."""

    method: str
    configuration: dict[str, str]
    good: dict[str, str]
    wrong: dict[str, str]
    limited: dict[str, str]
    permission: str
    names: list[str]
    nowhere: Callable[[Any], None]
    value: Callable[[str], str]


def _aws(cloud: Any) -> World:
    def keys(pair: tuple[str, str]) -> dict[str, str]:
        return {"access_key_id": pair[0], "secret_access_key": pair[1]}

    return World(
        method="static",
        configuration={"region": "eu-west-3"},
        good=keys(cloud.keys["reader"]),
        wrong=keys((cloud.access_key_id, "w" * 40)),
        limited=keys(cloud.limited),
        permission="secretsmanager:ListSecrets",
        names=world.names(COUNT),
        nowhere=lambda monkeypatch: monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        value=cloud.value,
    )


def _parameters(cloud: Any) -> World:
    return replace(
        _aws(cloud),
        permission="ssm:DescribeParameters",
        names=[f"/{name}" for name in world.names(COUNT)[: world.PARAMETERS]],
        value=cloud.parameter_value,
    )


def _google(google: Any) -> World:
    def key(text: str) -> dict[str, str]:
        return {"key": cloud.text_of(cloud.parse_key(text))}

    reader, other = json.loads(google.keys["reader"]), json.loads(google.keys["other"])
    return World(
        method="key",
        configuration={"project": google.project, "region": "", "email": reader["client_email"]},
        good=key(google.keys["reader"]),
        wrong=key(json.dumps(reader | {"private_key": other["private_key"]})),
        limited=key(google.keys["limited"]),
        permission="secretmanager.secrets.list",
        names=world.google_names(COUNT),
        nowhere=_google_nowhere,
        value=google.value,
    )


def _google_nowhere(monkeypatch: Any) -> None:
    monkeypatch.setattr(settings, "GOOGLE_ENDPOINT_URL", "http://127.0.0.1:9")


# One line a provider; without it the provider's contract test fails.
WORLDS: dict[str, Callable[[Any], World]] = {
    "aws-secrets-manager": _aws,
    "aws-parameter-store": _parameters,
    "gcp-secret-manager": _google,
}


def make_access(slug: str, found: World, credential: dict[str, str], **fields: Any) -> Any:
    return factories.make_access(
        provider=slug, method=found.method, configuration=found.configuration, credential=credential, **fields
    )
