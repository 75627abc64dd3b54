"""Linking a secret to a service, removing a link, asking for an inventory."""

import logging
import re
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from accesses.models import Access
from accounts.audit import services as audit
from accounts.models import User
from clusters import services as cluster_services
from clusters.models import Cluster, Service
from external_secrets import tasks
from external_secrets.models import ExternalSecret, InventoryState

logger = logging.getLogger(__name__)


class Clash(Exception):
    """The container already has a variable of that name. `str()` says where that one comes from."""


class NotAllowed(Exception):
    """The access may not be used by the service. `str()` says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a link goes. Without a service it is every service of the namespace, without a container every container."""

    cluster: Cluster
    namespace: str
    service: Service | None = None
    container: str = ""

    @classmethod
    def of(cls, service: Service, container: str = "") -> "Place":
        return cls(service.cluster, service.namespace, service, container)

    def __str__(self) -> str:
        return str(self.service) if self.service else f"namespace {self.namespace}"


def why_not(access: Access, place: Place) -> str:
    """Return why an access may not be used there, or an empty string when it may."""
    if place.cluster.pk != access.cluster_id:
        return f"{place} is on another cluster than {access}"
    if place.namespace not in access.namespaces:
        return f"{access} is not open to the namespace {place.namespace}"
    return ""


def clash_with(place: Place, variable: str) -> str:
    """Return where the variable of that name comes from there, or an empty string when there is none.

    What an earlier deploy of ours put there is no clash: the next deploy replaces it.
    """
    links = ExternalSecret.objects.filter(cluster=place.cluster, namespace=place.namespace)
    other = links.filter(service=place.service, container=place.container, variable=variable).first()
    if other is not None:
        return f"the secret {other.key}, which is linked already"
    found = (place.service.container(place.container) if place.service else None) or {}
    for entry in found.get("env", []):
        if entry["name"] == variable and not _is_ours(entry["source"], variable):
            return str(entry["source"])
    return ""


def _is_ours(source: str, variable: str) -> bool:
    words = ExternalSecret(variable=variable).object_name.rpartition("-")[0]
    return bool(re.fullmatch(rf"secret {re.escape(words)}-[0-9a-f]{{8}}/{re.escape(variable)}", source))


@transaction.atomic
def link(
    *, access: Access, place: Place, by: User, values: dict[str, Any], takes_over: bool = False
) -> ExternalSecret:
    """Link a secret to a service or a namespace; the cluster's next deploy brings it there.

    `values` are columns of the link that say what it takes and as what it arrives. With `takes_over` only other
    links are in its way: what the workload itself has there the deploy asks about before it overwrites it.

    :raises Clash: there is such a variable or file already
    :raises NotAllowed: the access is of another cluster, or not open to the namespace
    """
    refusal = why_not(access, place)
    if refusal:
        raise NotAllowed(f"{refusal}.")
    source = clash_with(place, values["variable"]) if values.get("variable") and not takes_over else ""
    if source:
        raise Clash(clash_text(place, values, source))
    try:
        with transaction.atomic():
            made = ExternalSecret.objects.create(
                cluster=place.cluster,
                namespace=place.namespace,
                service=place.service,
                container=place.container,
                access=access,
                **values,
            )
    except IntegrityError as error:
        raise Clash(clash_text(place, values, "another link, made a moment ago")) from error
    # The cluster before the audit log, as everywhere, so that no two wait for each other.
    cluster_services.changed(place.cluster)
    details = {
        **_recorded(values),
        "container": place.container,
        "access": access.name,
        "cluster": place.cluster.name,
    }
    audit.record(
        organization=place.cluster.organization,
        by=by,
        action="external_secret.linked",
        target=made,
        details=details,
    )
    return made


def _recorded(values: dict[str, Any]) -> dict[str, Any]:
    """Return values as the audit log takes them: rows by their names."""
    plain = (str, int, bool, dict, list)
    return {name: value if isinstance(value, plain) else str(value or "") for name, value in values.items()}


def clash_text(place: Place, values: dict[str, Any], source: str) -> str:
    """Return the sentence that says which variable is there already, and where it comes from."""
    where = f"The container {place.container}" if place.container else str(place)
    return f"{where} already has {values['variable']}, from {source}."


@transaction.atomic
def unlink(*, link: ExternalSecret, by: User) -> None:
    """Remove a link; the cluster's next deploy takes the variable and the Secret away."""
    cluster = link.cluster
    cluster_services.changed(cluster)
    details = {
        "key": link.key,
        "variable": link.variable,
        "container": link.container,
        "access": link.access.name,
        "cluster": cluster.name,
    }
    audit.record(
        organization=cluster.organization,
        by=by,
        action="external_secret.unlinked",
        target=link,
        details=details,
    )
    link.delete()


def read_names(access: Access) -> None:
    """Ask a worker to read an access's names. With the broker away, the inventory's state says so."""
    InventoryState.objects.update_or_create(access=access, defaults={"asked_at": timezone.now()})
    try:
        tasks.read_inventory.delay(access_id=str(access.pk))
    except OperationalError:
        logger.warning("The broker is away; the inventory of access %s is not read.", access.pk)
        InventoryState.objects.filter(access=access).update(
            asked_at=None,
            error="No worker could be asked to read the names: the broker does not answer.",
            remedy="Start the broker, then refresh.",
            cause=InventoryState.Cause.FAILED,
            permission="",
        )
