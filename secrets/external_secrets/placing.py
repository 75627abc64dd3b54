"""Where a link goes, who is there, and whether an access may be used there."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from accesses.models import Access
from clusters.models import Cluster, Service
from external_secrets.limits import Limits
from external_secrets.models import ExternalSecret


@dataclass(frozen=True, slots=True)
class Place:
    """Where a link goes. Without a service it is every service of the namespace, without a container every container."""

    cluster: Cluster
    namespace: str
    service: Service | None = None
    container: str = ""
    # Those of the one who brings something there, where there are any.
    limits: Limits | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, service: Service, container: str = "", limits: Limits | None = None) -> "Place":
        return cls(service.cluster, service.namespace, service, container, limits)

    @classmethod
    def of_link(cls, link: ExternalSecret) -> "Place":
        return cls(link.cluster, link.namespace, link.service, link.container)

    def __str__(self) -> str:
        return str(self.service) if self.service else f"namespace {self.namespace}"

    @property
    def words(self) -> str:
        """As the beginning of a sentence: `The container web of shop/api`, `Every service of shop`."""
        whole = str(self.service) if self.service else f"every service of {self.namespace}"
        if self.container:
            return f"The container {self.container} of {whole}"
        if self.service and len(self.service.containers) > 1:
            return f"Every container of {whole}"
        return whole[:1].upper() + whole[1:] if not self.service else whole

    def services(self) -> list[Service]:
        """Return the services that are there, by one query for a namespace."""
        if self.service is not None:
            return [self.service]
        return list(self.cluster.services.filter(namespace=self.namespace, gone_at=None))


def why_not(access: Access, place: Place) -> str:
    """Return why an access may not be used there, or not by the one who would, or an empty string when it may."""
    if place.cluster.pk != access.cluster_id:
        return f"{place} is on another cluster than {access}"
    if place.service and (place.service.cluster_id, place.service.namespace) != (
        place.cluster.pk,
        place.namespace,
    ):
        return f"{place.service} is not in the namespace {place.namespace} of {place.cluster}"
    if place.namespace not in access.namespaces:
        return f"{access} is not open to the namespace {place.namespace}"
    return place.limits.why_not(place.namespace) if place.limits else ""


def columns(place: Place) -> dict[str, Any]:
    """Return a place as columns of a link."""
    return {
        "cluster": place.cluster,
        "namespace": place.namespace,
        "service": place.service,
        "container": place.container,
    }


def losers(links: Iterable[ExternalSecret]) -> list[Service]:
    """Return the services that get something from these links of one namespace, in order."""
    links = list(links)
    if any(link.service_id is None for link in links):
        one = links[0]
        return list(one.cluster.services.filter(namespace=one.namespace, gone_at=None))
    found = {link.service_id: link.service for link in links if link.service is not None}
    return sorted(found.values(), key=str)
