"""Tokens of the gateway that are the same in every process that collects tests."""

import base64
import hashlib

from accesses.providers.gateway import tokens


def a_token(word: str) -> str:
    """Return a well-formed token for a word."""
    random = base64.urlsafe_b64encode(hashlib.sha256(word.encode()).digest()).decode().rstrip("=")
    body = tokens.PREFIX + random
    return body + tokens._check(body)
