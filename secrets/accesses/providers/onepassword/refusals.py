"""What the refusals of a Connect server mean. It tells them by status and by a sentence, of which a few words are known."""

import re
from typing import Any

from accesses.providers.asking import Refusal
from credentials.clouds import errors

_SENTENCES = (
    (re.compile(r"write access", re.I), "no-write"),
    (re.compile(r"^vault .*not found|invalid vault", re.I), "vault"),
    (re.compile(r"^item .*not found|invalid item uuid", re.I), "item"),
    (re.compile(r"\bfield\b", re.I), "field"),
)


def code_of(body: Any) -> str:
    """Return which refusal a body `{"status": 404, "message": …}` is, or an empty string."""
    said = str(body["message"])
    return next((code for words, code in _SENTENCES if words.search(said)), "")


_NO_WRITE = (
    errors.PermissionMissing,
    "The token may not write in this vault: it lacks {permission}.",
    "Issue a Connect token with {permission} for the vault. The Connect server itself needs it too.",
)
_NO_VAULT = (
    errors.NotThere,
    "There is no such vault, or the token does not see it.",
    "Check the vault's ID or name, and which vaults the token is for.",
)
_NO_ITEM = (errors.NotThere, "There is no such item in the vault.", "Check its title.")
REFUSALS: tuple[Refusal, ...] = (
    Refusal(401, *_NO_WRITE, "no-write"),
    Refusal(403, *_NO_WRITE, "no-write"),
    Refusal(
        401,
        errors.CredentialRefused,
        "Connect does not know the token, or it has ended or was revoked.",
        "Issue a new Connect token and replace it here.",
    ),
    Refusal(
        403,
        errors.PermissionMissing,
        "The token is not for this vault: it lacks {permission} there.",
        "Issue a Connect token with {permission} for the vault.",
    ),
    Refusal(400, *_NO_VAULT, "vault"),
    Refusal(404, *_NO_VAULT, "vault"),
    Refusal(400, *_NO_ITEM, "item"),
    Refusal(404, *_NO_ITEM, "item"),
    Refusal(
        400,
        errors.NotValid,
        "The item has no field that 1Password knows as its password.",
        "Change it in 1Password, or make a new item here.",
        "field",
    ),
    Refusal(
        404,
        errors.NotThere,
        "What answers at this address does not know the request.",
        "Check that the address is a Connect server's, without a path such as /v1.",
    ),
    Refusal(
        400,
        errors.NotValid,
        "Connect does not take the request.",
        "Check the title, and how large the value is.",
    ),
    Refusal(
        413, errors.NotValid, "The value is larger than Connect takes.", "Attach it to an item in 1Password."
    ),
    Refusal(
        429,
        errors.Throttled,
        "1Password asks to slow down.",
        "Wait a minute and try again. Connect itself counts nothing: something before it does.",
    ),
)
