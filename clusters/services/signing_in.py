"""How the console signs in to a connected cluster. What is stored was tried first."""

from dataclasses import asdict
from typing import Any

from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from accounts.audit import services as audit
from accounts.models import User
from clusters.models import Cluster
from clusters.services import changing, cloud, entering, looking
from clusters.services.entering import Entrance
from clusters.services.refusals import Changed
from credentials.models import CloudCredential

# What a way in decides, as the audit log tells it.
_DECIDED = {"server": "server", "identity": "identity", "version": "version"}


def words(cluster: Cluster) -> str:
    """Return how the console signs in, for the audit log."""
    if cluster.signs_in == Cluster.SignsIn.CREDENTIAL and cluster.credential is not None:
        return f"by the cloud credential {cluster.credential.name}"
    return "by its kubeconfig"


@sensitive_variables()
@transaction.atomic
def replace_kubeconfig(*, cluster: Cluster, reduced: str, seen_version: str, by: User) -> Cluster:
    """Sign in by another kubeconfig after it was tested, also where a credential did so before.

    :raises Changed: somebody else changed the cluster meanwhile
    :raises kubernetes.ClusterError: the new one does not work
    """
    live = _unchanged(cluster, seen_version)
    found = looking.try_connection(reduced, live.operator_namespace)
    told = {"kubeconfig": "changed", "server": found.server, "identity": found.identity}
    told |= _take(live, Entrance(reduced), found)
    changing.record(live, "cluster.kubeconfig_replaced", by, told)
    return live


def sign_in_by_credential(
    *, cluster: Cluster, credential: CloudCredential, locator: dict[str, str], seen_version: str, by: User
) -> Cluster:
    """Sign in by a cloud credential after that was tested; `locator` is what the credential found.

    :raises Changed: somebody else changed the cluster meanwhile
    :raises AnotherCluster: the credential found another cluster than this one
    :raises WrongAccount: the credential is of another account than the cluster
    :raises AccountInUse: the account would become another, and roles of accesses are in it
    :raises kubernetes.ClusterError: the cluster does not let the credential's identity in as it lets in ours
    :raises ProviderError: the cloud refuses, or does not answer
    """
    tried = entering.try_another(cluster, credential, locator)
    with transaction.atomic():
        live = _unchanged(cluster, seen_version)
        cloud.join(live, credential)
        told = _take(live, *tried)
        changing.record(live, "cluster.sign_in_changed", by, told | {"identity": live.identity})
    return live


def _unchanged(cluster: Cluster, seen_version: str) -> Cluster:
    rows = Cluster.objects.select_for_update(no_key=True, of=("self",)).select_related("credential")
    live = rows.get(pk=cluster.pk)
    if live.updated_at.isoformat() != seen_version:
        raise Changed(
            "Somebody changed this cluster while you were here. Look at it again, then send the form once more."
        )
    return live


def _take(live: Cluster, entrance: Entrance, found: looking.Trial) -> dict[str, Any]:
    """Store a way in that was tried; return what differs, as the audit log tells it."""
    told = audit.changes(vars(live), asdict(found), _DECIDED)
    before = words(live)
    # A kubeconfig's own end is not known until it was read.
    live.signs_in_until, live.renews = None, False
    for name, value in entrance.columns.items():
        setattr(live, name, value)
    entering.note(live, found)
    live.save()
    changing.changed(live)
    if words(live) != before:
        told.setdefault("changes", {})["signs in"] = [before, words(live)]
    return told
