"""docs/api.md is true: its curl examples are made as they stand, and what it lists is what there is."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from config.api import limits, problems
from tests import factories
from tests.api.world import operations

GUIDE = (Path(__file__).resolve().parent.parent.parent / "docs" / "api.md").read_text()
COMMANDS = re.findall(r"^curl .+$", GUIDE, re.M)


def sent(command: str, token: str) -> tuple[str, str, dict[str, str], str]:
    """Return a curl command's method, path, headers and body."""
    words = shlex.split(command.replace("$TOKEN", token).replace("$KEYHAVEN", ""))[1:]
    method, body, headers, url = "GET", "", {}, ""
    while words:
        word = words.pop(0)
        if word == "-X":
            method = words.pop(0)
        elif word == "-d":
            body = words.pop(0)
        elif word == "-H":
            name, _, value = words.pop(0).partition(": ")
            headers[name] = value
        elif word != "-sS":
            url = word
    return method, url, headers, body


@pytest.mark.django_db
@pytest.mark.parametrize("command", COMMANDS)
def test_an_example_works(command: str, things: dict[str, Any], organization: Any, owner: Any) -> None:
    method, url, headers, body = sent(command, factories.make_token(owner, organization))

    media = headers.pop("Content-Type", "application/octet-stream")
    response = Client().generic(method, url, body, media, headers=headers)

    assert response.status_code in (200, 201, 202), getattr(response, "content", b"")
    assert not body or json.loads(response.content)


def test_every_kind_of_problem_is_listed() -> None:
    listed = dict(re.findall(r"^\| (\d{3}) \| `([a-z-]+)`", GUIDE, re.M))

    assert listed == {str(status): kind for status, (kind, *_) in problems.KINDS.items()}


def test_limits_are_as_they_are(settings: Any) -> None:
    from config import settings as ours  # noqa: TID251

    for name in ("API_PER_TOKEN", "API_PER_ADDRESS", "API_FAILURES"):
        assert re.search(rf"`{name}` \| {getattr(ours, name):,}\b", GUIDE), name
    assert limits.WINDOW == 60


def table() -> str:
    """Return the guide's table of all calls, as the document has them; write it there after a change."""
    rows = sorted(
        (
            (call["tags"][0], path.partition("{org}")[2] or "/", method.upper(), call)
            for method, path, call in operations().values()
        ),
        key=lambda row: row[:3],
    )
    lines = ["| | Call | Needs | Does |", "|---|---|---|---|"]
    last = ""
    for tag, path, method, call in rows:
        lines.append(
            f"| {'' if tag == last else tag} | `{method} {path}` | `{call['x-permission']}` | {call['summary']} |"
        )
        last = tag
    return "\n".join(lines)


def test_the_table_has_every_call() -> None:
    assert table() in GUIDE


def test_every_call_is_documented() -> None:
    bare = [name for name, (_, _, call) in operations().items() if not (call["summary"] and call["tags"])]

    assert bare == []
    assert len(COMMANDS) >= 7
