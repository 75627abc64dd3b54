"""What has to stay as it is while something relies on a credential."""

from credentials import clouds
from credentials.clouds.base import Facts
from credentials.models import CloudCredential

# So many of what uses a credential are named in a sentence.
SHOWN = 3


class InUse(ValueError):
    """Clusters or accesses use what would go away."""


def keep_account(credential: CloudCredential, facts: Facts) -> None:
    """Keep the account while something relies on it: roles are made, and looked for, in that account."""
    new = CloudCredential(facts=facts).account
    if new != credential.account and (users := using(credential)):
        shown = ", ".join(users[:SHOWN]) + (f" and {len(users) - SHOWN} more" if len(users) > SHOWN else "")
        raise InUse(
            f"The new values are of the account {new}, but {credential.name} is used in {credential.account}: "
            f"by {shown}. Add another credential for the other account."
        )


def keep_method(credential: CloudCredential, method: str) -> None:
    """Keep a way that accesses can have while accesses use it: their operators need keys."""
    if method == credential.method or clouds.known(credential.cloud, method)[1].for_accesses:
        return
    if credential.accesses.exists():
        label = clouds.known(credential.cloud, method)[1].label.lower()
        raise InUse(
            f"Accesses sign in with the keys of {credential.name}, and operators have none by {label}. "
            "Choose another credential in these accesses first."
        )


def using(credential: CloudCredential) -> list[str]:
    """Return what uses a credential, in words."""
    clusters = [f"the cluster {cluster.name}" for cluster in credential.clusters.order_by("name")]
    accesses = credential.accesses.select_related("cluster").order_by("cluster__name", "name")
    made = credential.identities.select_related("cluster").order_by("cluster__name", "access_name")
    return [
        *clusters,
        *(f"the access {access.name} of {access.cluster.name}" for access in accesses),
        *(f"what was made for {one.access_name} of {one.cluster.name}" for one in made),
    ]
