"""Requests to Scaleway with an API key, and what its refusals mean. Its own words are read here and go no further."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import requests
from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from credentials.clouds import answers, errors

API = "https://api.scaleway.com"
CONNECT, READ = 3.0, 10.0
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
ACCESS_KEY = re.compile(r"SCW[0-9A-Z]{17}")


@dataclass(frozen=True, slots=True)
class Identity:
    """An API key. Scaleway knows who asks by the secret key alone."""

    access_key: str
    secret_key: str = field(repr=False)

    @classmethod
    def of(cls, secret: dict[str, str]) -> "Identity":
        """Return the key of a stored credential.

        :raises CredentialRefused: there is none
        """
        if not secret.get("access_key") or not secret.get("secret_key"):
            raise errors.CredentialRefused("There is no API key.", "Enter an API key.")
        return cls(secret["access_key"], secret["secret_key"])


type Maker = Callable[[str], errors.ProviderError]


def _is(kind: type[errors.ProviderError], reason: str, remedy: str = "") -> Maker:
    return lambda permission: kind(reason, remedy)


def _denied(permission: str) -> errors.ProviderError:
    return errors.PermissionMissing(
        permission,
        f"The API key lacks the permission set {permission}.",
        f"Add {permission} to the policy of its application, for the organization or the project that it is about.",
    )


_NEW_KEY = "Make a new API key for the application and enter it here."
_UNKNOWN = _is(errors.CredentialRefused, "Scaleway does not know this secret key.", _NEW_KEY)
_EXPIRED = _is(errors.CredentialRefused, "The API key has expired.", _NEW_KEY)
_SLOWLY = _is(errors.Throttled, "Scaleway asks to slow down.")
_NOT_THERE = _is(errors.NotThere, "Scaleway does not have it.")
_INVALID = _is(errors.NotValid, "Scaleway does not take the request.", "Check the project and the region.")
_FULL = _is(
    errors.LimitReached, "A quota of the Scaleway organization is reached.", "Remove what is not needed."
)
# The type of an error, with its reason where that tells more → what it means.
_TYPES: dict[tuple[str, str], Maker] = {
    ("denied_authentication", "expired"): _EXPIRED,
    ("denied_authentication", ""): _UNKNOWN,
    ("permissions_denied", ""): _denied,
    ("not_found", ""): _NOT_THERE,
    ("unknown_resource", ""): _NOT_THERE,
    ("too_many_requests", ""): _SLOWLY,
    ("quotas_exceeded", ""): _FULL,
    ("invalid_arguments", ""): _INVALID,
    ("invalid_request_error", ""): _INVALID,
}
_STATUSES: dict[int, Maker] = {
    400: _INVALID, 401: _UNKNOWN, 403: _denied, 404: _NOT_THERE, 410: _NOT_THERE, 429: _SLOWLY,
}  # fmt: skip


@sensitive_variables()
def ask(
    identity: Identity, method: str, path: str, permission: str, body: Any = None, **query: Any
) -> dict[str, Any]:
    """Send a request and return the answer's object; `permission` is the permission set that it needs.

    :raises ProviderError: Scaleway refuses it, or does not answer
    """
    url = f"{settings.SCALEWAY_ENDPOINT_URL or API}{quote(path)}"
    headers = {"X-Auth-Token": identity.secret_key}
    try:
        with requests.Session() as session:
            # Neither a netrc file nor a redirect has a say in who gets the key.
            session.auth = lambda request: request
            answers.bound(session)
            answer = session.request(
                method, url, params=query, json=body, headers=headers, timeout=(CONNECT, READ),
                allow_redirects=False,
            )  # fmt: skip
    except requests.RequestException:
        raise errors.NotReachable(
            "Scaleway does not answer.", "Check that the console's network reaches api.scaleway.com."
        ) from None
    return _read(answer, permission)


@sensitive_variables()
def _read(answer: requests.Response, permission: str) -> dict[str, Any]:
    if answer.status_code == 204:
        return {}
    if answer.status_code >= 500:
        raise errors.NotReachable(
            f"Scaleway answers with an error of its own ({answer.status_code}).", "Try again later."
        )
    try:
        found = answer.json()
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or 300 <= answer.status_code < 400:
        raise errors.NotReachable(
            "What answers for Scaleway is not Scaleway.", "Check the proxies on the console's way out."
        )
    if answer.status_code >= 400:
        raise _error(answer.status_code, found, permission)
    return found


def _error(status: int, said: dict[str, Any], permission: str) -> errors.ProviderError:
    kind, reason = str(said.get("type") or ""), str(said.get("reason") or "")
    make = _TYPES.get((kind, reason)) or _TYPES.get((kind, "")) or _STATUSES.get(status)
    return make(permission) if make else errors.ProviderError(f"Scaleway refused the request ({status}).")
