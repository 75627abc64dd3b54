"""Following a cluster whose cloud gave it another address or another authority."""

from typing import Any

from django.db import transaction

from accounts.models import User
from clusters import kubernetes
from clusters.models import Cluster
from clusters.services import changing, entering
from credentials.clouds.errors import NotPossibleHere, NotThere, ProviderError


def follow_address(cluster: Cluster, *, by: User | None = None) -> bool:
    """Take over where a cluster is now, as its cloud tells; return whether that differs from what was known.

    :raises kubernetes.Unreachable: its cloud says why it does not answer
    """
    if cluster.signs_in != Cluster.SignsIn.CREDENTIAL or cluster.credential is None:
        return False
    try:
        entrance = entering.by_credential(cluster.credential, cluster.locator)
    except (NotThere, NotPossibleHere) as error:
        raise kubernetes.Unreachable(error.reason, error.remedy) from None
    except ProviderError:
        # Why the cluster did not answer is the better word.
        return False
    if entrance.kubeconfig == cluster.kubeconfig or entrance.found is None:
        return False
    return _store(cluster, entrance.kubeconfig, entrance.found.endpoint, by)


@transaction.atomic
def _store(cluster: Cluster, kubeconfig: str, server: str, by: User | None) -> bool:
    live = Cluster.objects.select_for_update(no_key=True).get(pk=cluster.pk)
    if (live.signs_in, live.locator) != (cluster.signs_in, cluster.locator):
        # Somebody chose another way in meanwhile.
        return False
    before, live.kubeconfig, live.server = live.server, kubeconfig, server[:300]
    live.save(update_fields=["kubeconfig", "server", "updated_at"])
    cluster.kubeconfig, cluster.server = live.kubeconfig, live.server
    told: dict[str, Any] = {"server": live.server, "authority": "changed"}
    if before != live.server:
        told = {"changes": {"server": [before, live.server]}}
    changing.record(live, "cluster.moved", by, told)
    return True
