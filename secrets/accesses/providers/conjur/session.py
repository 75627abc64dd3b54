"""Signing in to Conjur: a short-lived token for an API key or for a cluster's token, and a key for a password."""

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from django.views.decorators.debug import sensitive_variables

from accesses.providers.asking import Api, Refusal, reached
from config import egress
from credentials.clouds import errors

VENDOR = "Conjur"
# Conjur's tokens are good for eight minutes.
_RENEWED = 5 * 60.0

KEY_REFUSALS = (
    Refusal(
        401, errors.CredentialRefused,
        "Conjur does not know this user or host, or the API key is not its own.",
        "Check the account, the user or host (a host begins with host/) and the key; rotating a key ends the old one.",
    ),
    Refusal(
        403, errors.CredentialRefused,
        "Conjur does not let this user or host sign in from here.",
        "Add the console's and the cluster's addresses to its restricted_to, or take that away.",
    ),
    Refusal(
        404, errors.NotThere,
        "There is no Conjur at this address.",
        "Check the address; CyberArk's cloud has /api at its end.",
    ),
)  # fmt: skip
PASSWORD_REFUSALS = (
    Refusal(
        401, errors.CredentialRefused,
        "Conjur does not take this user's password.",
        "Check the account, the user and the password. A host has an API key alone.",
    ),
    *KEY_REFUSALS[1:],
)  # fmt: skip
JWT_REFUSALS = (
    Refusal(
        400, errors.TrustMissing,
        "Conjur cannot read the cluster's token.",
        "Check that the authenticator is of the kind authn-jwt.",
    ),
    Refusal(
        401, errors.TrustMissing,
        "Conjur does not trust the cluster's token for this host.",
        "Compare the authenticator's keys, issuer and audience and the host's annotations with the cards on the page of "
        "the access, and check that the authenticator is enabled.",
    ),
    Refusal(
        403, errors.TrustMissing,
        "The host may not use this authenticator.",
        "Grant it read and authenticate on the authenticator's webservice.",
    ),
    KEY_REFUSALS[-1],
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """Where Conjur is: its address, the account, and its authority's certificate in PEM."""

    address: str
    account: str
    ca: str = ""

    @classmethod
    def of(cls, configuration: Mapping[str, str]) -> "Place":
        return cls(configuration["address"], configuration["account"], configuration.get("ca", ""))


class Session:
    """Whom requests are signed as; a token is asked for when one is needed, and anew before it is over.

    `body` makes what is sent for one.
    """

    def __init__(
        self,
        place: Place,
        path: str,
        refusals: tuple[Refusal, ...],
        body: Callable[[], str],
        content: str = "text/plain",
    ) -> None:
        self.place = place
        self._path, self._body, self._content = path, body, content
        self._api = Api(VENDOR, place.address, refusals, ca=place.ca)
        self._token, self._until = "", 0.0

    @sensitive_variables()
    def headers(self) -> dict[str, str]:
        """Return the header that signs a request.

        :raises ProviderError: Conjur does not let it in
        """
        if time.monotonic() >= self._until:
            answer = self._api.ask(
                "POST", self._path, data=self._body().encode(), headers={"Content-Type": self._content}
            )
            if not isinstance(answer.body, dict) or not answer.body.get("payload"):
                raise errors.NotReachable(
                    "What answers for Conjur is not Conjur.",
                    "Check the address, and the proxies on the console's way out.",
                )
            self._token = base64.b64encode(json.dumps(answer.body).encode()).decode()
            self._until = time.monotonic() + _RENEWED
        return {"Authorization": f'Token token="{self._token}"'}


@sensitive_variables()
def by_key(place: Place, login: str, key: str) -> Session:
    """Return the session of a user or host with an API key.

    :raises CredentialRefused: there is no key
    """
    if not key:
        raise errors.CredentialRefused("There is no API key.", "Enter the API key of the user or host.")
    path = f"/authn/{quote(place.account, safe='')}/{quote(login, safe='')}/authenticate"
    return Session(place, path, KEY_REFUSALS, lambda: key)


def by_token(place: Place, service: str, host: str, token: Callable[[], str]) -> Session:
    """Return the session of a host that a cluster's token proves."""
    parts = [service, place.account, *([host] if host else [])]
    path = "/".join(quote(part, safe="") for part in parts)
    return Session(
        place,
        f"/authn-jwt/{path}/authenticate",
        JWT_REFUSALS,
        lambda: f"jwt={quote(token(), safe='')}",
        "application/x-www-form-urlencoded",
    )


@sensitive_variables()
def key_of(place: Place, user: str, password: str) -> str:
    """Return the API key that Conjur gives a user for a password.

    :raises ProviderError: it does not
    """
    api = Api(VENDOR, place.address, PASSWORD_REFUSALS, ca=place.ca)
    url = f"{api.address}/authn/{quote(place.account, safe='')}/login"
    signed = base64.b64encode(f"{user}:{password}".encode()).decode()
    with reached(VENDOR), egress.session(ca=place.ca) as session:
        got = session.request("GET", url, headers={"Authorization": f"Basic {signed}"})
    if got.status_code != 200:
        raise api.refused(got.status_code, None)
    key = str(got.text).strip()
    if not key.isalnum() or len(key) > 200:
        raise errors.NotReachable("What answers for Conjur is not Conjur.", "Check the address.")
    return key
