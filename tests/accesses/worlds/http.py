"""An HTTP source, played by its stand-in."""

from typing import Any

from tests.accesses.worlds import Sandbox, World

METHODS = ("header",)


def configuration(source: Any, **fields: Any) -> dict[str, Any]:
    return {
        "url": f"{source.url}/find?name={{key}}", "verb": "GET", "body": "", "path": "$.data.value", "ca": "",
        "timeout": 10, "test_key": "", "header": "Authorization", "scheme": "bearer",
    } | fields  # fmt: skip


def world(sandbox: Sandbox, method: str) -> World:
    source = sandbox.vendor("http")
    return World(
        method=method,
        configuration=configuration(source),
        good={"credential_value": source["token"]},
        wrong={"credential_value": "w" * 43},
        limited=None,
        permission="",
        names=source["names"],
        nowhere=lambda monkeypatch: None,
        value=lambda name: str(source.plant("value", name=name)["value"]),
    )
