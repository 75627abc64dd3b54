"""What automatic mode makes in a cloud, so that a cluster can sign in without keys: one module a cloud."""

from collections.abc import Iterator

from accesses.identities import aws, google
from accesses.identities.base import Maker
from accesses.models import Access, Identity
from accesses.providers import PROVIDERS
from clusters.models import Cluster

MAKERS: dict[str, Maker] = {maker.cloud: maker for maker in (aws.MAKER, google.MAKER)}


def are_made(access: Access) -> bool:
    """Tell whether a deploy has made the access's identity, for those methods that leave that to it."""
    return Identity.objects.filter(access_id=access.pk, facts__made=True).exists()


def automatic(cluster: Cluster) -> Iterator[tuple[Access, Maker]]:
    """Yield the accesses whose identity a deploy makes, and who makes it."""
    for access in cluster.accesses.order_by("name"):
        provider = PROVIDERS.get(access.provider)
        method = provider.method(access.method) if provider else None
        if provider and method and method.rehearse is not None:
            access.cluster = cluster
            yield access, MAKERS[provider.cloud]


__all__ = ["MAKERS", "Maker", "are_made", "automatic"]
