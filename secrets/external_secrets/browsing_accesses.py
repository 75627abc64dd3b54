"""The accesses whose names can be browsed, and how fresh what is known of each is."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.db import connection

from accounts.models import Organization
from external_secrets import inventory
from external_secrets.models import InventoryState

_STATE = (
    "asked_at", "started_at", "read_at", "refreshed_at", "entries", "seen", "truncated",
    "cause", "permission", "error", "remedy",
)  # fmt: skip

# By hand: this is asked at each keystroke, and building it would take three times as long as asking it.
_LISTED = f"""
SELECT access.id, access.name, cluster.name, {", ".join(f"state.{name}" for name in _STATE)}
FROM accesses_access AS access
JOIN clusters_cluster AS cluster ON cluster.id = access.cluster_id
LEFT JOIN external_secrets_inventorystate AS state ON state.access_id = access.id
WHERE cluster.organization_id = %(organization)s
  AND (%(cluster)s::uuid IS NULL OR cluster.id = %(cluster)s::uuid)
ORDER BY cluster.name, access.name
"""  # noqa: S608  our own column names


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
    with connection.cursor() as cursor:
        cursor.execute(_LISTED, {"organization": organization.pk, "cluster": cluster})
        return [Listed(pk, name, at, _state(pk, facts)) for pk, name, at, *facts in cursor.fetchall()]


def _state(pk: uuid.UUID, facts: list[Any]) -> InventoryState:
    """Return the state; of an access that was never asked for there is none, and all of its facts are None."""
    known = {name: fact for name, fact in zip(_STATE, facts, strict=True) if fact is not None}
    return InventoryState(access_id=pk, **known)
