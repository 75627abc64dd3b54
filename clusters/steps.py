"""The step that every deploy begins with."""

from clusters import addons, services
from clusters.models import Cluster


class Connect:
    """Reaches the cluster and refreshes what the console knows of it."""

    slug = "connect"
    label = "Connect"
    order = 10

    def wanted(self, cluster: Cluster) -> list[addons.Manifest]:
        return []

    def plan(self, run: addons.Run) -> list[addons.Change]:
        return []

    def apply(self, run: addons.Run) -> str:
        cluster = services.check(run.cluster, run.door)
        if cluster.status != Cluster.Status.READY:
            raise addons.StepFailed(
                cluster.status_reason, "Replace the kubeconfig in the cluster's settings if it is wrong."
            )
        denied = [entry for entry in cluster.permissions if not entry["allowed"]]
        for entry in denied:
            run.log("warning", f"Not allowed: {entry['label']}, needed for {entry['needed_for']}.")
        count = services.refresh_services(cluster, run.door)
        return f"Kubernetes {cluster.version} as {cluster.identity}, {count} services"
