"""Azure: signing in as a service principal, by its secret or by a token that Entra trusts, and asking."""

import base64
import datetime
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from credentials.clouds.azure import errors, wire
from credentials.clouds.azure.places import Place
from credentials.clouds.base import Token

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# A token is not used in its last minute: the request that it signs takes some of it.
_SPARE = datetime.timedelta(minutes=1)
# More pages than any subscription has clusters for.
_PAGES = 200


@dataclass(slots=True)
class Identity:
    """A service principal that can ask for tokens of any scope; they are kept in memory until they are about to end.

    `proof` returns what proves who it is, as fields of the request; it may raise a `ProviderError`.
    """

    place: Place
    asker: errors.Asker
    proof: Callable[[], dict[str, str]] = field(repr=False)
    _tokens: dict[str, Token] = field(default_factory=dict, repr=False)

    @sensitive_variables()
    def token(self, scope: str) -> Token:
        """Return a token, for example for `https://vault.azure.net/.default`.

        :raises ProviderError: Entra refuses, or does not answer
        """
        held = self._tokens.get(scope)
        if held is None or held.expires_at - _SPARE <= timezone.now():
            held = self._tokens[scope] = self._asked(scope)
        return held

    @sensitive_variables()
    def _asked(self, scope: str) -> Token:
        form = {"grant_type": "client_credentials", "client_id": self.asker.client, "scope": scope}
        url = f"{self.place.sign_in_url}/{quote(self.asker.tenant, safe='')}/oauth2/v2.0/token"
        answer = wire.ask("POST", url, data=form | self.proof())
        if answer.status != 200:
            raise errors.sign_in_refusal(answer, self.asker)
        text, seconds = answer.body.get("access_token"), answer.body.get("expires_in")
        if not isinstance(text, str) or not text.isascii() or not str(seconds).isdecimal():
            raise wire.not_azure()
        return Token(text, timezone.now() + datetime.timedelta(seconds=int(str(seconds))))


@sensitive_variables()
def by_secret(place: Place, tenant: str, client: str, secret: str) -> Identity:
    """Return the service principal of an app registration, by a client secret."""
    return Identity(place, errors.Asker(tenant, client, place.login), lambda: {"client_secret": secret})


def by_assertion(
    place: Place, tenant: str, client: str, issuer: str, subject: str, assertion: Callable[[], str]
) -> Identity:
    """Return the same, by tokens of somebody whom its federated credential trusts; `assertion` makes a new one."""

    @sensitive_variables()
    def proof() -> dict[str, str]:
        return {"client_assertion_type": _ASSERTION, "client_assertion": assertion()}

    asker = errors.Asker(tenant, client, place.login, issuer, subject, place.audience)
    return Identity(place, asker, proof)


@sensitive_variables()
def object_of(token: Token) -> str:
    """Return the object ID of the service principal that a token was made for; empty where it does not tell.

    Nothing is proven by it: it is shown, for role assignments.
    """
    try:
        body = token.text.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        told = str(found["oid"])
    except (LookupError, TypeError, ValueError):
        return ""
    return told.lower() if GUID.fullmatch(told) else ""


@dataclass(frozen=True, slots=True)
class Api:
    """A REST interface of Azure, at `base`. Its methods raise nothing but `ProviderError`."""

    identity: Identity
    base: str
    scope: str

    def call(self, method: str, path: str, action: str, version: str) -> dict[str, Any]:
        """Ask, for example, `call("GET", "/subscriptions/…", "Microsoft.Resources/subscriptions/read", "2022-12-01")`.

        :raises ProviderError: Azure refuses, or does not answer
        """
        return self._asked(method, f"{self.base}{_quoted(path)}?api-version={version}", action, path)

    def pages(self, path: str, action: str, version: str) -> list[dict[str, Any]]:
        """Return what a list holds, over all its pages.

        :raises ProviderError: Azure refuses, does not answer, or the list leads elsewhere
        """
        url, found = f"{self.base}{_quoted(path)}?api-version={version}", list[dict[str, Any]]()
        with wire.budget():
            for _ in range(_PAGES):
                page = self._asked("GET", url, action, path)
                held = page.get("value")
                found += [one for one in held if isinstance(one, dict)] if isinstance(held, list) else []
                if not page.get("nextLink"):
                    break
                url = self._next(page["nextLink"])
        return found

    def _next(self, link: Any) -> str:
        """Return where the next page is: at the same address only, as it is asked for with the token."""
        try:
            here, there = urlsplit(self.base), urlsplit(str(link))
        except ValueError:
            raise wire.not_azure() from None
        # Azure writes its own port, or leaves it out.
        if (there.scheme, there.netloc.removesuffix(":443")) != (here.scheme, here.netloc):
            raise wire.not_azure()
        return str(link)

    @sensitive_variables()
    def _asked(self, method: str, url: str, action: str, path: str) -> dict[str, Any]:
        with wire.budget():
            headers = {"Authorization": f"Bearer {self.identity.token(self.scope).text}"}
            answer = wire.ask(method, url, headers=headers)
        if answer.status >= 400:
            raise errors.refusal(answer, self.identity.asker, action, path)
        if answer.status >= 300:
            raise wire.not_azure()
        return answer.body


def arm(identity: Identity) -> Api:
    """Return Azure Resource Manager."""
    return Api(identity, identity.place.arm_url, f"{identity.place.arm}/.default")


def _quoted(path: str) -> str:
    parts = path.removeprefix("/").split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError("A path at Azure has no empty parts and leads nowhere else.")
    return "".join(f"/{quote(part, safe='()')}" for part in parts)
