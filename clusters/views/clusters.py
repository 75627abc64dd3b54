"""One cluster's overview, and what all of its pages have."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from accounts import pacing
from accounts.access import OrgRequest, org_view
from accounts.roles import Permission, who_may
from clusters import endings, services
from clusters.models import Cluster, Deploy, Drift, Look
from config import pages
from credentials import clouds

# The pages of a cluster: tab, label, url name, and what whoever sees it may do.
TABS = (
    ("overview", "Overview", "clusters:overview", Permission.CLUSTER_VIEW),
    ("health", "Health", "clusters:health", Permission.CLUSTER_VIEW),
    ("services", "Services", "clusters:services", Permission.CLUSTER_VIEW),
    ("secrets", "Secrets", "external_secrets:of_cluster", Permission.EXTERNAL_SECRET_VIEW),
    ("add-ons", "Add-ons", "accesses:add_ons", Permission.ACCESS_VIEW),
    ("found", "Found in the cluster", "external_secrets:found", Permission.EXTERNAL_SECRET_VIEW),
    ("changes", "Changes", "clusters:changes", Permission.DEPLOY_VIEW),
    ("deploys", "Deploys", "clusters:deploys", Permission.DEPLOY_VIEW),
    ("settings", "Settings", "clusters:settings", Permission.CLUSTER_MANAGE),
    ("danger", "Danger zone", "clusters:danger", Permission.CLUSTER_MANAGE),
)


def find(request: OrgRequest, name: str) -> Cluster:
    """Return a cluster of which something may be seen by its name, or 404; the door asked for what the page does."""
    owned = Cluster.objects.within(request.organization, request.authority, Permission.CLUSTER_VIEW)
    return get_object_or_404(owned.select_related("credential"), name=name)


def page_context(request: OrgRequest, cluster: Cluster, tab: str) -> dict[str, Any]:
    """Return what clusters/header.html needs on every page of a cluster."""
    return {
        "cluster": cluster,
        "tab": tab,
        "drift": cluster.drift,
        "banner": banner(request, cluster),
        "ending": endings.notice(cluster),
        "tabs": _tabs(request, cluster),
        "can_deploy": request.allows(Permission.DEPLOY_RUN, cluster=cluster.name),
        "can_manage": request.allows(Permission.CLUSTER_MANAGE, cluster=cluster.name),
        "who_may_deploy": who_may(Permission.DEPLOY_RUN),
    }


def signs_in(cluster: Cluster) -> dict[str, Any]:
    """Return what clusters/signs_in.html needs."""
    method = ""
    if cluster.signs_in == Cluster.SignsIn.CREDENTIAL and cluster.credential is not None:
        cloud = clouds.CLOUDS.get(cluster.credential.cloud)
        way = cloud.method(cluster.credential.method) if cloud else None
        method = way.label if way else ""
    return {"ends": endings.of(cluster), "method": method}


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


@org_view(Permission.CLUSTER_VIEW, methods=("GET", "POST"))
@pacing.paced("POST")
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
        **signs_in(found),
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
