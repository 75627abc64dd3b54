"""When what the console signs in with ends, said before it hurts."""

import datetime
from dataclasses import dataclass

from django.utils import timezone

from clusters.models import Cluster

# So long before an end it counts as a trouble; so long before, it is told and stands on each page of the cluster.
SOON, TOLD = datetime.timedelta(days=14), datetime.timedelta(days=30)
# What renews itself is told of once that has failed for long.
LATE = datetime.timedelta(hours=3)
# A token that was just entered may be renewed this very moment.
FRESH = datetime.timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Ending:
    """When a way in ends. A token that the console replaces by itself ends often, and that is no news."""

    at: datetime.datetime
    renews: bool = False

    @property
    def left(self) -> datetime.timedelta:
        return self.at - timezone.now()

    @property
    def state(self) -> str:
        """A badge: `ends`, `ending` (soon), `ended`."""
        if self.left <= datetime.timedelta(0):
            return "ended"
        return "ending" if self.left < SOON and not self.renews else "ends"


def of(cluster: Cluster) -> Ending | None:
    """Return when what the console signs in to a cluster with ends, None for never or unknown."""
    by_credential = cluster.signs_in == Cluster.SignsIn.CREDENTIAL and cluster.credential is not None
    at = cluster.credential.expires_at if by_credential and cluster.credential else cluster.signs_in_until
    return Ending(at, cluster.renews and not by_credential) if at else None


def notice(cluster: Cluster) -> Ending | None:
    """Return the end that each page of a cluster tells of, its kubeconfig's, or None while there is nothing to say."""
    found = of(cluster) if cluster.signs_in == Cluster.SignsIn.KUBECONFIG else None
    if found is None or found.left > (LATE if found.renews else TOLD):
        return None
    is_fresh = timezone.now() - cluster.updated_at < FRESH
    return None if is_fresh and found.state != "ended" else found
