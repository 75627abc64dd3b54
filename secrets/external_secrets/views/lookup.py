"""Fetching what a URL names, always within the request's organization."""

import uuid
from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.urls import reverse

from accesses.models import Access
from accounts.access import OrgRequest
from clusters.models import Service
from external_secrets import placing
from external_secrets.models import ExternalSecret

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


def access(request: OrgRequest, wanted: str) -> Access:
    """Return one of the organization's accesses, or answer 404."""
    owned = Access.objects.owned_by(request.organization).select_related("cluster__organization")
    return get_object_or_404(owned, pk=as_uuid(wanted))


def service(request: OrgRequest, wanted: str) -> Service | None:
    """Return one of the organization's services, None when none is named, or answer 404."""
    if not wanted:
        return None
    owned = Service.objects.owned_by(request.organization).select_related("cluster__organization")
    return get_object_or_404(owned, pk=as_uuid(wanted))


def link(request: OrgRequest, wanted: Any) -> ExternalSecret:
    """Return one of the organization's links with what belongs to it, or answer 404."""
    owned = ExternalSecret.objects.owned_by(request.organization).select_related(*RELATED)
    return get_object_or_404(owned, pk=as_uuid(str(wanted)))


def place_url(request: OrgRequest, place: placing.Place) -> str:
    """Return the page of a place: the service's, or the namespace's."""
    kwargs: dict[str, Any] = {"org": request.organization.slug, "cluster": place.cluster.name}
    if place.service is not None:
        return reverse("external_secrets:service", kwargs=kwargs | {"service": place.service.pk})
    return reverse("external_secrets:namespace", kwargs=kwargs | {"namespace": place.namespace})
