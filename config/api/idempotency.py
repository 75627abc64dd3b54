"""`Idempotency-Key`: a call that is sent twice with the same key is carried out once.

The key, what was done and the answer are written in one transaction, so that neither a lost answer nor a killed
process makes it happen twice. Of the body only a keyed digest is kept, and another of what the token might do then:
who has lost a right since is not given the answer again.
"""

import dataclasses
import datetime
import hmac
import json
from collections.abc import Callable

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts import access
from accounts.authority import Authority
from accounts.tokens.models import IdempotencyKey
from config.api.problems import Problem

HOURS = 24
LONGEST = 200
# Characters of the digest that are of the call; the others are of the token's rights.
HALF = 32


def once(request: HttpRequest, act: Callable[[], HttpResponse], *, keep: bool) -> HttpResponse:
    """Carry out `act`, or answer what it answered to the same key within 24 hours.

    `keep` False is for answers that hold a secret: they are not kept, and a repeated call is told so.

    :raises Problem: the key is not one, was used for something else, or is in use at this moment
    """
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        return act()
    if len(key) > LONGEST or not key.isprintable() or not key.isascii():
        raise Problem(400, f"Idempotency-Key has at most {LONGEST} printable ASCII characters.")
    _forget_old()
    try:
        with transaction.atomic():
            return _once(request, act, key, keep=keep)
    except access.Refused as refusal:
        # What was written down of the refusal went back with the rest.
        access.write_down(request, refusal.permission)
        raise


def refuse(request: HttpRequest) -> None:
    """Refuse a key with a POST that cannot be kept in one transaction with what it does; elsewhere it says nothing.

    :raises Problem: there is a key
    """
    if request.method == "POST" and request.headers.get("Idempotency-Key"):
        raise Problem(400, "This call takes no Idempotency-Key: what it does is done elsewhere.")


def _forget_old() -> None:
    IdempotencyKey.objects.filter(created_at__lt=timezone.now() - datetime.timedelta(hours=HOURS)).delete()


def _once(request: HttpRequest, act: Callable[[], HttpResponse], key: str, *, keep: bool) -> HttpResponse:
    token = request.token  # type: ignore[attr-defined]
    digest = _digest(request)
    if not _lock(f"{token.pk}:{key}"):
        raise Problem(
            409, "A call with this key is under way.", code="in-progress", headers={"Retry-After": "1"}
        )
    kept = IdempotencyKey.objects.filter(token=token, key=key).first()
    if kept is not None:
        return _again(kept, digest)
    response = act()
    IdempotencyKey.objects.create(
        token=token,
        key=key,
        call=f"{request.method} {request.resolver_match.route if request.resolver_match else ''}"[:200],
        digest=digest,
        status=response.status_code,
        answer=response.content.decode() if keep else None,
    )
    return response


def _lock(name: str) -> bool:
    """Hold `name` until the transaction ends; tell whether nobody else does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [f"idempotency:{name}"])
        row = cursor.fetchone()
    return bool(row and row[0])


def _digest(request: HttpRequest) -> str:
    """Return 128 bits for the call and its body, and 128 bits for what the token may do."""
    said = f"{request.method}\n{request.get_full_path()}\n".encode() + request.body
    return _sealed(said) + _sealed(_rights(request.authority).encode())  # type: ignore[attr-defined]


def _sealed(said: bytes) -> str:
    return salted_hmac("api.idempotency", said, algorithm="sha256").hexdigest()[:HALF]


def _rights(authority: Authority) -> str:
    """Return what is allowed and where, in one order; what a role is called does not matter."""
    layers = [
        sorted((sorted(grant.permissions), dataclasses.astuple(grant.scope)) for grant in layer)
        for layer in authority.layers
    ]
    return json.dumps(layers)


def _again(kept: IdempotencyKey, digest: str) -> HttpResponse:
    if not hmac.compare_digest(kept.digest[:HALF], digest[:HALF]):
        raise Problem(422, "This key was used for another call.", code="key-reused")
    if not hmac.compare_digest(kept.digest, digest):
        raise Problem(
            403, "What the token may do has changed since this key was used. Look before you send it anew."
        )
    if kept.answer is None:
        raise Problem(
            409,
            "A call with this key was carried out. Its answer held a secret, which is not kept.",
            code="carried-out",
        )
    headers = {"Idempotent-Replayed": "true"}
    return HttpResponse(kept.answer, "application/json", kept.status, headers=headers)
