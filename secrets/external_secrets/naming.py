"""What a secret's name suggests: the variable's name, the path of a file."""

import re

LONGEST = 200
SECRETS = "/vault/secrets"
_ILLEGAL = re.compile(r"[^A-Z0-9_]")
_ILLEGAL_IN_PATH = re.compile(r"[^A-Za-z0-9_.@+=,-]+")
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


def last_segment(key: str) -> str:
    """Return the last part of a name that is not blank, or an empty string."""
    segments = [segment.strip() for segment in plain_name(key).split("/")]
    return next((segment for segment in reversed(segments) if segment), "")


def derive_variable(key: str, json_field: str = "") -> str:
    """Return a legal variable name: `prod/db-password` becomes `DB_PASSWORD`, the field `user` of `prod/db` `DB_USER`."""
    name = "_".join(filter(None, (last_segment(key), json_field.strip())))
    name = _ILLEGAL.sub("_", name.upper())[:LONGEST]
    return f"_{name}"[:LONGEST] if name[:1].isdigit() else name


def derive_path(key: str, json_field: str = "") -> str:
    """Return where a file of a name goes by default: `prod/db.json` becomes `/vault/secrets/db.json`."""
    return f"{SECRETS}/{_file_name('-'.join(filter(None, (last_segment(key), json_field.strip()))))}"


def derive_directory(key: str) -> str:
    """Return where several files go by default: beside the directory of single ones, as none can be inside another."""
    return f"{SECRETS}-{_file_name(last_segment(key))}"


def _file_name(text: str) -> str:
    # Kubernetes takes names that begin with two dots for its own.
    return _ILLEGAL_IN_PATH.sub("-", text)[:LONGEST].strip("-").lstrip(".") or "secret"
