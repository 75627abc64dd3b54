"""The step that looks whether every link is in sync, and keeps what it saw."""

from clusters import addons
from clusters.models import Cluster
from external_secrets.models import ExternalSecret
from external_secrets.steps import state


class Observe:
    """Writes each link's state on its row. What was injected stays, also when a link is not in sync."""

    slug = "observe"
    label = "Observe"
    order = 80

    def wanted(self, cluster: Cluster) -> list[addons.Manifest]:
        return []

    def plan(self, run: addons.Run) -> list[addons.Change]:
        return []

    def apply(self, run: addons.Run) -> str:
        links = state.links_of(run.cluster)
        failures = look(run, links)
        for failure in failures:
            run.log("error", f"{state.title(failure.link)}: {failure.reason}")
        if failures:
            raise state.step_failed(failures, len(links))
        return f"{len(links)} in sync"


def look(run: addons.Run, links: list[ExternalSecret]) -> list[state.Failure]:
    """Read every link's state in the cluster, keep it, and return those that are not in sync."""
    ours, _ = state.split(run, state.every_console(run))
    failures = []
    for link in links:
        sync = state.sync_of(run, link, ours.get(state.key_of(link)))
        state.write(link, sync)
        if sync.status != ExternalSecret.Status.SYNCED:
            failures.append(state.Failure(link, sync.reason, sync.remedy))
    return failures
