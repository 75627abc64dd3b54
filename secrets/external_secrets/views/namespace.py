"""One namespace: what every service of it gets, and who does not because it has something narrower."""

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404

from accesses.models import Access
from accounts.access import OrgRequest, org_view, require
from accounts.roles import Permission
from clusters.models import Cluster, Look, Service
from config import pages
from external_secrets import costs, wanted
from external_secrets.models import ExternalSecret
from external_secrets.views import rows


def _reached(services: list[Service], links: list[ExternalSecret]) -> dict[Any, dict[str, list[str]]]:
    """Return of each namespace-wide link which services get it, and which have something that wins, by its id."""
    found: dict[Any, dict[str, list[str]]] = {link.pk: {"gets": [], "hidden": []} for link in links}
    for service in services:
        given: dict[Any, bool] = {}
        for one in wanted.for_service(service, links):
            given[one.link.pk] = given.get(one.link.pk, False) or one.wins
        for link, wins in given.items():
            found[link]["gets" if wins else "hidden"].append(service.name)
    return found


@org_view(Permission.EXTERNAL_SECRET_VIEW)
def show(request: OrgRequest, cluster: str, namespace: str) -> HttpResponse:
    """Show a namespace: its namespace-wide links and who gets them, and its services."""
    may = (request.authority, Permission.EXTERNAL_SECRET_VIEW)
    require(request, may[1], cluster=cluster, namespace=namespace)
    owned = Cluster.objects.within(request.organization, *may).select_related("organization")
    found = get_object_or_404(owned, name=cluster)
    services = list(found.services.filter(namespace=namespace, gone_at=None))
    links = rows.links_of(request, found, namespace)
    accesses = list(Access.objects.filter(cluster=found, namespaces__contains=[namespace]).order_by("name"))
    if not (services or links or accesses):
        raise Http404
    everywhere = [link for link in links if link.service_id is None]
    reached = _reached(services, links)
    counts: dict[Any, int] = {}
    for link in links:
        counts[link.service_id] = counts.get(link.service_id, 0) + 1
    context = rows.context(request, found, namespace) | {
        "namespace": namespace,
        "accesses": accesses,
        "rows": [
            row | {"reached": reached[row["link"].pk]}
            for row in rows.rows(request, everywhere, Look.objects.filter(cluster=found).first())
        ],
        "services": [(service, counts.get(service.pk, 0)) for service in services],
        "cost": costs.total(everywhere),
    }
    return pages.render_page(request, "external_secrets/namespace.html", context)
