"""The accesses whose names can be browsed, and how fresh what is known of each is."""

import uuid
from dataclasses import dataclass
from typing import Any

from accesses.models import Access
from accounts.models import Organization
from external_secrets import inventory
from external_secrets.models import InventoryState

_STATE = (
    "asked_at", "started_at", "read_at", "refreshed_at", "entries", "seen", "truncated",
    "cause", "permission", "error", "remedy",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Listed:
    """An access as a list names it. It is no `Access`: nobody decrypts a credential for a list."""

    pk: uuid.UUID
    name: str
    cluster: str
    # What is known of its names; unsaved, and never to be saved.
    state: InventoryState

    @property
    def short(self) -> str:
        """The beginning of its id, which tells it apart from the organization's others."""
        return self.pk.hex[:8]

    @property
    def is_pending(self) -> bool:
        """Whether its names are being read."""
        return inventory.is_pending(self.state)

    def __str__(self) -> str:
        return f"{self.name} on {self.cluster}"


def listed(organization: Organization, cluster: uuid.UUID | None = None) -> list[Listed]:
    """Return the organization's accesses, or a cluster's, by cluster and name, with one query."""
    owned = Access.objects.owned_by(organization)
    found = owned.filter(cluster=cluster) if cluster else owned
    columns = ("pk", "name", "cluster__name", *(f"inventory_state__{name}" for name in _STATE))
    return [
        Listed(pk, name, cluster_name, _state(pk, facts))
        for pk, name, cluster_name, *facts in found.order_by("cluster__name", "name").values_list(*columns)
    ]


def _state(pk: uuid.UUID, facts: list[Any]) -> InventoryState:
    """Return the state; of an access that was never asked for there is none, and all of its facts are None."""
    known = {name: fact for name, fact in zip(_STATE, facts, strict=True) if fact is not None}
    return InventoryState(access_id=pk, **known)
