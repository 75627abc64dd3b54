"""When what is in a kubeconfig ends, as far as it says: a token's own time, a client certificate's."""

import base64
import datetime
import json
from dataclasses import dataclass
from typing import Any

import yaml
from cryptography import x509
from django.views.decorators.debug import sensitive_variables

ACCOUNT = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class Account:
    """The ServiceAccount that a token says it is of."""

    namespace: str
    name: str


@sensitive_variables()
def at(reduced: str) -> datetime.datetime | None:
    """Return when a kubeconfig made by `kubeconfig.reduce` ends, or None: it does not say, or is none."""
    user = _user(reduced)
    if user.get("token"):
        found = _claims(user["token"]).get("exp")
        return _time(found) if isinstance(found, int | float) else None
    return _certificate(user.get("client-certificate-data", ""))


@sensitive_variables()
def account(reduced: str) -> Account | None:
    """Return whose token is in a kubeconfig, where it is a ServiceAccount's with an end."""
    claims = _claims(_user(reduced).get("token", ""))
    kind, _, rest = str(claims.get("sub", "")).partition(ACCOUNT)
    namespace, _, name = rest.partition(":")
    return Account(namespace, name) if not kind and namespace and name and "exp" in claims else None


@sensitive_variables()
def with_token(reduced: str, token: str) -> str:
    """Return a kubeconfig with another token in it."""
    document = yaml.safe_load(reduced)
    document["users"][0]["user"] = {"token": token}
    return str(yaml.safe_dump(document, sort_keys=False))


def _user(reduced: str) -> dict[str, str]:
    try:
        return dict(yaml.safe_load(reduced)["users"][0]["user"])
    except (KeyError, TypeError, IndexError, ValueError, yaml.YAMLError):
        return {}


def _claims(token: str) -> dict[str, Any]:
    """Return what a JWT says, nothing of it proven, or nothing for any other text."""
    try:
        body = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _time(seconds: float) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _certificate(encoded: str) -> datetime.datetime | None:
    try:
        return x509.load_pem_x509_certificate(base64.b64decode(encoded)).not_valid_after_utc
    except ValueError:
        return None
