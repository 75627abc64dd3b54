"""Signed JSON to a URL: one POST for up to a hundred events."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterable

from accounts.outgoing.senders import http
from accounts.outgoing.senders.base import Accepted, Parcel


def send(parcel: Parcel) -> Accepted:
    """Post the events; any 2xx means that the receiver has them.

    :raises NotSent: it has not
    """
    body = json.dumps(
        {"id": parcel.id, "organization": parcel.slug, "events": parcel.events}, ensure_ascii=False
    ).encode()
    headers = {
        "Keyhaven-Delivery": parcel.id,
        "Keyhaven-Signature": signature(body, parcel.secrets, int(time.time())),
    }
    return Accepted(http.post(parcel.address, body, headers).status_code)


def signature(body: bytes, secrets: Iterable[str], at: int) -> str:
    """Return the header that proves who sent a body and when, one `v1` for each secret that is good now."""
    signed = f"{at}.".encode() + body
    proofs = (hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets)
    return ",".join([f"t={at}", *(f"v1={proof}" for proof in proofs)])
