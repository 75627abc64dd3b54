"""The step that makes an ExternalSecret of each link."""

from clusters import addons, applying, kubernetes
from clusters.kubernetes import comparing, conditions
from clusters.models import Cluster
from external_secrets import manifests
from external_secrets.models import ExternalSecret
from external_secrets.steps import forcing, foreign, state


class ApplyExternalSecrets(addons.Step):
    """Applies one ExternalSecret per link.

    Those of links that are gone are deleted at the end of `inject`: while a workload still names the Secret, its
    deletion would keep new pods from starting.
    """

    slug = "external-secrets"
    label = "External secrets"
    order = 60

    def wanted(self, cluster: Cluster, facts: addons.Facts) -> list[addons.Manifest]:
        links = state.with_objects(state.links_of(cluster, facts))
        return [manifests.external_secret(link) for link in links]

    def plan(self, run: addons.Run) -> list[addons.Change]:
        ours, _ = state.split(run, state.every_console(run))
        links = _links(run)
        refused = foreign.refusals(run, [key for key in links if key not in ours])
        wanted = [manifests.external_secret(link) for key, link in links.items() if key not in refused]
        in_the_way = [
            addons.Change("create", manifests.KIND, name, namespace, problem=reason)
            for (namespace, name), (reason, _) in refused.items()
        ]
        return [*applying.plan(run, wanted, applying.by_key(ours.values())), *in_the_way]

    def apply(self, run: addons.Run) -> str:
        links = _links(run)
        ours, _ = state.split(run, state.every_console(run))
        refused = foreign.refusals(run, [key for key in links if key not in ours])
        failures = [state.Failure(links[key], *why) for key, why in refused.items()]
        wanted = [manifests.external_secret(link) for key, link in links.items() if key not in refused]
        applied: list[str] = []
        unchanged = []
        for outcome in applying.bring(run, wanted, applying.by_key(ours.values())):
            key = (outcome.change.namespace, outcome.change.name)
            if isinstance(outcome.error, kubernetes.KindMissing):
                raise outcome.error
            if outcome.error is not None:
                failures.append(state.Failure(links[key], outcome.error.reason, outcome.error.remedy))
            elif outcome.change.action == "unchanged":
                unchanged.append(key)
            else:
                applied.append(f"Applied the external secret of {state.title(links[key])}.")
        run.log_all("info", applied)
        run.facts[state.FORCED] = _force(run, links, ours, unchanged)
        for failure in failures:
            state.fail(run, failure)
        if failures:
            raise state.step_failed(failures, len(links))
        count = f"{len(applied)} external secret{'' if len(applied) == 1 else 's'} applied"
        return f"{count}, {len(unchanged)} unchanged"


def _links(run: addons.Run) -> dict[state.Key, ExternalSecret]:
    return {state.key_of(link): link for link in state.with_objects(state.links_of(run.cluster, run.facts))}


def _force(
    run: addons.Run, links: dict[state.Key, ExternalSecret], ours: state.Objects, unchanged: list[state.Key]
) -> set[state.Key]:
    """Have the operator read again now, where it would not: return what was told to.

    After a failure it waits up to seven minutes by itself, and nobody tells it that a store has changed.
    """
    touched = run.record.changed("ClusterSecretStore", "Secret")
    # Those that this deploy made, perhaps in an earlier turn, were read after the stores were in place.
    mine = run.record.mine(manifests.KIND)
    due = [
        key
        for key in unchanged
        if conditions.ready(ours[key]).get("status") == "False"
        or (touched & {links[key].store_name, links[key].access.store_name} and key[1] not in mine)
    ]
    now = forcing.mark()
    field = comparing.Field(f"metadata.annotations.{forcing.ANNOTATION}", "", now[forcing.ANNOTATION])
    changes = [addons.Change("change", manifests.KIND, name, space, (field,)) for space, name in due]
    changes = [change for change in changes if change.name not in mine]
    run.record.intend(changes)
    forcing.annotate(run, due, now)
    run.record.done(changes)
    if due:
        run.log("info", f"Asked the operator to read {len(due)} secret{'' if len(due) == 1 else 's'} again.")
    return set(due)
