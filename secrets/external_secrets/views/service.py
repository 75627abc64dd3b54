"""One service: its containers, their variables and where these come from, and its links."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404

from accounts.access import OrgRequest, org_view
from accounts.roles import Permission, who_may
from clusters.models import Look, Service
from clusters.views import clusters
from config import pages
from external_secrets.models import ExternalSecret


def _containers(service: Service, links: list[ExternalSecret]) -> list[dict[str, Any]]:
    """Return each container with its variables as discovered, ours marked, and those that a deploy will add."""
    containers = []
    for container in service.containers:
        ours = {link.variable: link for link in links if link.container == container["name"]}
        found = [entry | {"link": ours.get(entry["name"])} for entry in container.get("env", [])]
        there = {entry["name"] for entry in found}
        coming = [link for variable, link in ours.items() if variable not in there]
        containers.append(container | {"variables": found, "coming": coming})
    return containers


def _row(link: ExternalSecret, look: Look | None) -> dict[str, Any]:
    return {
        "link": link,
        "foreign": look.of(link.object_name) if look else [],
        "events": link.events[::-1],
    }


@org_view(Permission.EXTERNAL_SECRET_VIEW)
def show(request: OrgRequest, cluster: str, service: Any) -> HttpResponse:
    """Show a service, its variables and its links."""
    owned = Service.objects.owned_by(request.organization).select_related("cluster__organization")
    found = get_object_or_404(owned, pk=service, cluster__name=cluster)
    links = list(found.external_secrets.select_related("access"))
    look = Look.objects.filter(cluster=found.cluster).first()
    context = {
        "service": found,
        "cluster": found.cluster,
        "containers": _containers(found, links),
        "rows": [_row(link, look) for link in links],
        "banner": clusters.banner(found.cluster),
        "can_link": request.allows(Permission.EXTERNAL_SECRET_MANAGE),
        "can_browse": request.allows(Permission.SECRET_BROWSE),
        "can_deploy": request.allows(Permission.DEPLOY_RUN),
        "who_may_link": who_may(Permission.EXTERNAL_SECRET_MANAGE),
    }
    return pages.render_page(request, "external_secrets/service.html", context)
