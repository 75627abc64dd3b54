"""Google Cloud: asking it, its regions, and its credentials."""

from credentials.clouds.google.asking import (
    Api,
    by_key,
    by_token,
    locations,
    secret_manager,
)
from credentials.clouds.google.errors import translated
from credentials.clouds.google.keys import EMAIL, LARGEST, PROJECT, KeyRefused, facts, parse_key, text_of

__all__ = [
    "EMAIL",
    "LARGEST",
    "PROJECT",
    "Api",
    "KeyRefused",
    "by_key",
    "by_token",
    "facts",
    "locations",
    "parse_key",
    "secret_manager",
    "text_of",
    "translated",
]
