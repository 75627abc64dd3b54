"""What the worker tells of drift in the audit log: that somebody changed a cluster, that it is as deployed again."""

import datetime
from typing import Any

from django.db import transaction

from accounts.audit import services as audit
from accounts.outgoing import turning
from clusters.models import Cluster

KIND = "drift"
# So many objects are named.
NAMED = 10


@transaction.atomic
def turned(cluster: Cluster, changes: list[dict[str, Any]]) -> None:
    """Tell once when a look finds what others changed, and once when there is no more of it."""
    theirs = [change for change in changes if "cluster" in change["causes"]]
    subjects = {cluster.pk}
    turns = turning.observe(
        organization=cluster.organization,
        kind=KIND,
        bad=subjects if theirs else (),
        good=() if theirs else subjects,
        # A look sees what is there, and nothing of it flickers.
        hold=datetime.timedelta(0),
    )
    if turns.failing:
        names = [_name(change) for change in theirs[:NAMED]]
        _tell(cluster, "drift.found", {"drifted": len(theirs), "objects": names})
    if turns.recovered:
        _tell(cluster, "drift.gone", {})


def _name(change: dict[str, Any]) -> str:
    """Return an object's kind, namespace and name."""
    place = "/".join(str(change[word]) for word in ("namespace", "name") if change.get(word))
    return f"{change.get('kind', '')} {place}".strip()


def _tell(cluster: Cluster, action: str, details: dict[str, Any]) -> None:
    audit.record(organization=cluster.organization, by=None, action=action, target=cluster, details=details)
