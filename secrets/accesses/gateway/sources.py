"""Where the values come from that the gateway hands out: one function for each provider that is read through it."""

from collections.abc import Callable
from typing import Any

from django.views.decorators.debug import sensitive_variables

from accesses import trials
from accesses.models import Access
from built_in import services
from built_in.services import Found as Found
from credentials.clouds import errors


@sensitive_variables()
def _built_in(access: Access, name: str, number: int | None) -> Found:
    organization = access.cluster.organization
    if not organization.built_in_store:
        raise errors.CredentialRefused("The built-in store is off.")
    return services.read(organization=organization, name=name, number=number)


@sensitive_variables()
def _elasticsearch(access: Access, name: str, number: int | None) -> Found:
    manager: Any = trials.connect(access)
    found: Found = manager.read(name, number)
    return found


READERS: dict[str, Callable[[Access, str, int | None], Found]] = {
    "built-in": _built_in,
    "elasticsearch": _elasticsearch,
}


def read(access: Access, name: str, number: int | None) -> Found:
    """Return a value as its store has it; `number` None is the newest.

    :raises ProviderError: NotThere alone means that it is gone
    :raises accounts.encryption.Unreadable: it is not what was written
    """
    return READERS[access.provider](access, name, number)
