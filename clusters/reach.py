"""How many clusters and namespaces a role reaches, for the preview in its editor."""

from accounts.authority import Authority
from accounts.custom_roles.preview import Reach
from accounts.models import Organization
from accounts.roles import Permission
from clusters.models import Cluster, Service

NAMES = 5


def count(organization: Organization, authority: Authority, viewer: Authority) -> list[Reach]:
    """Count the clusters and namespaces that somebody with an authority sees, of those that `viewer` sees."""
    seen_by_viewer = (organization, viewer, Permission.CLUSTER_VIEW)
    clusters = list(Cluster.objects.within(*seen_by_viewer).order_by("name").values_list("name", flat=True))
    places = list(
        Service.objects.within(*seen_by_viewer)
        .filter(gone_at=None)
        .order_by("cluster__name", "namespace")
        .values_list("cluster__name", "namespace")
        .distinct()
    )
    seen = [name for name in clusters if authority.allows(Permission.CLUSTER_VIEW, cluster=name)]
    within = [
        f"{cluster}/{namespace}"
        for cluster, namespace in places
        if authority.allows(Permission.CLUSTER_VIEW, cluster=cluster, namespace=namespace)
    ]
    return [
        Reach("cluster", len(seen), len(clusters), tuple(seen[:NAMES])),
        Reach("namespace", len(within), len(places), tuple(within[:NAMES])),
    ]
