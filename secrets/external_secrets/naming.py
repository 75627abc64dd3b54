"""The variable's name that a secret's name suggests."""

import re

LONGEST = 200
_ILLEGAL = re.compile(r"[^A-Z0-9_]")
# AWS ends the ARN of a secret with a hyphen and six characters of its own.
_SECRETS_MANAGER_ARN = re.compile(
    r"\Aarn:[^:]*:secretsmanager:[^:]*:\d*:secret:(?P<name>.+?)(-[A-Za-z0-9]{6})?\Z"
)


def plain_name(key: str) -> str:
    """Return the name that a reference carries: an ARN's last part, or the key itself."""
    found = _SECRETS_MANAGER_ARN.match(key)
    if found:
        return found["name"]
    return key.split(":", 5)[5] if key.startswith("arn:") and key.count(":") >= 5 else key


def derive_variable(key: str) -> str:
    """Return a legal variable name from the last segment of a name: `prod/db-password` becomes `DB_PASSWORD`."""
    segments = [segment for segment in plain_name(key).split("/") if segment.strip()]
    if not segments:
        return ""
    name = _ILLEGAL.sub("_", segments[-1].strip().upper())[:LONGEST]
    return f"_{name}"[:LONGEST] if name[0].isdigit() else name
