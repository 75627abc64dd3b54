"""Google Cloud: signing in with a key or with a cluster's token, and asking."""

import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from credentials.clouds.google import wire as google_wire
from credentials.clouds.google.errors import refusal, translated
from credentials.clouds.google.keys import TOKEN_URI
from credentials.clouds.google.trust import OF_CLUSTERS, Trust

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_JWT = "urn:ietf:params:oauth:token-type:jwt"


def _base(service: str) -> str:
    """Return where a Google service answers: the sandbox's one address, or its own."""
    return str(settings.GOOGLE_ENDPOINT_URL) or f"https://{service}.googleapis.com"


@functools.cache
def _kinds() -> tuple[type[Any], type[Any], type[Any]]:
    """Return google-auth's classes without the question that they ask Google on a thread of their own."""
    from google.auth import identity_pool
    from google.oauth2 import service_account

    class Quiet:
        def _maybe_start_regional_access_boundary_refresh(self, request: Any, url: str) -> None:
            """Ask nobody: it would go to Google also where another endpoint is set, and beyond our limits."""

    class Key(Quiet, service_account.Credentials):
        pass

    class Exchanged(Quiet, identity_pool.Credentials):
        def refresh(self, request: Any) -> None:
            """Refuse in the words of the one whose token it is."""
            refresh: Any = super().refresh
            with translated("iam.serviceAccounts.getAccessToken", trust=self._subject_token_supplier.trust):
                refresh(request)

    class Supplier(identity_pool.SubjectTokenSupplier):
        def __init__(self, token: Callable[[], str], trust: Trust) -> None:
            self.token, self.trust = token, trust

        def get_subject_token(self, context: Any, request: Any) -> str:
            return self.token()

    return Key, Exchanged, Supplier


@sensitive_variables()
def by_key(key: dict[str, str]) -> Any:
    """Return the credentials of a service account's key, as `parse_key` returned it.

    The file's own addresses count for nothing: tokens come from Google.
    """
    made, _, _ = _kinds()
    address = f"{settings.GOOGLE_ENDPOINT_URL}/token" if settings.GOOGLE_ENDPOINT_URL else TOKEN_URI
    info = {name: key[name] for name in ("private_key", "private_key_id", "client_email", "project_id")}
    with translated("iam.serviceAccounts.getAccessToken"):
        return made.from_service_account_info(info | {"token_uri": address}, scopes=[SCOPE])


def by_token(
    token: Callable[[], str], audience: str, service_account: str = "", trust: Trust = OF_CLUSTERS
) -> Any:
    """Return credentials that exchange a token at Google, and then perhaps act as a service account.

    `token` is asked for a new one when it is needed; it may raise a `ProviderError`. `trust` says what refusals mean.
    """
    _, made, supplier = _kinds()
    url = None
    if service_account:
        name = quote(service_account, safe="@")
        url = f"{_base('iamcredentials')}/v1/projects/-/serviceAccounts/{name}:generateAccessToken"
    return made(
        audience=audience,
        subject_token_type=_JWT,
        token_url=f"{_base('sts')}/v1/token",
        subject_token_supplier=supplier(token, trust),
        service_account_impersonation_url=url,
        scopes=[SCOPE],
    )


class Api:
    """Google's REST interfaces without a client library. Its method raises nothing but `ProviderError`.

    With `once` nothing is sent twice: for what is done again if it is asked for again.
    """

    def __init__(self, credentials: Any, *, once: bool = False) -> None:
        self._session = google_wire.authorized(credentials, once=once)

    @sensitive_variables()
    def call(
        self,
        method: str,
        service: str,
        path: str,
        permission: str,
        body: dict[str, Any] | None = None,
        **query: str | int,
    ) -> dict[str, Any]:
        """Ask, for example, `call("POST", "cloudresourcemanager", "v1/projects/acme:getIamPolicy", …)`.

        :raises ProviderError: Google refuses, or does not answer
        """
        url = f"{_base(service)}/{_quoted(path)}"
        with translated(permission):
            answer = self._session.request(method, url, json=body, params=query or None)
            found: dict[str, Any] = answer.json()
        if answer.status_code >= 400:
            raise refusal(answer.status_code, found, permission, "")
        return found


def _quoted(path: str) -> str:
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError("A path at Google has no empty parts and leads nowhere else.")
    return "/".join(quote(part, safe=":@") for part in parts)


def secret_manager(credentials: Any, location: str = "") -> Any:
    """Return Secret Manager's own client; with a location, at that location's endpoint, which knows only its secrets."""
    from google.cloud.secretmanager_v1.services.secret_manager_service import SecretManagerServiceClient
    from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
        SecretManagerServiceRestTransport,
    )

    host = _base(f"secretmanager.{location}.rep" if location else "secretmanager")
    # The client's own transport would sign each request with the key instead of asking for a token: what Google says of
    # a bad key is clearer at the token's address.
    transport = SecretManagerServiceRestTransport(host=host, credentials=credentials)
    google_wire.limited(transport._session)
    return SecretManagerServiceClient(transport=transport)


def locations(credentials: Any, project: str) -> frozenset[str]:
    """Return the places that have regional secrets, by Google's own list.

    :raises ProviderError: Google refuses, or does not answer
    """
    with translated("secretmanager.locations.list"):
        asked = {"name": f"projects/{project}", "page_size": 500}
        answer = secret_manager(credentials).list_locations(asked, timeout=google_wire.READ, retry=None)
        return frozenset(one.location_id for one in answer.locations)
