"""One service: its containers, what each gets and what wins over what, and its links."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404

from accounts.access import OrgRequest, org_view
from accounts.roles import Permission
from clusters.models import Look, Service
from config import pages
from external_secrets import costs
from external_secrets.views import rows


@org_view(Permission.EXTERNAL_SECRET_VIEW)
def show(request: OrgRequest, cluster: str, service: Any) -> HttpResponse:
    """Show a service: what each container gets, its links and those of its namespace."""
    owned = Service.objects.within(request.organization, request.authority, Permission.EXTERNAL_SECRET_VIEW)
    found = get_object_or_404(
        owned.select_related("cluster__organization"), pk=service, cluster__name=cluster
    )
    around = rows.links_of(request, found.cluster, found.namespace)
    own = [link for link in around if link.service_id == found.pk]
    everywhere = [link for link in around if link.service_id is None]
    look = Look.objects.filter(cluster=found.cluster).first()
    context = rows.context(request, found.cluster, found.namespace) | {
        "service": found,
        "containers": rows.containers(request, found, [*own, *everywhere]),
        "rows": rows.rows(request, own, look),
        "everywhere": rows.rows(request, everywhere, look),
        "cost": costs.total(own),
    }
    return pages.render_page(request, "external_secrets/service.html", context)
