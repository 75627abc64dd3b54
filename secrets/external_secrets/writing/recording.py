"""Attempts in the audit log: one event before anything is sent, in a transaction of its own, and one of how it ended."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction

from accesses import providers
from accesses.models import Access
from accounts.audit import services as audit
from accounts.models import User
from external_secrets import services


class Unknown(Exception):
    """The secret manager was asked, and nobody knows whether it did it. `str()` says so, `reason` why."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} may have been written, or not: {reason} Look before you try again.")
        self.name, self.reason = name, reason


class Attempt:
    """One act on one secret, on record before it is done. `details` hold names and tags, never a value."""

    def __init__(self, access: Access, act: str, name: str, by: User, details: dict[str, Any]) -> None:
        self._access, self._by, self.name = access, by, name
        self._told = {"act": act, "name": name, "cluster": access.cluster.name} | details

    @transaction.atomic(durable=True)
    def begin(self) -> None:
        """Put it on record for good: a console that dies after this has said what it was about to do."""
        self.tell("secret.write_begun")

    def tell(self, action: str, **more: Any) -> None:
        audit.record(
            organization=self._access.cluster.organization, by=self._by, action=action, target=self._access,
            details=self._told | more,
        )  # fmt: skip

    @contextmanager
    def signing_in(self) -> Iterator[None]:
        """Whatever fails in the block failed before anything was sent."""
        try:
            yield
        except providers.ProviderError as error:
            self.tell("secret.write_failed", reason=error.reason)
            raise

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Whatever fails in the block may have been done, unless the manager itself refused it.

        :raises Unknown: there was no answer, or none that says
        """
        try:
            yield
        except providers.NotReachable as error:
            self.tell("secret.write_unknown", reason=error.reason)
            # Where its names can be listed, the next look at them says what became of it.
            services.read_names(self._access)
            raise Unknown(self.name, error.reason) from None
        except providers.ProviderError as error:
            self.tell("secret.write_failed", reason=error.reason)
            raise
        except BaseException:
            self.tell("secret.write_unknown", reason="The console failed while it waited for the answer.")
            raise
