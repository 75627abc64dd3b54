"""Taking away from a cluster, and from its cloud, what Keyhaven made there, before it is disconnected."""

from collections import defaultdict
from dataclasses import dataclass

from django.db import transaction

from accounts.models import User
from clusters import addons, applying, deploys, kubernetes, looks, services
from clusters.models import Cluster, Deploy
from clusters.services import changing

# What is told of each kind: why it is there.
MEANT = {
    "ClusterSecretStore": "ways into secret managers",
    "ExternalSecret": "links; the Secrets that the operator makes of them go with them",
    "Secret": "credentials of stores",
    "ServiceAccount": "what stores sign in with",
    "Deployment": "variables and files of ours in them; the workloads stay",
    "StatefulSet": "variables and files of ours in them; the workloads stay",
    "CronJob": "variables and files of ours in them; the workloads stay",
    "IAM role": "in the cloud: what accesses sign in as",
    "IAM OIDC provider": "in the cloud: who trusts the cluster's tokens, if nobody else needs it",
}
# So many of a kind are named.
NAMED = 50


@dataclass(frozen=True, slots=True)
class Made:
    """Objects of one kind that Keyhaven made or has something in, by `namespace/name`."""

    kind: str
    meant: str
    names: tuple[str, ...]
    more: int = 0

    @property
    def count(self) -> int:
        return len(self.names) + self.more


def made(cluster: Cluster) -> list[Made]:
    """Return what is there by what is configured and by what the last deploy brought, kinds by name."""
    found: dict[str, set[str]] = defaultdict(set)
    keys = (
        applying.by_key(addons.snapshot(cluster)).keys()
        | applying.by_key(looks.last_snapshot(cluster)).keys()
    )
    for kind, namespace, name in keys:
        found[kind].add(f"{namespace}/{name}" if namespace else name)
    return [
        Made(kind, MEANT.get(kind, ""), tuple(sorted(names)[:NAMED]), max(0, len(names) - NAMED))
        for kind, names in sorted(found.items())
    ]


def last(cluster: Cluster) -> Deploy | None:
    """Return the newest run that was to remove everything, if nothing was deployed since."""
    newest = cluster.deploys.filter(started_at__isnull=False).order_by("-number").first()
    coming = cluster.deploys.exclude(status__in=Deploy.OVER).order_by("-number").first()
    found = coming or newest
    return found if found is not None and found.kind in addons.REMOVALS else None


def remove(*, cluster: Cluster, operator: bool, by: User) -> Deploy:
    """Unlink and delete everything of a cluster, and queue the run that takes it away there.

    :raises kubernetes.ClusterError: the cluster does not answer, and nothing could be taken away there
    :raises deploys.CannotBe: something else runs or waits on the cluster
    """
    kubernetes.connect(cluster).version()
    with transaction.atomic():
        live = Cluster.objects.select_for_update(no_key=True).get(pk=cluster.pk)
        kind = Deploy.Kind.REMOVE_ALL if operator else Deploy.Kind.REMOVE
        deploy = deploys.remove(cluster=live, kind=kind, by=by)
        links, accesses = live.external_secrets.count(), live.accesses.count()
        if links or accesses:
            about = {"external secrets": links, "accesses": accesses}
            changing.record(live, "cluster.emptied", by, about)
        # Links keep their accesses from being deleted.
        live.external_secrets.all().delete()
        live.accesses.all().delete()
        services.changed(live)
        live.refresh_from_db(fields=["generation"])
        Deploy.objects.filter(pk=deploy.pk).update(generation=live.generation)
    return deploy
