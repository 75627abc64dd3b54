"""The services of a cluster."""

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpResponse

from accounts.access import OrgRequest, org_view
from accounts.authority import Paths
from accounts.roles import Permission
from clusters import kubernetes, services
from clusters.models import Cluster, Service
from clusters.models.clusters import ServiceQuerySet
from clusters.views import clusters
from config import pages

_LINKS = Paths(cluster="cluster__name", namespace="namespace", secret="external_secrets__key")


def _inside(request: OrgRequest, cluster: Cluster) -> ServiceQuerySet:
    """Return the cluster's services in the namespaces that may be seen."""
    return cluster.services.inside(request.authority, Permission.CLUSTER_VIEW)


def _linked(request: OrgRequest) -> Q:
    return request.authority.limit(Permission.EXTERNAL_SECRET_VIEW, _LINKS)


@org_view(Permission.CLUSTER_VIEW)
def index(request: OrgRequest, cluster: str) -> HttpResponse:
    """List a cluster's services, filtered by text, namespace and kind."""
    found = clusters.find(request, cluster)
    present = _inside(request, found).filter(gone_at=None)
    wanted = {name: request.GET.get(name, "").strip() for name in ("q", "namespace", "kind")}
    rows = present.filter(name__icontains=wanted["q"])
    for name in ("namespace", "kind"):
        rows = rows.filter(**{name: wanted[name]}) if wanted[name] else rows
    context = clusters.page_context(request, found, "services") | {
        "rows": rows.annotate(linked=Count("external_secrets", filter=_linked(request))),
        "wanted": wanted,
        "total": present.count(),
        "namespaces": list(present.order_by("namespace").values_list("namespace", flat=True).distinct()),
        "kinds": Service.Kind.values,
        "seen": present.order_by("-seen_at").values_list("seen_at", flat=True).first(),
    }
    return pages.render_page(request, "clusters/services.html", context, part="rows")


@org_view(Permission.CLUSTER_VIEW, methods=("POST",))
def refresh(request: OrgRequest, cluster: str) -> HttpResponse:
    """Discover the services anew."""
    found = clusters.find(request, cluster)
    try:
        services.refresh_services(found)
    except kubernetes.ClusterError as error:
        messages.error(request, f"{error.reason} {error.remedy}")
    else:
        count = _inside(request, found).filter(gone_at=None).count()
        pages.toast(request, f"{found.name} has {count} services.")
    return pages.go_to(request, request.path.removesuffix("refresh/"))
