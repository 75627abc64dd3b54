"""A cluster's tokens as the clouds judge them: JWTs, RS256, signed with a key that their issuer publishes."""

import base64
import json
from typing import Any


class Unreadable(Exception):
    """The text is no JWT."""


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def claims(token: str) -> dict[str, Any]:
    """Return what a token says; nothing of it is proven.

    :raises Unreadable: it is no JWT
    """
    try:
        head, body, _ = token.split(".")
        json.loads(_bytes(head))
        found = json.loads(_bytes(body))
    except ValueError:
        raise Unreadable from None
    if not isinstance(found, dict):
        raise Unreadable
    return found


def audiences(found: dict[str, Any]) -> list[str]:
    """Return whom the token is for; the claim may be one name or a list."""
    named = found.get("aud") or []
    return [named] if isinstance(named, str) else list(named)


def is_signed(token: str, jwks: dict[str, Any]) -> bool:
    """Tell whether one of these published keys signed the token."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    signed, _, signature = token.rpartition(".")
    if json.loads(_bytes(token.partition(".")[0])).get("alg") != "RS256":
        return False
    for key in jwks.get("keys", ()):
        modulus, exponent = (int.from_bytes(_bytes(key[name]), "big") for name in ("n", "e"))
        public = rsa.RSAPublicNumbers(exponent, modulus).public_key()
        try:
            public.verify(_bytes(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, ValueError):
            continue
        return True
    return False


def published(issuer: str) -> dict[str, Any] | None:
    """Return what an issuer on this machine publishes, the console's for example; None for any other, or no answer."""
    import urllib.request
    from urllib.parse import urlsplit

    parts = urlsplit(issuer)
    if parts.scheme != "http" or parts.hostname not in ("localhost", "127.0.0.1"):
        return None
    try:
        with urllib.request.urlopen(f"{issuer}/.well-known/openid-configuration", timeout=3) as answer:  # noqa: S310
            address = json.loads(answer.read())["jwks_uri"]
        if not str(address).startswith(f"{issuer}/"):
            return None
        with urllib.request.urlopen(address, timeout=3) as answer:  # noqa: S310
            found: dict[str, Any] = json.loads(answer.read())
            return found
    except (OSError, ValueError, LookupError, TypeError):
        return None
