"""Fetching what a URL names, always within the request's organization."""

import uuid
from typing import Any

from django.db.models import Q
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.urls import reverse

from accesses.models import Access
from accounts.access import OrgRequest
from accounts.roles import Permission
from clusters.models import Cluster, Service
from external_secrets import placing
from external_secrets.limits import Limits
from external_secrets.models import ExternalSecret, InventoryEntry

# What a page of a link says of it, without a query more for each.
RELATED = (
    "access__cluster__organization",
    "variant",
    "service__cluster",
    "cluster__organization",
    "alias_of",
)


def as_uuid(text: str) -> uuid.UUID:
    """Return an id from a query string; what is none leads nowhere."""
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise Http404 from error


def access(request: OrgRequest, wanted: str, permission: Permission) -> Access:
    """Return an access on which something may be done, in one of its namespaces at least, or answer 404."""
    owned = Access.objects.within(request.organization, request.authority, permission)
    return get_object_or_404(owned.select_related("cluster__organization"), pk=as_uuid(wanted))


def service(request: OrgRequest, wanted: str, permission: Permission) -> Service | None:
    """Return a service in whose namespace something may be done, None when none is named, or answer 404."""
    if not wanted:
        return None
    owned = Service.objects.within(request.organization, request.authority, permission)
    return get_object_or_404(owned.select_related("cluster__organization"), pk=as_uuid(wanted))


def link(request: OrgRequest, wanted: Any, permission: Permission) -> ExternalSecret:
    """Return a link with which something may be done, with what belongs to it, or answer 404."""
    owned = ExternalSecret.objects.within(request.organization, request.authority, permission)
    return get_object_or_404(owned.select_related(*RELATED), pk=as_uuid(str(wanted)))


def limits(request: OrgRequest, cluster: Cluster) -> Limits | None:
    """Return the limits within which the one who asks may link on a cluster, None where there are none."""
    return Limits.of(request.authority, cluster)


def around(request: OrgRequest, access: Access, link: ExternalSecret | None = None) -> list[Service]:
    """Return the services of an access's cluster to which one may link; of a link that is edited also one that is gone."""
    there = Q(gone_at=None)
    if link is not None and link.service_id:
        there |= Q(pk=link.service_id)
    reached = access.cluster.services.inside(request.authority, Permission.EXTERNAL_SECRET_MANAGE)
    found = list(reached.filter(there))
    for service in found:
        service.cluster = access.cluster
    return found


def named_by(request: OrgRequest, access: Access, reference: str) -> InventoryEntry | None:
    """Return the name that a reference is of, where it may be known."""
    reached = InventoryEntry.objects.inside(request.authority, Permission.EXTERNAL_SECRET_MANAGE)
    return reached.filter(access=access, reference=reference).first()


def place_url(request: OrgRequest, place: placing.Place) -> str:
    """Return the page of a place: the service's, or the namespace's."""
    kwargs: dict[str, Any] = {"org": request.organization.slug, "cluster": place.cluster.name}
    if place.service is not None:
        return reverse("external_secrets:service", kwargs=kwargs | {"service": place.service.pk})
    return reverse("external_secrets:namespace", kwargs=kwargs | {"namespace": place.namespace})
