"""AWS Secrets Manager, played by moto."""

from typing import Any

from sandbox import world as demo
from tests.accesses.worlds import Sandbox, World

METHODS = ("static",)
COUNT = 300


def keys(pair: tuple[str, str]) -> dict[str, str]:
    return {"access_key_id": pair[0], "secret_access_key": pair[1]}


def nowhere(monkeypatch: Any) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")


def world(sandbox: Sandbox, method: str) -> World:
    cloud = sandbox.aws
    return World(
        method=method,
        configuration={"region": "eu-west-3"},
        good=keys(cloud.keys["reader"]),
        wrong=keys((cloud.access_key_id, "w" * 40)),
        limited=keys(cloud.limited),
        permission="secretsmanager:ListSecrets",
        names=demo.names(COUNT),
        nowhere=nowhere,
        value=cloud.value,
        writer=keys(cloud.keys["writer"]),
        namespace="written/",
        forget=cloud.delete,
    )
