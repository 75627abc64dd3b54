"""“Go to…”: the pages, clusters, services and credentials whose name holds what was typed."""

from typing import Any

from django.http import HttpResponse
from django.urls import reverse

from accounts.access import OrgRequest, org_view
from accounts.roles import Permission
from clusters.models import Cluster, Service
from config import context, pages, palette_pages
from credentials.models import CloudCredential

LIMIT = 8


@org_view(Permission.ORGANIZATION_VIEW)
def go_to(request: OrgRequest) -> HttpResponse:
    """List links for the palette, at most eight of each kind."""
    typed = request.GET.get("q", "").strip().lower()[:100]
    org = request.organization.slug
    results: list[dict[str, Any]] = [
        {"label": entry["label"], "hint": "Page", "url": entry["url"], "icon": entry["icon"]}
        for entry in context.shell(request)["nav"]
        if typed in entry["label"].lower()
    ]
    results += palette_pages.found(request, org, typed)
    clusters = Cluster.objects.within(request.organization, request.authority, Permission.CLUSTER_VIEW)
    for cluster in clusters.filter(name__icontains=typed)[:LIMIT]:
        url = reverse("clusters:overview", kwargs={"org": org, "cluster": cluster.name})
        results.append({"label": cluster.name, "hint": "Cluster", "url": url, "icon": "server"})
    if request.allows(Permission.CREDENTIAL_VIEW):
        results += _credentials(request, typed)
    # A result leads to the page of a service, and that shows its links.
    services = Service.objects.within(
        request.organization, request.authority, Permission.EXTERNAL_SECRET_VIEW
    ).select_related("cluster")
    for service in services.filter(gone_at=None, name__icontains=typed)[:LIMIT] if typed else ():
        url = reverse(
            "external_secrets:service",
            kwargs={"org": org, "cluster": service.cluster.name, "service": service.pk},
        )
        hint = f"Service in {service.cluster.name}"
        results.append({"label": str(service), "hint": hint, "url": url, "icon": "box"})
    return pages.render_page(request, "palette.html", {"results": results, "q": typed}, part="results")


def _credentials(request: OrgRequest, typed: str) -> list[dict[str, Any]]:
    owned = CloudCredential.objects.within(
        request.organization, request.authority, Permission.CREDENTIAL_VIEW
    )
    found = owned.filter(name__icontains=typed)[:LIMIT] if typed else ()
    return [
        {
            "label": one.name,
            "hint": "Credential",
            "url": reverse(
                "credentials:detail", kwargs={"org": request.organization.slug, "credential": one.name}
            ),
            "icon": "id-card",
        }
        for one in found
    ]
