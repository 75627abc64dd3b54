"""Whether an organization has a built-in store, which is the owner's decision, and what keeps it on."""

from collections.abc import Callable

from django.db import transaction

from accounts.audit import services as audit
from accounts.models import Organization, User

# Each returns what uses an organization's store, by name; the apps above this one register theirs.
_users: list[Callable[[Organization], list[str]]] = []


class InUse(ValueError):
    """Accesses read from the store; they are named."""


def register(uses: Callable[[Organization], list[str]]) -> None:
    """Add what may use a store, once."""
    if uses not in _users:
        _users.append(uses)


def users(organization: Organization) -> list[str]:
    """Return what uses an organization's store."""
    return sorted(name for uses in _users for name in uses(organization))


@transaction.atomic
def turn(*, organization: Organization, on: bool, by: User) -> bool:
    """Turn an organization's store on or off, and return whether that differs.

    :raises InUse: it is to be turned off, and accesses use it
    """
    found = Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    if found.built_in_store == on:
        return False
    if not on and (names := users(found)):
        raise InUse(f"Accesses use the built-in store: {', '.join(names)}. Delete them first.")
    found.built_in_store = organization.built_in_store = on
    found.save(update_fields=["built_in_store"])
    action = "built_in_store.enabled" if on else "built_in_store.disabled"
    audit.record(organization=found, by=by, action=action, target=found, details={})
    return True
