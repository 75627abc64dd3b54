"""What an open door to a cluster shows: its version, who we are there, where it is, what we may do."""

from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from clusters import kubernetes, permissions, places


@dataclass(frozen=True, slots=True)
class Trial:
    """What a test of a connection found."""

    server: str
    version: str
    identity: str
    permissions: list[dict[str, Any]] = field(default_factory=list)
    place: places.Place = field(default_factory=places.Place)

    @property
    def denied(self) -> list[dict[str, Any]]:
        return [entry for entry in self.permissions if not entry["allowed"]]


def try_connection(reduced: str, operator_namespace: str = "") -> Trial:
    """Reach a cluster by a reduced kubeconfig and say what it is, who we are there and what we may do.

    :raises kubernetes.ClusterError: it cannot be reached, or does not know us
    """
    return look_around(kubernetes.connect_text(reduced), operator_namespace)


def look_around(door: kubernetes.Door, operator_namespace: str = "") -> Trial:
    """Say by an open door what the cluster is, who we are there and what we may do."""
    version = door.version()
    return Trial(
        server=door.host,
        version=version,
        identity=door.whoami(),
        place=places.find(door, version),
        permissions=permissions.review(door, operator_namespace or settings.OPERATOR_NAMESPACE),
    )
