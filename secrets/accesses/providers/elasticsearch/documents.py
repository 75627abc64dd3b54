"""Secrets as documents of an Elasticsearch index: what is in one, and opening and closing its values.

Names, tags and times are readable by whoever reads the index; values are encrypted with the console's own key and bound to
the organization, the name and the number of their version, so that no document can take another's place.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accounts.encryption import Unreadable, sealing
from built_in.services import Found
from credentials.clouds import errors

# Of one secret; older ones go. A document is read and written whole.
MOST_VERSIONS = 20
type Document = dict[str, Any]

MAPPING: Document = {
    "mappings": {
        "dynamic": False,
        "properties": {
            "owner": {"type": "keyword"},
            "name": {"type": "keyword"},
            "number": {"type": "integer"},
            "changed_at": {"type": "date"},
            "deleted_at": {"type": "date"},
            "tags": {"type": "object", "enabled": False},
            "versions": {"type": "object", "enabled": False},
        },
    }
}


def id_of(owner: str, name: str) -> str:
    """Return a document's id: names are longer than ids may be."""
    return hashlib.sha256(f"{owner}\n{name}".encode()).hexdigest()


def _context(owner: str, name: str, number: int) -> str:
    return f"elasticsearch:{owner}:{number}:{name}"


@sensitive_variables()
def new(owner: str, name: str, value: str, tags: Mapping[str, str]) -> Document:
    """Return the document of a new secret."""
    empty = {
        "owner": owner,
        "name": name,
        "tags": dict(tags),
        "number": 0,
        "deleted_at": None,
        "versions": [],
    }
    return with_value(empty, value)


@sensitive_variables()
def with_value(document: Document, value: str) -> Document:
    """Return a document with one more version."""
    number, now = int(document["number"]) + 1, _now()
    sealed = sealing.seal(_context(document["owner"], document["name"], number), value)
    version = {"number": number, "sealed": sealed, "at": now}
    versions = [version, *document["versions"]][:MOST_VERSIONS]
    return document | {"number": number, "changed_at": now, "versions": versions}


def _now() -> str:
    return timezone.now().isoformat()


def with_tags(document: Document, tags: Mapping[str, str]) -> Document:
    return document | {"tags": {**document["tags"], **tags}, "changed_at": _now()}


def deleted(document: Document) -> Document:
    return document | {"deleted_at": _now()}


def restored(document: Document) -> Document:
    return document | {"deleted_at": None}


@sensitive_variables()
def opened(document: Document, owner: str, name: str, number: int | None) -> Found:
    """Return a document's newest value, or that of one version.

    :raises NotValid: it has no such version, any more
    :raises Unreadable: it is the document of another secret or organization, or none of the keys fits
    """
    if (document["owner"], document["name"]) != (owner, name):
        raise Unreadable(f"A document that should be {name} is another's.")
    wanted = int(document["number"]) if number is None else number
    sealed = next((one["sealed"] for one in document["versions"] if one["number"] == wanted), None)
    if sealed is None:
        raise errors.NotValid(f"{name} has no version {wanted}.", "Name one that it has, or none.")
    return Found(sealing.unseal(_context(owner, name, wanted), str(sealed)), wanted, document["tags"])


def texts(document: Document) -> Iterable[str]:
    """Return the encrypted texts of a document."""
    return [str(one["sealed"]) for one in document["versions"]]
