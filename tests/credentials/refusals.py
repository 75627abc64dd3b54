"""What clouds' refusals are said to be: the sentences in the code's tables, and all that the code can say."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from config.paths import BASE_DIR
from credentials.clouds.aws import asking as aws
from credentials.clouds.azure import errors as azure
from credentials.clouds.google import errors as google
from credentials.clouds.google import trust
from credentials.clouds.scaleway import asking as scaleway

type Said = tuple[str, str]

# What is filled in stands in the document in capitals.
ASKER = azure.Asker("TENANT", "CLIENT", "https://ENTRA", "ISSUER", "SUBJECT", "AUDIENCE")


def tables() -> dict[str, list[Said]]:
    """Return the (reason, remedy) of each row of each cloud's tables, by the cloud's heading, each once."""
    made = {
        "AWS": [make("PERMISSION", "") for _, make in aws._CODES],
        "Google Cloud": [
            *(make("PERMISSION", "") for _, make in google._GRANTS),
            *(make("PERMISSION", "") for make in google._REASONS.values()),
            *(make("PERMISSION", "") for make in google._STATUSES.values()),
            google._disabled("container.googleapis.com"),
            *_of_console(),
        ],
        "Azure": [
            *(make(ASKER) for make in azure._SIGN_IN.values()),
            *(make(ASKER) for make in azure._CODES.values()),
            *(make(ASKER) for make in azure._STATUSES.values()),
            azure.denied("ACTION", ""),
        ],
        "Scaleway": [
            *(make("PERMISSION") for make in scaleway._TYPES.values()),
            *(make("PERMISSION") for make in scaleway._STATUSES.values()),
        ],
    }
    return {
        name: list(dict.fromkeys((one.reason, one.remedy) for one in errors)) for name, errors in made.items()
    }


def _of_console() -> Iterator[Exception]:
    told = trust.of_console("ISSUER", "CONDITION", "MEMBER", "EMAIL")
    for code, words, *_ in told.refusals:
        yield told.meaning(code, words)
    yield told.denied


@cache
def sentences() -> tuple[re.Pattern[str], ...]:
    """Return every text in the code of the clouds; what is filled in is anything."""
    files = sorted((BASE_DIR / "credentials" / "clouds").rglob("*.py"))
    return tuple(re.compile(text, re.DOTALL) for text in {text for file in files for text in _texts(file)})


def _texts(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) > 12:
            yield re.sub(r"\\\{\w+\\\}", ".+", re.escape(node.value))
        elif isinstance(node, ast.JoinedStr):
            parts = [
                re.escape(str(one.value)) if isinstance(one, ast.Constant) else ".+" for one in node.values
            ]
            # A text that is nearly all filled in would fit everything.
            if sum(len(part) for part in parts if part != ".+") > 12:
                yield "".join(parts)


def is_said(text: str) -> bool:
    """Tell whether the code says this somewhere."""
    return any(pattern.fullmatch(text) for pattern in sentences())
