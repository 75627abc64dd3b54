"""GCP Secret Manager, played by the Google stand-in."""

import json
from typing import Any

from django.conf import settings

from credentials.clouds import google as cloud
from sandbox import world as demo
from tests.accesses.worlds import Sandbox, World

METHODS = ("key",)
COUNT = 300


def _key(text: str) -> dict[str, str]:
    return {"key": cloud.text_of(cloud.parse_key(text))}


def _nowhere(monkeypatch: Any) -> None:
    monkeypatch.setattr(settings, "GOOGLE_ENDPOINT_URL", "http://127.0.0.1:9")


def world(sandbox: Sandbox, method: str) -> World:
    google = sandbox.google
    reader, other = json.loads(google.keys["reader"]), json.loads(google.keys["other"])
    return World(
        method=method,
        configuration={"project": google.project, "region": "", "email": reader["client_email"]},
        good=_key(google.keys["reader"]),
        wrong=_key(json.dumps(reader | {"private_key": other["private_key"]})),
        limited=_key(google.keys["limited"]),
        permission="secretmanager.secrets.list",
        names=demo.google_names(COUNT),
        nowhere=_nowhere,
        value=google.value,
        writer=_key(google.keys["writer"]),
        namespace="written-",
        forget=google.delete,
    )
