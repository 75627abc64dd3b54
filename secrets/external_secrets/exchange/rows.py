"""One link that taking over would make, and what the console knows of the cluster around it."""

import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from accesses.models import Access
from clusters.models import Cluster, Service
from external_secrets import inside, services
from external_secrets.exchange.reading import Foreign, Reference
from external_secrets.exchange.stores import Match, Store
from external_secrets.exchange.uses import Use
from external_secrets.limits import Limits
from external_secrets.models import ExternalSecret


class State(StrEnum):
    """What taking over would do."""

    NEW = "new"
    EQUAL = "equal"
    CHANGED = "changed"
    PLACELESS = "needs a place"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class Choice:
    """A store, the accesses that may stand for it, and the one that does."""

    store: Store
    matches: list[Match]
    chosen: Match | None


@dataclass(frozen=True, slots=True)
class Row:
    """One link that would be made, or why it cannot be."""

    foreign: Foreign
    state: State
    reference: Reference | None = None
    use: Use | None = None
    place: services.Place | None = None
    match: Match | None = None
    values: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    # The workload has it from the Secret that is taken over: a deploy asks before it overwrites that.
    takes_over: bool = False
    link: ExternalSecret | None = None
    # Of several rows that share one external secret, the token of the first.
    alias_of: str = ""
    original: ExternalSecret | None = None
    # Of several values, the keys that are used one by one now.
    keys: tuple[str, ...] = ()

    @property
    def token(self) -> str:
        """What names the row in a form, as long as nothing of it changes."""
        place = (
            (self.place.namespace, str(self.place.service and self.place.service.pk), self.place.container)
            if self.place
            else ()
        )
        access = str(self.match.access.pk) if self.match else ""
        content = [self.foreign.id, place, access, self.values, str(self.reference), str(self.use)]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:20]

    @property
    def can_take(self) -> bool:
        return self.state in (State.NEW, State.CHANGED)


class World:
    """What the console knows of a cluster, read with a constant number of queries."""

    def __init__(self, cluster: Cluster, limits: Limits | None = None) -> None:
        self.cluster, self.limits = cluster, limits
        accesses = Access.objects.filter(cluster=cluster).order_by("name")
        self.accesses = [one for one in accesses if any(map(self.opens, one.namespaces))]
        found = Service.objects.filter(cluster=cluster, gone_at=None)
        self.services: dict[tuple[str, str, str], Service] = {}
        self.of_namespace: dict[str, list[Service]] = {}
        for service in found:
            if not self.opens(service.namespace):
                continue
            service.cluster = cluster
            self.services[service.kind, service.namespace, service.name] = service
            self.of_namespace.setdefault(service.namespace, []).append(service)
        self.variables: dict[tuple[Any, ...], ExternalSecret] = {}
        self.paths: dict[tuple[Any, ...], ExternalSecret] = {}
        links = ExternalSecret.objects.filter(cluster=cluster).select_related("access", "variant", "service")
        for link in links:
            place = (link.namespace, link.service_id, link.container)
            if link.path:
                self.paths[*place, link.path] = link
            else:
                self.variables[*place, link.variable] = link

    def opens(self, namespace: str) -> bool:
        """Tell whether the one who looks may link something in a namespace."""
        return self.limits is None or self.limits.opens(namespace)

    def why_not(self, access: Access, place: services.Place, values: dict[str, Any]) -> str:
        """Return why such a link may not be made, before anything is compared with what is there."""
        shut = services.why_not(access, place)
        wrong = self.limits.wrong([place.namespace], values) if self.limits else None
        wrong = wrong or inside.wrong(access, values)
        return f"{shut}." if shut else wrong[1] if wrong else ""

    def link_at(self, place: services.Place, values: dict[str, Any]) -> ExternalSecret | None:
        where = (place.namespace, place.service.pk if place.service else None, place.container)
        found = self.paths if values["path"] else self.variables
        return found.get((*where, values["path"] or values["variable"]))
