"""Short-lived tokens: the console asks the cluster for the next one before its own ends, where it may.

A token is asked for with the one that it replaces, and is good for a day. That it was renewed is not told in the audit
log: it happens twice a day in each cluster, and changes neither who the console is nor what it may do.
"""

import datetime
import logging
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.debug import sensitive_variables
from kombu.exceptions import OperationalError as BrokerAway

from clusters import kubernetes, tasks
from clusters.joining import ends
from clusters.joining.ends import Account
from clusters.kubernetes import kinds
from clusters.models import Cluster

LIFE = datetime.timedelta(hours=24)
# Half of its life; a token that was made for longer is left alone until then.
DUE = LIFE / 2
EVERY, AGAIN = 60, 900

logger = logging.getLogger(__name__)


def note_end(sender: Any, instance: Cluster, update_fields: Any = None, **_: Any) -> None:
    """Before a cluster is saved: note when its kubeconfig ends; a new one is soon looked at by a worker."""
    saved = update_fields is None or "kubeconfig" in update_fields
    if not saved or "kubeconfig" in instance.get_deferred_fields():
        return
    if instance.signs_in != Cluster.SignsIn.KUBECONFIG:
        return
    at = ends.at(instance.kubeconfig)
    if at is None or at == instance.signs_in_until:
        return
    instance.signs_in_until, instance.renews = at, False
    if ends.account(instance.kubeconfig):
        pk = str(instance.pk)
        transaction.on_commit(lambda: _send(pk))


def sweep() -> int:
    """Have the tokens renewed that are due, looked at once a minute; return how many."""
    if not cache.add("token-renewal", 1, timeout=EVERY):
        return 0
    now = timezone.now()
    due = Cluster.objects.filter(
        signs_in=Cluster.SignsIn.KUBECONFIG, renews=True,
        signs_in_until__gt=now, signs_in_until__lt=now + DUE,
    )  # fmt: skip
    found = [
        str(pk) for pk in due.values_list("pk", flat=True) if cache.add(f"token-sent:{pk}", 1, timeout=AGAIN)
    ]
    for pk in found:
        _send(pk)
    return len(found)


def _send(cluster_id: str) -> None:
    try:
        tasks.renew_token.delay(cluster_id=cluster_id)
    except BrokerAway:
        logger.warning("The broker is away; the token of cluster %s waits.", cluster_id)


def take(cluster_id: str) -> bool:
    """See whether a cluster's token can be renewed and do so if it is due; return whether it was."""
    cluster = Cluster.objects.filter(pk=cluster_id, signs_in=Cluster.SignsIn.KUBECONFIG).first()
    account = ends.account(cluster.kubeconfig) if cluster else None
    if cluster is None or account is None:
        return False
    try:
        door = kubernetes.connect_text(cluster.kubeconfig, patience=5, budget=5)
        may = door.allowed("create", "", "serviceaccounts/token", account.namespace, account.name)
        Cluster.objects.filter(pk=cluster.pk).exclude(renews=may).update(renews=may)
        if not may or not _is_due(cluster):
            return False
        return _renew(cluster, door, account)
    except kubernetes.ClusterError as error:
        logger.warning("The token of cluster %s is not renewed: %s", cluster.pk, type(error).__name__)
        return False


def _is_due(cluster: Cluster) -> bool:
    return cluster.signs_in_until is None or cluster.signs_in_until - timezone.now() < DUE


@sensitive_variables()
def _renew(cluster: Cluster, door: kubernetes.Door, account: Account) -> bool:
    """Ask for the next token and keep it, unless somebody replaced the kubeconfig meanwhile."""
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": int(LIFE.total_seconds())},
    }
    path = kinds.path("v1", "ServiceAccount", account.namespace, account.name)
    status = door.request("POST", f"{path}/token", body).get("status") or {}
    token, until = status.get("token"), parse_datetime(str(status.get("expirationTimestamp")))
    if not token or until is None:
        return False
    with transaction.atomic():
        live = Cluster.objects.select_for_update(no_key=True, of=("self",)).get(pk=cluster.pk)
        if live.kubeconfig != cluster.kubeconfig:
            return False
        live.kubeconfig = ends.with_token(live.kubeconfig, str(token))
        live.signs_in_until, live.renews = ends.at(live.kubeconfig) or until, True
        # Without `updated_at`: nothing changed that somebody who edits the cluster has to see.
        live.save(update_fields=["kubeconfig", "signs_in_until", "renews"])
    return True
