"""Linking a secret to a service, removing a link, asking for an inventory."""

import logging
import re
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from accesses.models import Access
from accounts.audit import services as audit
from accounts.models import User
from clusters import services as cluster_services
from clusters.models import Service
from external_secrets import tasks
from external_secrets.models import ExternalSecret, InventoryState

logger = logging.getLogger(__name__)


class Clash(Exception):
    """The container already has a variable of that name. `str()` says where that one comes from."""


class NotAllowed(Exception):
    """The access may not be used by the service. `str()` says why."""


def why_not(access: Access, service: Service) -> str:
    """Return why a service may not use an access, or an empty string when it may."""
    if service.cluster_id != access.cluster_id:
        return f"{service} is on another cluster than {access}"
    if service.namespace not in access.namespaces:
        return f"{access} is not open to the namespace {service.namespace}"
    return ""


def clash_with(service: Service, container: str, variable: str) -> str:
    """Return where the container's variable of that name comes from, or an empty string when there is none.

    What an earlier deploy of ours put there is no clash: the next deploy replaces it.
    """
    other = ExternalSecret.objects.filter(service=service, container=container, variable=variable).first()
    if other is not None:
        return f"the secret {other.key}, which is linked already"
    found = service.container(container) or {}
    for entry in found.get("env", []):
        if entry["name"] == variable and not _is_ours(entry["source"], variable):
            return str(entry["source"])
    return ""


def _is_ours(source: str, variable: str) -> bool:
    words = ExternalSecret(variable=variable).object_name.rpartition("-")[0]
    return bool(re.fullmatch(rf"secret {re.escape(words)}-[0-9a-f]{{8}}/{re.escape(variable)}", source))


@transaction.atomic
def link(*, service: Service, access: Access, by: User, values: dict[str, Any]) -> ExternalSecret:
    """Link a secret to a variable of a service; the cluster's next deploy brings it there.

    `values` holds key, container, variable, and maybe json_field, version, refresh_seconds.

    :raises Clash: the container has the variable already
    :raises NotAllowed: the access is of another cluster, or not open to the service's namespace
    """
    refusal = why_not(access, service)
    if refusal:
        raise NotAllowed(f"{refusal}.")
    source = clash_with(service, values["container"], values["variable"])
    if source:
        raise Clash(clash_text(values, source))
    try:
        with transaction.atomic():
            made = ExternalSecret.objects.create(service=service, access=access, **values)
    except IntegrityError as error:
        raise Clash(clash_text(values, "another link, made a moment ago")) from error
    # The cluster before the audit log, as everywhere, so that no two wait for each other.
    cluster_services.changed(service.cluster)
    organization = service.cluster.organization
    details = {**values, "access": access.name, "cluster": service.cluster.name}
    audit.record(
        organization=organization, by=by, action="external_secret.linked", target=made, details=details
    )
    return made


def clash_text(values: dict[str, Any], source: str) -> str:
    """Return the sentence that says which variable is there already, and where it comes from."""
    return f"The container {values['container']} already has {values['variable']}, from {source}."


@transaction.atomic
def unlink(*, link: ExternalSecret, by: User) -> None:
    """Remove a link; the cluster's next deploy takes the variable and the Secret away."""
    cluster = link.service.cluster
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
