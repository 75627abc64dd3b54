"""Taking away what no link asks for any more, in an order in which no pod needs what is gone."""

from clusters import addons, applying
from external_secrets import manifests
from external_secrets.models import ExternalSecret
from external_secrets.ownership import Live, Place
from external_secrets.steps import state


def stale(links: list[ExternalSecret], ours: state.Objects) -> list[state.Key]:
    """Return the ExternalSecrets of ours that no link has."""
    return sorted(set(ours) - {state.key_of(link) for link in links})


def planned(links: list[ExternalSecret], ours: state.Objects, live: dict[Place, Live]) -> list[addons.Change]:
    """Return what a deploy deletes: not what something else of the cluster needs."""
    return [
        applying.deletion(manifests.KIND, name, namespace)
        for namespace, name in stale(links, ours)
        if not _users(live, namespace, name, set())
    ]


def prune(
    run: addons.Run,
    links: list[ExternalSecret],
    ours: state.Objects,
    live: dict[Place, Live],
    stuck: set[Place],
) -> int:
    """Delete the ExternalSecrets of links that are gone, and with them their Secrets; return how many.

    Only after what named them was taken away: a pod that names a missing Secret cannot start. `stuck` are the
    workloads from which it could not be taken.
    """
    removed = 0
    for namespace, name in stale(links, ours):
        run.checkpoint()
        users = _users(live, namespace, name, stuck)
        if users:
            run.log("warning", f"The Secret {name} stays: {users[0][2]} in {namespace} still uses it.")
            continue
        if applying.remove(run, manifests.API, manifests.KIND, name, namespace):
            run.log("info", f"Removed the external secret {name} from {namespace}.")
            removed += 1
    return removed


def _users(live: dict[Place, Live], namespace: str, name: str, stuck: set[Place]) -> list[Place]:
    return [
        place
        for place, environment in live.items()
        if place[1] == namespace and _still_uses(place, environment, name, stuck)
    ]


def _still_uses(place: Place, environment: Live, name: str, stuck: set[Place]) -> bool:
    return name in environment.borrowed or (place in stuck and name in environment.secrets)
