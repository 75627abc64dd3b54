"""What automatic mode makes in a cloud, so that a cluster can sign in without keys: one module a cloud."""

from accesses.identities import aws, google
from accesses.identities.base import Maker
from accesses.models import Access, Identity

MAKERS: dict[str, Maker] = {maker.cloud: maker for maker in (aws.MAKER, google.MAKER)}


def are_made(access: Access) -> bool:
    """Tell whether a deploy has made the access's identity, for those methods that leave that to it."""
    return Identity.objects.filter(access_id=access.pk).exists()


__all__ = ["MAKERS", "Maker", "are_made"]
