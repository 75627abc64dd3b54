"""The key that signs digests: Ed25519, so that whoever keeps digests elsewhere checks them with a public key alone."""

import base64
import hashlib
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from accounts.audit.models import AuditKey


@sensitive_variables()
def _private() -> Ed25519PrivateKey:
    """Return the key made of AUDIT_SIGNING_KEY, or of SECRET_KEY where that is not set."""
    text = settings.AUDIT_SIGNING_KEY or settings.SECRET_KEY
    derive = HKDF(hashes.SHA256(), 32, salt=None, info=b"keyhaven audit digests 1")
    return Ed25519PrivateKey.from_private_bytes(derive.derive(text.encode()))


def public_key() -> str:
    """Return the public half, in Base64."""
    return base64.b64encode(_private().public_key().public_bytes_raw()).decode()


def key_id(public: str) -> str:
    """Return the short name of a public key: the beginning of its SHA-256."""
    return hashlib.sha256(base64.b64decode(public)).hexdigest()[:16]


def current_key() -> AuditKey:
    """Return the row of the key in use, made at its first use; the rows of earlier keys stay."""
    public = public_key()
    row, _ = AuditKey.objects.get_or_create(
        id=key_id(public), defaults={"public_key": public, "first_used_at": timezone.now()}
    )
    return row


def sign(statement: dict[str, Any]) -> str:
    """Return the signature of a statement, in Base64."""
    return base64.b64encode(_private().sign(_written(statement))).decode()


def is_signed(statement: dict[str, Any], signature: str, public: str) -> bool:
    """Tell whether a statement was signed with the private half of a public key."""
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public, validate=True))
        key.verify(base64.b64decode(signature, validate=True), _written(statement))
    except (InvalidSignature, ValueError):
        return False
    return True


def _written(statement: dict[str, Any]) -> bytes:
    return json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()
