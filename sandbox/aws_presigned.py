"""Requests whose signature is in their address, which moto does not check: STS tells whose it is."""

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote

from moto.core.utils import utcnow
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

# STS takes such a request for that long, whatever it says itself.
LIFETIME = timedelta(minutes=15)
_SAID = re.compile(r"(?P<key>[A-Z0-9]+)/(?P<day>\d{8})/(?P<region>[\w-]+)/sts/aws4_request")


class Refused(Exception):
    """STS refuses it, with this code of its own."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


def is_presigned(environ: dict[str, Any]) -> bool:
    return "X-Amz-Signature=" in environ.get("QUERY_STRING", "") and "HTTP_AUTHORIZATION" not in environ


def caller(environ: dict[str, Any]) -> bytes:
    """Return whose request it is, as JSON.

    :raises Refused: by its code
    """
    said = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    scope = _SAID.fullmatch(said.get("X-Amz-Credential", ""))
    if scope is None or environ["REQUEST_METHOD"] != "GET" or said.get("Action") != "GetCallerIdentity":
        raise Refused("IncompleteSignature")
    _fresh(said.get("X-Amz-Date", ""))
    secret, token, who = _holder(scope["key"])
    if said.get("X-Amz-Security-Token", "") != token:
        raise Refused("InvalidClientTokenId")
    if not hmac.compare_digest(_signature(environ, said, secret, scope), said["X-Amz-Signature"]):
        raise Refused("SignatureDoesNotMatch")
    return json.dumps(
        {
            "GetCallerIdentityResponse": {
                "GetCallerIdentityResult": who,
                "ResponseMetadata": {"RequestId": "sandbox"},
            }
        }
    ).encode()


def _fresh(date: str) -> None:
    try:
        signed = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise Refused("IncompleteSignature") from None
    age = datetime.now(UTC) - signed
    if age > LIFETIME or age < -timedelta(minutes=5):
        raise Refused("SignatureDoesNotMatch")


def _holder(key_id: str) -> tuple[str, str, dict[str, str]]:
    """Return the secret and the session token of a key, and whose it is."""
    found = next((role for role in _sessions() if role.access_key_id == key_id), None)
    if found is not None:
        if found.expiration <= utcnow():
            raise Refused("ExpiredToken")
        return found.secret_access_key, found.session_token, _who(found.arn, found.user_id)
    for user, key in _user_keys():
        if key.access_key_id == key_id and key.status == "Active":
            return key.secret_access_key, "", _who(user.arn, user.id)
    raise Refused("InvalidClientTokenId")


def _who(arn: str, user_id: str) -> dict[str, str]:
    return {"Arn": arn, "Account": arn.split(":")[4], "UserId": user_id}


def _sessions() -> Iterator[Any]:
    """Yield what was assumed, in every account and partition."""
    for backends in list(sts_backends.values()):
        for backend in list(backends.values()):
            yield from backend.assumed_roles


def _user_keys() -> Iterator[tuple[Any, Any]]:
    """Yield the IAM users of every account and partition with each of their keys."""
    for backends in list(iam_backends.values()):
        for backend in list(backends.values()):
            yield from ((user, key) for user in backend.users.values() for key in user.access_keys)


def _signature(environ: dict[str, Any], said: dict[str, str], secret: str, scope: re.Match[str]) -> str:
    """Return the signature that the request has to have (AWS signature version 4, in the query)."""
    pairs = sorted((name, value) for name, value in said.items() if name != "X-Amz-Signature")
    query = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs)
    names = said.get("X-Amz-SignedHeaders", "").split(";")
    heads = "".join(
        f"{name}:{environ.get('HTTP_' + name.upper().replace('-', '_'), '').strip()}\n" for name in names
    )
    empty = hashlib.sha256(b"").hexdigest()
    asked = "\n".join(("GET", "/", query, heads, ";".join(names), empty))
    where = said["X-Amz-Credential"].partition("/")[2]
    text = "\n".join(
        ("AWS4-HMAC-SHA256", said["X-Amz-Date"], where, hashlib.sha256(asked.encode()).hexdigest())
    )
    key = f"AWS4{secret}".encode()
    for part in (scope["day"], scope["region"], "sts", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
