"""Signing in to BeyondTrust Password Safe: a session that is begun for some requests and ended after them."""

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from django.views.decorators.debug import sensitive_variables

from accesses.providers.asking import Api, Refusal, understood
from credentials.clouds import errors

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

VENDOR = "Password Safe"
BASE = "/BeyondTrust/api/public/v3"
READ, WRITE = "Secrets Safe (Read)", "Secrets Safe (Read/Write)"
_NOT_SIGNED_IN = (
    errors.CredentialRefused, "Password Safe refuses the credential.",
    "Check the client or the key, the user that it runs as, and that the authentication rules of its API registration let "
    "this console's address in.",
)  # fmt: skip
SIGN_IN = tuple(Refusal(status, *_NOT_SIGNED_IN) for status in (400, 401, 403))
REFUSALS = (
    Refusal(401, errors.CredentialRefused, "Password Safe does not know the session, any more.", "Try again."),
    Refusal(
        403, errors.PermissionMissing, "The user has no {permission}.",
        "Give a group of the user the permission {permission}, and the folder's access as much.",
    ),
    Refusal(404, errors.NotThere, "Password Safe has nothing there.", "Check the address, the folder and the title."),
    Refusal(409, errors.AlreadyThere, "There is a secret of that title in the folder already."),
    Refusal(
        400, errors.NotValid, "Password Safe does not take the request.",
        "Check the API version, the separator, and how long the value and the title are.",
    ),
)  # fmt: skip
# The name and value of each cookie; several come as one header, with a comma between them.
_COOKIE = re.compile(r"(?:^|,\s*)([^=;,\s]+=[^;,]*)")


def address(place: Mapping[str, str]) -> str:
    """Return where requests go: what was entered may leave out the path of the API."""
    found = place["address"].rstrip("/")
    return found if "/beyondtrust/api/public/v" in found.lower() else f"{found}{BASE}"


@sensitive_variables()
def api_key(place: Mapping[str, str], credential: Mapping[str, str]) -> str:
    """Return the key with whom it runs as, as it stands in the header behind `PS-Auth key=`."""
    parts = [credential["api_key"], f"runas={place['run_as']}"]
    if password := credential.get("password"):
        parts.append(f"pwd=[{password}]")
    return f"{'; '.join(parts)};"


class Session:
    """Asks within a session: `with session as user: session.ask(…)`. Its cookie is in memory for that long."""

    def __init__(self, access: "Access | AccessDraft") -> None:
        self._place, self._credential, self._method = access.configuration, access.credential, access.method
        self._cookie = ""
        self._signing = Api(VENDOR, address(self._place), SIGN_IN)
        self._asking = Api(VENDOR, address(self._place), REFUSALS, headers=self._headers)

    def __repr__(self) -> str:
        return f"<Password Safe at {self._asking.address}>"

    def _headers(self) -> Mapping[str, str]:
        return {"Cookie": self._cookie}

    @contextlib.contextmanager
    def begun(self) -> Iterator[dict[str, Any]]:
        """Sign in, yield the user, and sign out, whatever happens.

        :raises CredentialRefused: it is refused
        """
        answer = self._signing.ask("POST", "/Auth/SignAppin", headers=self._authorization())
        with understood(VENDOR):
            user = dict(answer.body)
            self._cookie = "; ".join(_COOKIE.findall(answer.headers.get("set-cookie", "")))
        try:
            yield user
        finally:
            # The server ends it after twenty minutes as well.
            with contextlib.suppress(errors.ProviderError):
                self._asking.ask("POST", "/Auth/Signout")
            self._cookie = ""

    @sensitive_variables()
    def ask(self, method: str, path: str, permission: str, **asked: Any) -> Any:
        """Send a request of the session; return the answer's body."""
        query = dict(asked.pop("query", {}))
        if version := self._place.get("version"):
            query["version"] = version
        return self._asking.ask(
            method,
            f"/Secrets-Safe/{path}",
            permission=permission,
            policy=policy(permission),
            query=query,
            **asked,
        ).body

    @sensitive_variables()
    def _authorization(self) -> Mapping[str, str]:
        """Return the header that signs in, with a token of the client or with the key itself.

        :raises CredentialRefused: there is none
        """
        needed = "client_secret" if self._method == "oauth" else "api_key"
        if not self._credential.get(needed):
            raise errors.CredentialRefused(
                "There is no credential.", "Enter the client's secret, or the API key."
            )
        if self._method != "oauth":
            return {"Authorization": f"PS-Auth key={api_key(self._place, self._credential)}"}
        form = {
            "grant_type": "client_credentials", "client_id": self._place["client_id"],
            "client_secret": self._credential["client_secret"],
        }  # fmt: skip
        answer = self._signing.ask("POST", "/Auth/connect/token", data=form)
        with understood(VENDOR):
            return {"Authorization": f"Bearer {answer.body['access_token']}"}


def policy(*permissions: str) -> str:
    """Return what a group of the user needs."""
    level = "Read/Write" if WRITE in permissions else "Read"
    lines = [f"Group permission: Secrets Safe ({level})", "Folder: shared with the group, at the same level"]
    return "\n".join(lines)
