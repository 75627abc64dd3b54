"""The list of clusters, one cluster's overview and settings."""

from typing import Any

from django.db.models import Count, OuterRef, Prefetch, Q, Subquery
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from accounts.access import OrgRequest, org_view
from accounts.authority import Paths
from accounts.roles import Permission, who_may
from clusters import kubeconfig, kubernetes, services
from clusters.forms import CloudForm, DisconnectForm, ReplaceForm
from clusters.joining import ends
from clusters.models import Cluster, Deploy, Drift, Health, Look
from config import pages

# The pages of a cluster: tab, label, url name, and what whoever sees it may do.
TABS = (
    ("overview", "Overview", "clusters:overview", Permission.CLUSTER_VIEW),
    ("health", "Health", "clusters:health", Permission.CLUSTER_VIEW),
    ("services", "Services", "clusters:services", Permission.CLUSTER_VIEW),
    ("add-ons", "Add-ons", "accesses:add_ons", Permission.ACCESS_VIEW),
    ("found", "Found in the cluster", "external_secrets:found", Permission.EXTERNAL_SECRET_VIEW),
    ("changes", "Changes", "clusters:changes", Permission.DEPLOY_VIEW),
    ("deploys", "Deploys", "clusters:deploys", Permission.DEPLOY_VIEW),
    ("settings", "Settings", "clusters:settings", Permission.CLUSTER_MANAGE),
)


def find(request: OrgRequest, name: str) -> Cluster:
    """Return a cluster of which something may be seen by its name, or 404; the door asked for what the page does."""
    owned = Cluster.objects.within(request.organization, request.authority, Permission.CLUSTER_VIEW)
    return get_object_or_404(owned, name=name)


def page_context(request: OrgRequest, cluster: Cluster, tab: str) -> dict[str, Any]:
    """Return what clusters/header.html needs on every page of a cluster."""
    return {
        "cluster": cluster,
        "tab": tab,
        "drift": cluster.drift,
        "banner": banner(request, cluster),
        "ending": ends.notice(cluster),
        "tabs": _tabs(request, cluster),
        "can_deploy": request.allows(Permission.DEPLOY_RUN, cluster=cluster.name),
        "can_manage": request.allows(Permission.CLUSTER_MANAGE, cluster=cluster.name),
        "who_may_deploy": who_may(Permission.DEPLOY_RUN),
    }


def _tabs(request: OrgRequest, cluster: Cluster) -> list[tuple[str, str, str]]:
    """Return the pages of a cluster that may be seen, as (tab, label, address)."""
    kwargs = {"org": request.organization.slug, "cluster": cluster.name}
    return [
        (tab, label, reverse(name, kwargs=kwargs))
        for tab, label, name, permission in TABS
        if request.allows(permission, cluster=cluster.name)
    ]


def banner(request: OrgRequest, cluster: Cluster) -> dict[str, Any] | None:
    """Return what the banner of a cluster's pages says, or None when everything is deployed and as it should be.

    Deploys, and what they would change, are of every namespace: who may not see deploys sees no banner.
    """
    if not request.allows(Permission.DEPLOY_VIEW, cluster=cluster.name):
        return None
    coming = (Deploy.Status.SCHEDULED, Deploy.Status.QUEUED, Deploy.Status.RUNNING)
    # Running before queued before scheduled.
    under_way = (
        cluster.deploys.filter(status__in=coming).defer("snapshot").order_by("-started_at", "not_before")
    )
    found = sorted(under_way, key=lambda deploy: coming.index(deploy.status), reverse=True)
    look = Look.objects.filter(cluster=cluster).first()
    foreign = len(look.foreign) if look and cluster.deployed_generation is not None else 0
    changed = bool(cluster.generation) and cluster.drift != Drift.UP_TO_DATE
    if not (found or foreign or changed):
        return None
    return {"deploy": found[0] if found else None, "foreign": foreign, "changed": changed, "look": look}


_ACCESSES = Paths(cluster="name", namespaces="accesses__namespaces")
_SERVICES = Paths(cluster="name", namespace="services__namespace")


def _reach(request: OrgRequest, paths: Paths) -> Q:
    """Return what is counted of a cluster: what lies in the namespaces that may be seen."""
    return request.authority.limit(Permission.CLUSTER_VIEW, paths)


def _row(request: OrgRequest, cluster: Any) -> dict[str, Any]:
    """Return a cluster with its last deploy; whoever may not see deploys is not told that there was none."""
    may = request.allows(Permission.DEPLOY_VIEW, cluster=cluster.name)
    last = next(iter(cluster.newest_first), None) if may else None
    return {"cluster": cluster, "last": last, "sees_deploys": may, "status": _status(cluster)}


def _status(cluster: Any) -> str:
    """Return how a cluster is: one that answers may still not be well."""
    health = next(iter(cluster.health_now), None)
    degraded = health is not None and health.level == Health.Level.DEGRADED
    return health.level if degraded and cluster.status == Cluster.Status.READY else cluster.status


@org_view(Permission.CLUSTER_VIEW)
def index(request: OrgRequest) -> HttpResponse:
    """List the clusters, filtered by the text in the URL."""
    owned = Cluster.objects.within(request.organization, request.authority, Permission.CLUSTER_VIEW)
    wanted = request.GET.get("q", "").replace("\x00", "").strip()
    newest = Deploy.objects.filter(cluster=OuterRef("cluster")).order_by("-number").values("pk")[:1]
    deploys = Deploy.objects.filter(pk=Subquery(newest)).defer("snapshot")
    found = owned.filter(name__icontains=wanted).annotate(
        access_count=Count("accesses", filter=_reach(request, _ACCESSES), distinct=True),
        service_count=Count(
            "services", filter=Q(services__gone_at=None) & _reach(request, _SERVICES), distinct=True
        ),
    )
    health = Prefetch("health", Health.objects.filter(ended_at=None), to_attr="health_now")
    newest_first = Prefetch("deploys", deploys, to_attr="newest_first")
    rows = list(found.prefetch_related(newest_first, health))
    context = {
        "rows": [_row(request, row) for row in rows],
        "q": wanted,
        "total": owned.count(),
        "can_manage": request.allows(Permission.CLUSTER_MANAGE),
        "who_may_manage": who_may(Permission.CLUSTER_MANAGE),
    }
    return pages.render_page(request, "clusters/index.html", context, part="rows")


@org_view(Permission.CLUSTER_VIEW, methods=("GET", "POST"))
def overview(request: OrgRequest, cluster: str) -> HttpResponse:
    """Show what is known of a cluster; POST tests the connection now."""
    found = find(request, cluster)
    if request.method == "POST":
        services.check(found, by=request.user)
        return pages.go_to(request, request.path)
    may = (request.authority, Permission.CLUSTER_VIEW)
    there, accesses = found.services.inside(*may), found.accesses.inside(*may)
    deploys = request.allows(Permission.DEPLOY_VIEW, cluster=found.name)
    context = page_context(request, found, "overview") | {
        "denied": [entry for entry in found.permissions if not entry["allowed"]],
        "access_count": accesses.count(),
        "service_count": there.filter(gone_at=None).count(),
        "has_links": there.filter(external_secrets__isnull=False).exists(),
        "sees_accesses": request.allows(Permission.ACCESS_VIEW, cluster=found.name),
        "sees_deploys": deploys,
        "last_deploy": found.deploys.defer("snapshot").first() if deploys else None,
        "look": Look.objects.filter(cluster=found).first() if deploys else None,
        "health": found.health.filter(ended_at=None).first(),
    }
    return pages.render_page(request, "clusters/overview.html", context)


@org_view(Permission.CLUSTER_MANAGE, methods=("GET", "POST"), dangerous=True)
def settings(request: OrgRequest, cluster: str) -> HttpResponse:
    """Replace the kubeconfig, tested before it is stored."""
    found = find(request, cluster)
    form = ReplaceForm(request.POST, request.FILES) if request.method == "POST" else ReplaceForm()
    if form.is_valid():
        try:
            reduced = kubeconfig.reduce(form.cleaned_data["text"], form.cleaned_data["context"])
            services.replace_kubeconfig(
                cluster=found, reduced=reduced, seen_version=request.POST.get("seen", ""), by=request.user
            )
        except kubeconfig.SeveralContexts as error:
            form.add_error(
                "context",
                f"The kubeconfig has the contexts {', '.join(error.names)}. Name one, and paste it again.",
            )
        except kubeconfig.KubeconfigRefused as error:
            form.add_error("kubeconfig", str(error))
        except kubernetes.ClusterError as error:
            form.add_error(None, f"{error.reason} {error.remedy}")
        except services.Changed as error:
            form.add_error(None, str(error))
            found = find(request, cluster)
        else:
            pages.toast(request, f"{found.name} has a new kubeconfig.")
            return pages.go_to(request, request.path)
    return settings_page(request, found, form=form)


@org_view(Permission.CLUSTER_MANAGE, methods=("POST",), dangerous=True)
def disconnect(request: OrgRequest, cluster: str) -> HttpResponse:
    """Forget a cluster whose name was typed."""
    found = find(request, cluster)
    form = DisconnectForm(found.name, request.POST)
    if form.is_valid():
        try:
            services.disconnect(cluster=found, by=request.user)
        except services.Busy as error:
            form.add_error(None, str(error))
        else:
            pages.toast(request, f"{found.name} is disconnected. What was deployed there stays.")
            return pages.go_to(request, reverse("clusters:index", kwargs={"org": request.organization.slug}))
    return settings_page(request, found, disconnect_form=form)


def settings_page(
    request: OrgRequest,
    cluster: Cluster,
    *,
    form: ReplaceForm | None = None,
    cloud_form: CloudForm | None = None,
    disconnect_form: DisconnectForm | None = None,
) -> HttpResponse:
    """Show the settings, each card with its own form; 422 when one of them was sent and is here again."""
    shown: dict[str, Any] = {
        "form": form or ReplaceForm(),
        "cloud_form": cloud_form
        or CloudForm(cluster, sees_credentials=request.allows(Permission.CREDENTIAL_VIEW)),
        "disconnect_form": disconnect_form or DisconnectForm(cluster.name),
    }
    wrong = any(one.is_bound for one in shown.values())
    context = page_context(request, cluster, "settings") | shown
    context |= {
        "accesses": cluster.accesses.order_by("name"),
        "sees_accesses": request.allows(Permission.ACCESS_VIEW, cluster=cluster.name),
        "identities": cluster.identities.order_by("made_at"),
        "linked": cluster.services.aggregate(count=Count("external_secrets"))["count"],
        "seen": cluster.updated_at.isoformat(),
    }
    return pages.render_page(request, "clusters/settings.html", context, status=422 if wrong else 200)
