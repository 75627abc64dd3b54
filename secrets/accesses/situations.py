"""What is possible on a cluster: the rules of identity, enforced under the cluster's lock."""

from accesses.models import Access
from accesses.providers import PROVIDERS, Obstacle, Other, Situation
from clusters.models import Cluster


class NotPossible(ValueError):
    """The cluster, or another access of it, stands in the way of a method."""

    def __init__(self, obstacle: Obstacle) -> None:
        super().__init__(f"{obstacle.reason} {obstacle.remedy}".strip())
        self.obstacle = obstacle


def of(
    cluster: Cluster, provider: str, but: Access | None = None, *, sees_credentials: bool = True
) -> Situation:
    """Return what the methods of a provider depend on; an access that is edited does not stand in its own way."""
    others = cluster.accesses.order_by("name")
    if but is not None:
        others = others.exclude(pk=but.pk)
    rows = others.values_list("name", "provider", "method")
    found = tuple(
        Other(name, PROVIDERS[slug].cloud, method) for name, slug, method in rows if slug in PROVIDERS
    )
    return Situation(cluster, provider, found, sees_credentials)


def enforce(access: Access) -> None:
    """Refuse a method that is not possible, whoever was first; the cluster stays locked until the transaction ends.

    :raises NotPossible: with the reason and the remedy
    """
    cluster = Cluster.objects.select_for_update(no_key=True, of=("self",)).get(pk=access.cluster_id)
    situation = of(cluster, access.provider, but=access)
    obstacle = PROVIDERS[access.provider].method_of(access).obstacle(situation)
    if obstacle is not None:
        raise NotPossible(obstacle)
