"""When what the console signs in with ends, said before it hurts."""

import datetime
from dataclasses import dataclass

from django.utils import timezone

from clusters.models import Cluster

SOON = datetime.timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Ending:
    """When a way in ends; `state` is a badge: `ends`, `ending` (soon), `ended`."""

    at: datetime.datetime
    state: str
    # A token that the console replaces by itself ends often, and that is no news.
    renews: bool


def of(cluster: Cluster) -> Ending | None:
    """Return when what the console signs in to a cluster with ends, None for never or unknown."""
    by_credential = cluster.signs_in == Cluster.SignsIn.CREDENTIAL and cluster.credential is not None
    at = cluster.credential.expires_at if by_credential and cluster.credential else cluster.signs_in_until
    if at is None:
        return None
    left, renews = at - timezone.now(), cluster.renews and not by_credential
    if left <= datetime.timedelta(0):
        return Ending(at, "ended", renews)
    return Ending(at, "ending" if left < SOON and not renews else "ends", renews)
