"""What every change of a cluster leaves behind: an event, and a configuration that is to be deployed."""

from typing import Any

from django.db.models import F

from accounts.audit import services as audit
from accounts.models import User
from clusters.models import Cluster


def record(cluster: Cluster, action: str, by: User | None, details: dict[str, Any]) -> None:
    """Write what happened to a cluster into the audit log; `by` None is the console itself."""
    audit.record(organization=cluster.organization, by=by, action=action, target=cluster, details=details)


def changed(cluster: Cluster) -> None:
    """Note that the configuration changed: the cluster is out of date until its next deploy."""
    Cluster.objects.filter(pk=cluster.pk).update(generation=F("generation") + 1)
