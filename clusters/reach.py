"""How many clusters and namespaces a role reaches, for the preview in its editor."""

from accounts.authority import Authority
from accounts.custom_roles.preview import Reach
from accounts.models import Organization
from accounts.roles import Permission
from clusters.models import Cluster, Service

NAMES = 5


def count(organization: Organization, asking: Authority, role: Authority) -> list[Reach]:
    """Count the clusters and namespaces that a role sees, of those that the one who asks does, in two queries."""
    names = Cluster.objects.owned_by(organization).order_by("name").values_list("name", flat=True)
    services = (
        Service.objects.owned_by(organization).filter(gone_at=None).order_by("cluster__name", "namespace")
    )
    places = services.values_list("cluster__name", "namespace").distinct()
    return [
        _reach("cluster", [(name, {"cluster": name}) for name in names], asking, role),
        _reach("namespace", [(f"{c}/{n}", {"cluster": c, "namespace": n}) for c, n in places], asking, role),
    ]


def _reach(noun: str, found: list[tuple[str, dict[str, str]]], asking: Authority, role: Authority) -> Reach:
    known = [(name, place) for name, place in found if asking.allows(Permission.CLUSTER_VIEW, **place)]
    seen = [name for name, place in known if role.allows(Permission.CLUSTER_VIEW, **place)]
    return Reach(noun, len(seen), len(known), tuple(seen[:NAMES]))
