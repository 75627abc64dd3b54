"""“Go to…”: the pages, clusters, services and accesses whose name holds what was typed."""

from typing import Any

from django.http import HttpResponse
from django.urls import reverse

from accounts.access import OrgRequest, org_view
from accounts.roles import Permission
from clusters.models import Cluster, Service
from config import context, pages

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
    for cluster in Cluster.objects.owned_by(request.organization).filter(name__icontains=typed)[:LIMIT]:
        url = reverse("clusters:overview", kwargs={"org": org, "cluster": cluster.name})
        results.append({"label": cluster.name, "hint": "Cluster", "url": url, "icon": "server"})
    services = Service.objects.owned_by(request.organization).filter(gone_at=None).select_related("cluster")
    for service in services.filter(name__icontains=typed)[:LIMIT] if typed else ():
        url = reverse(
            "external_secrets:service",
            kwargs={"org": org, "cluster": service.cluster.name, "service": service.pk},
        )
        hint = f"Service in {service.cluster.name}"
        results.append({"label": str(service), "hint": hint, "url": url, "icon": "box"})
    return pages.render_page(request, "palette.html", {"results": results, "q": typed}, part="results")
