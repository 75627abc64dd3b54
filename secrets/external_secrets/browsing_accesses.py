"""The accesses whose names can be browsed, and how fresh what is known of each is."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.db import connection

from accounts.authority import Authority
from accounts.limits import whole
from accounts.models import Organization
from accounts.roles import Permission
from external_secrets import inventory
from external_secrets.browsing_search import Scope
from external_secrets.models import ExternalSecretQuerySet, InventoryState

_STATE = (
    "asked_at", "started_at", "read_at", "refreshed_at", "entries", "seen", "truncated",
    "cause", "permission", "error", "remedy",
)  # fmt: skip

# By hand: this is asked at each keystroke, and building it would take three times as long as asking it.
_LISTED = f"""
SELECT access.id, access.name, cluster.name, {{namespaces}}, {", ".join(f"state.{name}" for name in _STATE)}
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
    # What those of its names begin with that may be seen.
    reach: tuple[str, ...] = whole

    @property
    def short(self) -> str:
        """The beginning of its id, which tells it apart from the organization's others."""
        return self.pk.hex[:8]

    @property
    def is_limited(self) -> bool:
        """Whether only some of its names may be seen."""
        return self.reach != whole

    @property
    def is_pending(self) -> bool:
        """Whether its names are being read."""
        return inventory.is_pending(self.state)

    def __str__(self) -> str:
        return f"{self.name} on {self.cluster}"


def listed(
    organization: Organization,
    authority: Authority,
    permission: Permission,
    cluster: uuid.UUID | None = None,
) -> list[Listed]:
    """Return the accesses, or a cluster's, on some names of which an act is allowed, by cluster and name, with one query."""
    everywhere = authority.everywhere(permission)
    query = _LISTED.format(namespaces="NULL" if everywhere else "access.namespaces")
    with connection.cursor() as cursor:
        cursor.execute(query, {"organization": organization.pk, "cluster": cluster})
        rows = cursor.fetchall()
    if everywhere:
        return [Listed(pk, name, at, _state(pk, facts)) for pk, name, at, _, *facts in rows]
    found = []
    for pk, name, at, namespaces, *facts in rows:
        reach = authority.prefixes(permission, cluster=at, namespaces=namespaces)
        if reach:
            found.append(Listed(pk, name, at, _state(pk, facts, reach), reach))
    return found


def scope(
    organization: Organization, authority: Authority, known: list[Listed], some: list[Listed] | None
) -> Scope:
    """Return whose names are looked at: those of some accesses, or with None of all that are known to be browsed."""
    if some is None and not authority.everywhere(Permission.SECRET_BROWSE):
        some = known
    reach = tuple((one.pk, one.reach) for one in some or () if one.is_limited)
    links = authority.limit(Permission.EXTERNAL_SECRET_VIEW, ExternalSecretQuerySet.paths)
    return Scope(organization.pk, None if some is None else tuple(one.pk for one in some), reach, links)


def _state(pk: uuid.UUID, facts: list[Any], reach: tuple[str, ...] = whole) -> InventoryState:
    """Return the state; of an access that was never asked for there is none, and all of its facts are None.

    Who may see some of the names only is not told how many there are.
    """
    known = {name: fact for name, fact in zip(_STATE, facts, strict=True) if fact is not None}
    if reach != whole:
        known |= {"entries": 0, "seen": 0}
    return InventoryState(access_id=pk, **known)
