"""The console as an issuer of tokens: clouds that trust it let it in without a key (workload identity federation).

Its document and its public keys are pages of their own (`/.well-known/…`), which the cloud fetches, or are uploaded.
"""

import datetime
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection, transaction
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_safe

# The clouds name this module, and are also read where there is no database.
if TYPE_CHECKING:
    from accounts.models import Organization
    from credentials.models import SigningKey

SECONDS = 600
# Whoever makes a key holds this lock, so that there is one.
_LOCK = 7_310_417
# Marks a key that is published and does not sign yet.
WAITING = "waiting"
# What is published of a key: Google takes no others where keys are uploaded.
_FIELDS = ("kty", "kid", "alg", "use", "n", "e")


def address() -> str:
    """Return who signs: this console's own address."""
    return str(settings.BASE_URL)


def subject(organization: "Organization") -> str:
    """Return the name by which clouds know an organization; made when it is first asked for."""
    from credentials.models import Subject

    return Subject.objects.get_or_create(organization=organization)[0].name


def prepare() -> None:
    """Have a key that signs; its public part may be asked for before anything is signed."""
    _signing()


@sensitive_variables()
def token(audience: str, subject: str) -> str:
    """Return a token, good for ten minutes, that says who asks."""
    import jwt
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    now, key = int(time.time()), _signing()
    claims = {
        "iss": address(), "sub": subject, "aud": audience, "iat": now, "nbf": now, "exp": now + SECONDS,
    }  # fmt: skip
    private: Any = load_pem_private_key(key.private.encode(), password=None)
    return jwt.encode(claims, private, algorithm="RS256", headers={"kid": str(key.pk)})


def _signing() -> "SigningKey":
    """Return the newest key that does not wait, made when there is none."""
    from credentials.models import SigningKey

    signs = SigningKey.objects.exclude(public__has_key=WAITING)
    found = signs.first()
    if found is not None:
        return found
    with _alone():
        return signs.first() or _make()


@sensitive_variables()
def _make(*, waiting: bool = False) -> "SigningKey":
    import jwt
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    from credentials.models import SigningKey

    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = jwt.algorithms.RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
    made = SigningKey(public=public)
    made.public |= {"kid": str(made.pk), "alg": "RS256", "use": "sig"} | ({WAITING: True} if waiting else {})
    made.private = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    made.save()
    return made


class StillNeeded(ValueError):
    """Tokens that an old key signed are still good."""


def rotate() -> str:
    """Let the key that waits, or else a new one, sign from now on, and return its ID; those before it stay published."""
    with _alone():
        waiting = _waiting()
        if waiting is None:
            return str(_make().pk)
        del waiting.public[WAITING]
        # It signs since now: for ten minutes from here, tokens of the one before it are good.
        waiting.made_at = timezone.now()
        waiting.save(update_fields=["public", "made_at"])
        return str(waiting.pk)


def publish_next() -> str:
    """Publish the key that will sign after the next `rotate`, and return its ID; asked twice, it is the same one."""
    # What signs now has to be there first.
    _signing()
    with _alone():
        return str((_waiting() or _make(waiting=True)).pk)


def _waiting() -> "SigningKey | None":
    from credentials.models import SigningKey

    return SigningKey.objects.filter(public__has_key=WAITING).first()


def drop_old() -> int:
    """Publish the key that signs, and the one that waits, alone; return how many others there were.

    :raises StillNeeded: it signs since so short a time that tokens of the others are still good
    """
    from credentials.models import SigningKey

    _signing()
    with _alone():
        newest, *old = SigningKey.objects.exclude(public__has_key=WAITING)
        young = timezone.now() - newest.made_at < datetime.timedelta(seconds=SECONDS)
        if old and young:
            raise StillNeeded(
                f"The newest key is younger than {SECONDS // 60} minutes: tokens of the one before it are still good. "
                "Nothing was dropped."
            )
        SigningKey.objects.filter(pk__in=[one.pk for one in old]).delete()
        return len(old)


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the lock of whoever makes or drops keys until the transaction ends."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        yield


def keys() -> dict[str, Any]:
    """Return the public keys as a JWK set; there is always one."""
    from credentials.models import SigningKey

    _signing()
    return {"keys": [{name: one.public[name] for name in _FIELDS} for one in SigningKey.objects.all()]}


def _answer(body: dict[str, Any]) -> JsonResponse:
    answer = JsonResponse(body)
    answer["Cache-Control"] = "public, max-age=300"
    return answer


@require_safe
def document(request: HttpRequest) -> JsonResponse:
    """The discovery document that clouds read."""
    return _answer(
        {
            "issuer": address(),
            "jwks_uri": f"{address()}/.well-known/jwks.json",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "claims_supported": ["iss", "sub", "aud", "exp", "iat", "nbf"],
        }
    )


@require_safe
def published(request: HttpRequest) -> JsonResponse:
    """The public keys."""
    return _answer(keys())
