"""Just enough of Kubernetes' protobuf encoding to read what kubectl and Helm send for a few built-in kinds.

Field numbers: https://github.com/kubernetes/api, generated.proto of each group.
"""

import base64
from collections.abc import Iterator
from typing import Any

from sandbox.kubernetes import answers

MAGIC = b"k8s\x00"

# message → field number → (name, type); a type is text, bytes, flag, number, map, bytes map, or [message]
_META = {
    1: ("name", "text"), 2: ("generateName", "text"), 3: ("namespace", "text"), 6: ("resourceVersion", "text"),
    11: ("labels", "map"), 12: ("annotations", "map"),
}  # fmt: skip
_ATTRIBUTES = {
    1: ("namespace", "text"), 2: ("verb", "text"), 3: ("group", "text"), 4: ("version", "text"),
    5: ("resource", "text"), 6: ("subresource", "text"), 7: ("name", "text"),
}  # fmt: skip
MESSAGES: dict[str, dict[int, tuple[str, Any]]] = {
    "Namespace": {1: ("metadata", _META)},
    "Secret": {
        1: ("metadata", _META),
        2: ("data", "bytes map"),
        3: ("type", "text"),
        4: ("stringData", "map"),
    },
    "ConfigMap": {1: ("metadata", _META), 2: ("data", "map"), 3: ("binaryData", "bytes map")},
    "ServiceAccount": {1: ("metadata", _META)},
    "DeleteOptions": {4: ("propagationPolicy", "text"), 5: ("dryRun", "texts")},
    "SelfSubjectReview": {1: ("metadata", _META)},
    "SelfSubjectAccessReview": {
        1: ("metadata", _META),
        2: ("spec", {1: ("resourceAttributes", _ATTRIBUTES)}),
    },
    "TokenRequest": {
        1: ("metadata", _META),
        2: ("spec", {1: ("audiences", "texts"), 4: ("expirationSeconds", "number")}),
    },
}


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield (field number, value) of a message: a number, or bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
        elif wire == 2:
            size, at = _varint(data, at)
            yield number, data[at : at + size]
            at += size
        else:
            at += 8 if wire == 1 else 4


def _message(data: bytes, table: dict[int, tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, value in _fields(data):
        if number not in table:
            continue
        name, kind = table[number]
        if isinstance(kind, dict):
            found[name] = _message(value, kind)
        elif kind in ("map", "bytes map"):
            key, text = _pair(value)
            found.setdefault(name, {})[key] = (
                text.decode() if kind == "map" else base64.b64encode(text).decode()
            )
        elif kind == "texts":
            found.setdefault(name, []).append(value.decode())
        elif kind == "number":
            found[name] = value
        elif value:
            found[name] = value.decode()
    return found


def _pair(data: bytes) -> tuple[str, bytes]:
    entry = dict(_fields(data))
    return entry.get(1, b"").decode(), entry.get(2, b"")


def decode(body: bytes) -> dict[str, Any]:
    """Return the object that a protobuf body holds.

    :raises answers.Refused: 415 for a kind that is not in the table
    """
    envelope = dict(_fields(body.removeprefix(MAGIC)))
    kinds = _message(envelope.get(1, b""), {1: ("apiVersion", "text"), 2: ("kind", "text")})
    table = MESSAGES.get(kinds.get("kind", ""))
    if table is None:
        message = "the body of the request was in an unknown format - accepted media types include: application/json"
        raise answers.Refused(415, "UnsupportedMediaType", message)
    return kinds | _message(envelope.get(2, b""), table)
