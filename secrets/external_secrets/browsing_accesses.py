"""The accesses whose names can be browsed, and how fresh what is known of each is."""

import datetime
import uuid
from dataclasses import dataclass

from accesses.models import Access
from accounts.models import Organization
from external_secrets import inventory
from external_secrets.models import InventoryState

_COLUMNS = (
    "pk", "name", "cluster__name", "inventory_state__read_at", "inventory_state__asked_at",
    "inventory_state__started_at", "inventory_state__entries", "inventory_state__error",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Listed:
    """An access as a list names it. It is no `Access`: nobody decrypts a credential for a list."""

    pk: uuid.UUID
    name: str
    cluster: str
    read_at: datetime.datetime | None
    asked_at: datetime.datetime | None
    started_at: datetime.datetime | None
    entries: int | None
    error: str | None

    @property
    def short(self) -> str:
        """The beginning of its id, which tells it apart from the organization's others."""
        return self.pk.hex[:8]

    @property
    def is_pending(self) -> bool:
        """Whether its names are being read."""
        return inventory.is_pending(InventoryState(asked_at=self.asked_at, started_at=self.started_at))

    def __str__(self) -> str:
        return f"{self.name} on {self.cluster}"


def listed(organization: Organization, cluster: uuid.UUID | None = None) -> list[Listed]:
    """Return the organization's accesses, or a cluster's, by cluster and name, with one query."""
    owned = Access.objects.owned_by(organization)
    found = owned.filter(cluster=cluster) if cluster else owned
    return [Listed(*row) for row in found.order_by("cluster__name", "name").values_list(*_COLUMNS)]
