"""Fetching what a URL names, always within the request's organization."""

import uuid

from django.http import Http404
from django.shortcuts import get_object_or_404

from accesses.models import Access
from accounts.access import OrgRequest
from clusters.models import Service


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
