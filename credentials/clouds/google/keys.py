"""Google's key.json: what one must hold, and what of it may be shown."""

import json
import re
from typing import Any

from django.views.decorators.debug import sensitive_variables

LARGEST = 64 * 1024
TOKEN_URI = "https://oauth2.googleapis.com/token"

EMAIL = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?@[a-z0-9.-]{1,190}\.gserviceaccount\.com")
PROJECT = re.compile(r"(?:[a-z0-9.-]{1,100}:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")

# What is kept of a file. Its addresses (`token_uri`, `auth_uri`, `universe_domain`, …) are whoever's wrote it: a request
# to them would carry what signs in, from here or from the operator. So they are dropped, and Google's own is put back.
_KEPT = ("type", "project_id", "private_key_id", "private_key", "client_email", "client_id")

_KINDS = {
    "authorized_user": "This file is a person's sign-in (authorized_user), made by gcloud. Use the key of a service account.",
    "external_account": "This file describes workload identity federation and holds no key. Choose that method instead.",
    "external_account_authorized_user": "This file is a person's sign-in by a workforce pool. Use the key of a service account.",
    "impersonated_service_account": "This file impersonates a service account and holds no key of its own. Use the key of a service account.",
    "gdch_service_account": "This key is of Google Distributed Cloud, which is another cloud.",
}


class KeyRefused(ValueError):
    """What was given is no key of a service account; the sentence says why and quotes nothing of it."""


@sensitive_variables()
def parse_key(text: str) -> dict[str, str]:
    """Return the fields of a service account's key.json, with Google's own token address.

    :raises KeyRefused: it is something else
    """
    if len(text.encode(errors="replace")) > LARGEST:
        raise KeyRefused("The file is larger than 64 KB; a key.json has about 2 KB.")
    try:
        # Editors of Windows put a byte order mark in front.
        found: Any = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        raise KeyRefused("This is not JSON. Give the whole key.json as Google made it.") from None
    if not isinstance(found, dict):
        raise KeyRefused("This is JSON, but not an object. Give the whole key.json as Google made it.")
    _check_kind(found)
    kept = {name: found[name].strip() for name in _KEPT if isinstance(found.get(name), str)}
    _check_fields(kept)
    return kept | {"private_key": _private_key(kept["private_key"]), "token_uri": TOKEN_URI}


def text_of(key: dict[str, str]) -> str:
    """Return a key as JSON text, the same for the same key."""
    return json.dumps(key, sort_keys=True)


def facts(key: dict[str, str]) -> dict[str, str]:
    """Return what may be shown of a key."""
    return {"email": key["client_email"], "project": key["project_id"], "key_id": key["private_key_id"]}


def _check_kind(found: dict[str, Any]) -> None:
    kind = found.get("type")
    if kind == "service_account":
        return
    if isinstance(kind, str) and kind in _KINDS:
        raise KeyRefused(_KINDS[kind])
    if "installed" in found or "web" in found:
        raise KeyRefused("This file is of an OAuth client, not of a service account.")
    raise KeyRefused("This is no key of a service account: its type is not service_account.")


def _check_fields(kept: dict[str, str]) -> None:
    missing = [name for name in _KEPT[1:5] if not kept.get(name)]
    if missing:
        raise KeyRefused(f"The key lacks {', '.join(missing)}. Give the whole key.json as Google made it.")
    if not EMAIL.fullmatch(kept["client_email"]):
        raise KeyRefused("The client_email is not the e-mail address of a service account.")
    if not PROJECT.fullmatch(kept["project_id"]):
        raise KeyRefused("The project_id is not the ID of a Google project.")
    if not re.fullmatch(r"[0-9A-Za-z_-]{1,128}", kept["private_key_id"]):
        raise KeyRefused("The private_key_id is not the ID of a key.")
    if not re.fullmatch(r"\d{0,64}", kept.get("client_id", "")):
        raise KeyRefused("The client_id is not the number of a service account.")


@sensitive_variables()
def _private_key(text: str) -> str:
    """Return a private key as every reader takes it: the operator's is stricter about line breaks than ours."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )

    try:
        loaded = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyRefused(
            "The private_key cannot be read. Copy the file as it is: the line breaks in it are \\n."
        ) from None
    if not isinstance(loaded, RSAPrivateKey):
        raise KeyRefused("The private_key is not an RSA key, which service accounts have.")
    return loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
