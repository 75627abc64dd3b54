"""The API's calls on clusters."""

from datetime import datetime
from typing import Self

from django.shortcuts import get_object_or_404
from ninja import Query

from accounts.roles import Permission
from clusters.models import Cluster
from config.api.calls import ApiRequest, Calls, Shown
from config.api.paging import Page, Paging, cut

calls = Calls("Clusters")


class ClusterShown(Shown):
    """A connected cluster; its kubeconfig is never shown."""

    name: str
    kind: str
    server: str
    version: str
    region: str
    account: str
    issuer: str
    status: str
    status_reason: str
    drift: str
    seen_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, cluster: Cluster) -> Self:
        return cls.model_validate(cluster)


@calls.get("/clusters", Permission.CLUSTER_VIEW)
def list_clusters(request: ApiRequest, page: Query[Paging], q: str = "") -> Page[ClusterShown]:
    """List the clusters, by name; `q` keeps those whose name holds a text."""
    visible = Cluster.objects.within(request.organization, request.authority, Permission.CLUSTER_VIEW)
    rows = visible.filter(name__icontains=q) if q else visible
    return cut(request, rows, page, by=["name"], shape=ClusterShown.of)


@calls.get("/clusters/{cluster}", Permission.CLUSTER_VIEW)
def get_cluster(request: ApiRequest, cluster: str) -> ClusterShown:
    """Show one cluster, by its name."""
    visible = Cluster.objects.within(request.organization, request.authority, Permission.CLUSTER_VIEW)
    return ClusterShown.of(get_object_or_404(visible, name=cluster))
