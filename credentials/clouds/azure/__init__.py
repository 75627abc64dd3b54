"""Azure: asking it, its separate clouds, and its credentials."""

from credentials.clouds.azure.asking import GUID, Api, Identity, arm, by_assertion, by_secret, object_of
from credentials.clouds.azure.places import GLOBAL, PLACES, Place, of

__all__ = [
    "GLOBAL",
    "GUID",
    "PLACES",
    "Api",
    "Identity",
    "Place",
    "arm",
    "by_assertion",
    "by_secret",
    "object_of",
    "of",
]
