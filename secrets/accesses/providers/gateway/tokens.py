"""Tokens with which a cluster reads at the console's gateway: random, made by the console, one an access."""

import hashlib
import hmac
import secrets

PREFIX = "khg_"
_CHECK = 8


def new() -> str:
    """Return a new token: a prefix by which it is recognized, 256 random bits, and a check of both."""
    body = PREFIX + secrets.token_urlsafe(32)
    return body + _check(body)


def _check(body: str) -> str:
    return hashlib.sha256(f"keyhaven gateway {body}".encode()).hexdigest()[:_CHECK]


def is_token(text: str) -> bool:
    """Tell whether a text is a token that a console made, whichever."""
    body, check = text[:-_CHECK], text[-_CHECK:]
    known = text.startswith(PREFIX) and len(text) > len(PREFIX) + _CHECK + 40 and text.isascii()
    return known and hmac.compare_digest(_check(body), check)


def same(one: str, other: str) -> bool:
    """Tell whether two tokens are equal, in a time that tells nothing of either."""
    digests = [hashlib.sha256(text.encode(errors="replace")).digest() for text in (one, other)]
    return hmac.compare_digest(*digests) and bool(one)
