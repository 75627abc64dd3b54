"""The organization's links: which secret is which variable of which service, and whether it is in sync."""

import uuid
from typing import Any

from django.db.models import Q
from django.http import HttpResponse
from django.utils.http import urlencode

from accounts.access import OrgRequest, org_view
from accounts.roles import Permission, who_may
from clusters.models import Cluster
from config import pages
from external_secrets.forms import LinkedFilter
from external_secrets.models import ExternalSecret, ExternalSecretQuerySet

PAGE = 50


def _filtered(links: ExternalSecretQuerySet, wanted: dict[str, Any]) -> ExternalSecretQuerySet:
    text = wanted.get("q", "")
    if text:
        links = links.filter(
            Q(variable__icontains=text) | Q(key__icontains=text) | Q(service__name__icontains=text)
        )
    if wanted.get("status"):
        links = links.filter(status=wanted["status"])
    if wanted.get("cluster"):
        links = links.filter(cluster=wanted["cluster"])
    return links


def _after(links: ExternalSecretQuerySet, cursor: str) -> ExternalSecretQuerySet:
    """Keep what follows the cursor, a variable and an id; a broken one begins at the top."""
    variable, _, link = cursor.replace("\x00", "").partition(":")
    try:
        last = uuid.UUID(link)
    except ValueError:
        return links
    return links.filter(Q(variable__gt=variable) | Q(variable=variable, pk__gt=last))


@org_view(Permission.EXTERNAL_SECRET_VIEW)
def linked(request: OrgRequest) -> HttpResponse:
    """List the links, filtered by what the URL says, 50 at a time."""
    clusters = Cluster.objects.owned_by(request.organization)
    form = LinkedFilter(clusters, request.GET)
    form.is_valid()
    wanted = form.cleaned_data
    owned = ExternalSecret.objects.owned_by(request.organization)
    found = _filtered(owned, wanted)
    after = request.GET.get("after", "")
    related = (
        _after(found, after)
        .select_related("service__cluster", "cluster", "access")
        .order_by("variable", "pk")
    )
    rows = list(related[: PAGE + 1])
    kept = {name: request.GET[name] for name in ("q", "status", "cluster") if request.GET.get(name)}
    more = (
        urlencode(kept | {"after": f"{rows[PAGE - 1].variable}:{rows[PAGE - 1].pk}"}) if rows[PAGE:] else ""
    )
    context = {
        "rows": rows[:PAGE],
        "total": found.count(),
        "more": f"?{more}" if more else "",
        "filters": kept,
        "clusters": list(clusters),
        "statuses": ExternalSecret.Status.choices,
        "tab": "linked",
        "can_browse": request.allows(Permission.SECRET_BROWSE),
        "can_link": request.allows(Permission.EXTERNAL_SECRET_MANAGE),
        "who_may_browse": who_may(Permission.SECRET_BROWSE),
    }
    part = "more" if after else "results"
    return pages.render_page(request, "external_secrets/linked.html", context, part=part)
