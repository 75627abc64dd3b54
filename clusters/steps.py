"""The step that every deploy begins with."""

import datetime

from django.utils import timezone

from clusters import addons, kubernetes, services
from clusters.models import Cluster

# What the cluster lets us do is asked anew after so long; losing a right meanwhile fails the step that needs it.
FRESH = datetime.timedelta(minutes=10)


def _seen_well(run: addons.Run) -> bool:
    """Tell whether the cluster answers, and all was well with it a moment ago."""
    cluster = run.cluster
    fresh = cluster.seen_at is not None and cluster.seen_at > timezone.now() - FRESH
    if cluster.status != Cluster.Status.READY or not fresh:
        return False
    if not cluster.permissions or not all(entry["allowed"] for entry in cluster.permissions):
        return False
    try:
        return run.door.version() == cluster.version
    except kubernetes.ClusterError:
        return False


class Connect(addons.Step):
    """Reaches the cluster and refreshes what the console knows of it."""

    slug = "connect"
    label = "Connect"
    order = 10

    def apply(self, run: addons.Run) -> str:
        cluster = run.cluster if _seen_well(run) else services.check(run.cluster, run.door)
        if cluster.status != Cluster.Status.READY:
            by_credential = cluster.signs_in == Cluster.SignsIn.CREDENTIAL
            raise addons.StepFailed(
                cluster.status_reason,
                "Choose another cloud credential in the cluster's settings if this one is wrong."
                if by_credential
                else "Replace the kubeconfig in the cluster's settings if it is wrong.",
            )
        denied = [entry for entry in cluster.permissions if not entry["allowed"]]
        for entry in denied:
            run.log("warning", f"Not allowed: {entry['label']}, needed for {entry['needed_for']}.")
        count = services.refresh_services(cluster, run.door)
        return f"Kubernetes {cluster.version} as {cluster.identity}, {count} services"
