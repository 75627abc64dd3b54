"""Bringing what was just written into the inventory, so that it can be linked at once."""

import datetime
from collections.abc import Callable

from django.db import transaction
from django.utils import timezone

from accesses import providers
from accesses.models import Access
from external_secrets import inventory, services
from external_secrets.models import InventoryEntry, InventoryState

_TICK = datetime.timedelta(microseconds=1)


@transaction.atomic
def change(access: Access, act: Callable[[InventoryState], None]) -> None:
    """Change the inventory of an access under the lock that readers take; a reading at work is begun anew.

    What it has read may be older than what was written, and would take it away again.
    """
    InventoryState.objects.get_or_create(access=access)
    state = InventoryState.objects.select_for_update().get(access=access)
    act(state)
    if inventory.is_being_read(state):
        state.started_at = None
        transaction.on_commit(lambda: services.read_names(access))
    # Whoever asks for changes at this moment sees that it is not as it was, and leaves theirs.
    state.refreshed_at = state.refreshed_at + _TICK if state.refreshed_at else None
    state.save(update_fields=["started_at", "refreshed_at", "entries", "truncated"])


def made(access: Access, entry: providers.Entry) -> None:
    """Keep a secret that was made."""
    change(access, lambda state: inventory.bring_in_one(state, entry))


def changed(access: Access, name: str) -> None:
    """Keep that a secret has a new version."""
    change(access, lambda state: _update(access, name, changed_at=timezone.now()))


def tagged(access: Access, name: str, tags: dict[str, str]) -> None:
    """Keep tags that were added to a secret."""

    def act(state: InventoryState) -> None:
        entry = InventoryEntry.objects.filter(access=access, name=name).first()
        if entry is not None:
            _update(access, name, tags={**entry.tags, **tags})

    change(access, act)


def deleted(access: Access, name: str, until: datetime.datetime | None) -> None:
    """Keep until when a deleted secret can be brought back, or take it away where it cannot."""

    def act(state: InventoryState) -> None:
        if until is not None:
            _update(access, name, deletes_at=until)
            return
        gone, _ = InventoryEntry.objects.filter(access=access, name=name).delete()
        state.entries = max(0, state.entries - gone)

    change(access, act)


def restored(access: Access, name: str) -> None:
    """Keep that a secret is there again."""
    change(access, lambda state: _update(access, name, deletes_at=None))


def _update(access: Access, name: str, **values: object) -> None:
    InventoryEntry.objects.filter(access=access, name=name).update(**values)
