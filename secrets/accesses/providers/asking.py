"""Requests to a secret manager over HTTP, and what its refusals mean. Its own words are read here and go no further."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from django.views.decorators.debug import sensitive_variables

from config import egress
from credentials.clouds import errors

# A page of a hundred names with their facts is far below; a whole vault's list may be a few megabytes.
LARGEST = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Refusal:
    """What one kind of refusal means, in our words; an empty `code` is every other one of that status.

    The reason and the remedy may have a `{permission}`.
    """

    status: int
    error: type[errors.ProviderError]
    reason: str
    remedy: str = ""
    code: str = ""

    def made(self, permission: str, policy: str) -> errors.ProviderError:
        """Return the error to raise."""
        reason, remedy = (one.replace("{permission}", permission) for one in (self.reason, self.remedy))
        if issubclass(self.error, errors.PermissionMissing):
            return self.error(permission, reason, remedy, policy)
        return self.error(reason, remedy)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, the body as JSON (None where there is none), and the headers by small letters."""

    status: int
    body: Any = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


def _no_code(body: Any) -> str:
    return ""


class Api:
    """One secret manager's HTTP interface at an address.

    `refusals` is the vendor's table, the more exact ones first; `code_of` reads its own code out of a refusal's body.
    `headers` are made for every request, so that a token can be renewed. `ca` are authorities in PEM. Raises nothing but
    `ProviderError`s.
    """

    def __init__(
        self,
        vendor: str,
        address: str,
        refusals: Sequence[Refusal],
        *,
        headers: Callable[[], Mapping[str, str]] = dict,
        code_of: Callable[[Any], str] = _no_code,
        ca: str = "",
    ) -> None:
        self.vendor, self.address = vendor, address.rstrip("/")
        self._refusals, self._headers, self._code_of, self._ca = refusals, headers, code_of, ca
        self._kept: Any = None

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Keep one connection for all requests inside: for many small ones, one after the other."""
        with egress.session(LARGEST, self._ca) as session:
            self._kept = session
            try:
                yield
            finally:
                self._kept = None

    @sensitive_variables()
    def ask(
        self,
        method: str,
        path: str,
        *,
        permission: str = "",
        policy: str = "",
        query: Mapping[str, Any] | None = None,
        json: Any = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        quiet: tuple[int, ...] = (),
    ) -> Answer:
        """Send one request and return the answer; statuses in `quiet` are answers too.

        `permission` is what the request needs as the vendor calls it, `policy` what would grant it. Nothing is tried twice.

        :raises ProviderError: it was refused, or there is no answer
        """
        check_path(path)
        all_headers = {**self._headers(), **(headers or {})}
        with self._reached(), self._session() as session:
            got = session.request(
                method, f"{self.address}{path}", params=query, json=json, data=data, headers=all_headers
            )
        body = self._body(got)
        if got.status_code in quiet or 200 <= got.status_code < 300:
            return Answer(got.status_code, body, {k.lower(): v for k, v in got.headers.items()})
        raise self.refused(got.status_code, body, permission, policy)

    def refused(self, status: int, body: Any, permission: str = "", policy: str = "") -> errors.ProviderError:
        """Return the error for a refusal, by the vendor's table, then by what a status means everywhere."""
        code = self._code(body)
        exact = [one for one in self._refusals if one.status == status and one.code == code and code]
        rest = [one for one in self._refusals if one.status == status and not one.code]
        for one in (*exact, *rest):
            return one.made(permission, policy)
        if status == 429:
            return errors.Throttled(f"{self.vendor} asks to slow down.")
        if 300 <= status < 400:
            return errors.NotReachable(
                f"What answers for {self.vendor} sends elsewhere.",
                "Check the address: it is the one where requests end, not one that redirects.",
            )
        if status >= 500:
            return errors.NotReachable(
                f"{self.vendor} answers with an error of its own ({status}).", "Try again later."
            )
        return errors.NotValid(f"{self.vendor} does not take the request ({status}).", "Check the address.")

    def _code(self, body: Any) -> str:
        try:
            return self._code_of(body) or ""
        except (AttributeError, LookupError, TypeError, ValueError):
            return ""

    def _session(self) -> AbstractContextManager[Any]:
        return contextlib.nullcontext(self._kept) if self._kept else egress.session(LARGEST, self._ca)

    def _reached(self) -> AbstractContextManager[None]:
        return reached(self.vendor)

    def _body(self, got: Any) -> Any:
        if not got.content:
            return None
        try:
            return got.json()
        except (ValueError, RecursionError):
            if got.status_code >= 300:
                return None
        raise errors.NotReachable(
            f"What answers for {self.vendor} is not {self.vendor}.",
            "Check the address, and the proxies on the console's way out.",
        )


def check_path(path: str) -> None:
    """Refuse a path with `.` or `..` in it, also written as `%2e` or between `%2f`: it would lead to another one.

    What is entered stands in paths (names, users, accounts), and a client resolves dots before anything is sent.

    :raises NotValid: it has
    """
    if any(part in (".", "..") for part in unquote(path.partition("?")[0]).split("/")):
        raise errors.NotValid(
            "A name has a part of dots alone, which would lead to another address.", "Write it without them."
        )


@contextlib.contextmanager
def reached(vendor: str) -> Iterator[None]:
    """Turn what goes wrong on the way to a vendor into an error of ours.

    :raises NotReachable: from the block
    """
    import requests

    try:
        yield
    except egress.Forbidden as error:
        raise errors.NotReachable(str(error), "Enter the address of the secret manager.") from None
    except egress.TooLarge:
        raise errors.NotReachable(
            f"{vendor} answers with more than is read, or too slowly.", "Check the address."
        ) from None
    except requests.exceptions.SSLError:
        raise errors.NotReachable(
            f"The certificate of {vendor} is not trusted.",
            "Enter the certificate of the authority that signed it, or correct the address.",
        ) from None
    except (requests.RequestException, UnicodeError, ValueError):
        raise errors.NotReachable(
            f"{vendor} does not answer.", "Check the address, and that the console's network reaches it."
        ) from None


@contextlib.contextmanager
def understood(vendor: str) -> Iterator[None]:
    """Turn an answer of another shape than the vendor's into an error of ours.

    :raises NotReachable: from the block
    """
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        raise errors.NotReachable(
            f"{vendor} answers in a way that Keyhaven does not understand.",
            "Check the address, and that its version is one that Keyhaven knows.",
        ) from None
