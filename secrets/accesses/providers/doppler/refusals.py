"""What Doppler's refusals mean. It tells them by status and by sentences, of which a few words are known here."""

import re
from typing import Any

from accesses.providers.asking import Refusal
from credentials.clouds import errors

# Words of its sentences → our code. The first that is found counts.
_SENTENCES = (
    (re.compile(r"access to requested project", re.I), "other-project"),
    (re.compile(r"access to requested config", re.I), "other-config"),
    (re.compile(r"write access", re.I), "no-write"),
    (re.compile(r"could not find requested project", re.I), "no-project"),
    (re.compile(r"could not find requested config", re.I), "no-config"),
    (re.compile(r"could not find requested secret", re.I), "no-secret"),
    (re.compile(r"(specify|provide|missing|required).*\b(project|config)\b", re.I), "no-place"),
    (re.compile(r"\bexpired\b", re.I), "expired"),
)


def code_of(body: Any) -> str:
    """Return which refusal a body `{"messages": […], "success": false}` is, or an empty string."""
    said = " ".join(map(str, body["messages"]))
    return next((code for words, code in _SENTENCES if words.search(said)), "")


def _all(code: str, error: type[errors.ProviderError], reason: str, remedy: str) -> list[Refusal]:
    """Return rows for a sentence: which status it comes with is not told by Doppler's reference."""
    return [Refusal(status, error, reason, remedy, code) for status in (400, 401, 403, 404)]


_GRANT = "Give the service account {permission} in a role of the project, or make a service token with that access."
REFUSALS: tuple[Refusal, ...] = (
    *_all(
        "other-project",
        errors.NotThere,
        "The token does not reach the project that is entered.",
        "Correct the project, or replace the token by one of that project. A service token needs none entered.",
    ),
    *_all(
        "other-config",
        errors.NotThere,
        "The token does not reach the config that is entered.",
        "Correct the config, or replace the token by one of that config. A service token needs none entered.",
    ),
    *_all(
        "no-project",
        errors.NotThere,
        "There is no such project in Doppler.",
        "Check the project's identifier.",
    ),
    *_all(
        "no-config", errors.NotThere, "There is no such config in the project.", "Check the config's name."
    ),
    *_all("no-secret", errors.NotThere, "There is no secret of that name in the config.", "Check the name."),
    *_all(
        "no-place",
        errors.NotValid,
        "The token is of no single config.",
        "Enter the project and the config, or use a service token.",
    ),
    *_all(
        "no-write",
        errors.PermissionMissing,
        "The token may not write in this config: it lacks {permission}.",
        "Make a service token with the access read/write, or give the service account {permission}.",
    ),
    Refusal(
        401,
        errors.CredentialRefused,
        "The token has expired.",
        "Make a new one in Doppler and replace it here.",
        "expired",
    ),
    Refusal(
        401,
        errors.CredentialRefused,
        "Doppler does not know the token, or does not any more.",
        "Make a new one in Doppler and replace it here.",
    ),
    Refusal(403, errors.PermissionMissing, "The token lacks {permission} in this config.", _GRANT),
    Refusal(
        404,
        errors.NotThere,
        "Doppler has no such project or config, or does not show it to this token.",
        "Check both, and what the token may reach.",
    ),
    Refusal(
        400,
        errors.NotValid,
        "Doppler does not take the request.",
        "Check the project, the config and the secret's name; a very large value is refused as well.",
    ),
    Refusal(
        429,
        errors.Throttled,
        "Doppler asks to slow down: the plan's requests of this minute are used up.",
        "Wait a minute and try again.",
    ),
)
