"""The step that gives services their variables, and takes away what is no longer linked."""

from dataclasses import dataclass, field, replace
from typing import Any

from clusters import addons, applying, kubernetes
from clusters.models import Cluster
from external_secrets import manifests, ownership
from external_secrets.models import ExternalSecret
from external_secrets.ownership import Live, Place, Slot
from external_secrets.steps import observe, obstacles, state


@dataclass(slots=True)
class Result:
    """What was done to the workloads of one run."""

    changed: int = 0
    removed: int = 0
    injected: int = 0
    left_out: list[ExternalSecret] = field(default_factory=list)
    failures: list[state.Failure] = field(default_factory=list)
    # What went wrong at a workload that has no links, only leftovers: (reason, remedy).
    leftovers: list[tuple[str, str]] = field(default_factory=list)
    stuck: set[Place] = field(default_factory=set)


class Inject(addons.Step):
    """Applies only our environment entries to each workload; nobody else's field is touched.

    A link whose Secret is not there is left out, so that no pod is started that cannot run; an entry that is
    already in the workload stays.
    """

    slug = "inject"
    label = "Inject into services"
    order = 70

    def wanted(self, cluster: Cluster, facts: addons.Facts) -> list[addons.Manifest]:
        places: dict[Place, list[ExternalSecret]] = {}
        for link in state.links_of(cluster, facts):
            places.setdefault(_place(link), []).append(link)
        return [_body(place, _slots(links)) for place, links in places.items()]

    def plan(self, run: addons.Run) -> list[addons.Change]:
        links = state.links_of(run.cluster, run.facts)
        ours, others = state.split(run, state.every_console(run))
        live = ownership.read_all(run.door)
        changes = [
            _planned(run, place, live.get(place), theirs, others)
            for place, theirs in _places(run, links, live, others).items()
        ]
        stale = sorted(set(ours) - {state.key_of(link) for link in links})
        return [*changes, *(applying.deletion(manifests.KIND, name, space) for space, name in stale)]

    def apply(self, run: addons.Run) -> str:
        links = state.links_of(run.cluster, run.facts)
        ours, others = state.settle(run, links)
        live = ownership.read_all(run.door)
        result = Result()
        for place, theirs in _places(run, links, live, others).items():
            run.checkpoint()
            _bring(run, place, live.get(place), theirs, ours, others, result)
        _say_left_out(run, result.left_out, ours)
        _prune(run, links, ours, live, result)
        if result.failures:
            # `observe` does not run after a failed step, and the other links' rows must tell the truth too.
            observe.look(run, links)
            for failure in result.failures:
                state.fail(run, failure)
            raise state.step_failed(result.failures, len(links))
        if result.leftovers:
            raise addons.StepFailed(*result.leftovers[0])
        return _summary(result)


def _say_left_out(run: addons.Run, links: list[ExternalSecret], ours: state.Objects) -> None:
    said = state.said(run) if links else {}
    for link in links:
        key = state.key_of(link)
        why = state.sync_of(link, ours.get(key), said.get(key, [])).reason
        run.log("warning", f"{state.title(link)} is left out, its Secret is not there: {why}")


def _planned(
    run: addons.Run,
    place: Place,
    environment: Live | None,
    links: list[ExternalSecret],
    others: set[state.Key],
) -> addons.Change:
    """Return what `apply` would do to one workload, and what stands in its way."""
    kind, namespace, name = place
    refusal = obstacles.refusal(place, environment, others)
    if refusal is not None or environment is None:
        return addons.Change("change", kind, name, namespace, problem=refusal[0] if refusal else "")
    body = _body(place, _slots(links))
    change = _change(body, environment)
    clashes = [clash for slot in _slots(links) if (clash := obstacles.clash(environment, slot))]
    if not clashes:
        return applying.asked(run, change, body) if run.ask else change
    conflicts = tuple(clash.conflict for clash in clashes if clash.conflict)
    problem = " ".join(clash.reason for clash in clashes if not clash.conflict)
    return replace(change, action="change", conflicts=conflicts, problem=problem)


def _may_overwrite(run: addons.Run, place: Place, clash: obstacles.Clash) -> bool:
    """Tell whether somebody saw this clash and decided to take the entry over."""
    found = (clash.conflict,) if clash.conflict else ()
    return run.decided(addons.Change("change", place[0], place[2], place[1], conflicts=found))


def _summary(result: Result) -> str:
    parts = [f"{result.injected} variable{'' if result.injected == 1 else 's'} in place"]
    parts.append(f"{result.changed} service{'' if result.changed == 1 else 's'} changed")
    parts += [f"{result.removed} removed"] if result.removed else []
    parts += [f"{len(result.left_out)} left out"] if result.left_out else []
    return ", ".join(parts)


def _places(
    run: addons.Run, links: list[ExternalSecret], live: dict[Place, Live], others: set[state.Key]
) -> dict[Place, list[ExternalSecret]]:
    """Return the links of each workload, and also those workloads that only have leftovers of ours."""
    found: dict[Place, list[ExternalSecret]] = {}
    for link in links:
        found.setdefault(_place(link), []).append(link)
    for place, environment in live.items():
        if environment.ours and place not in found and not obstacles.of_another(place, environment, others):
            found[place] = []
    return found


def _place(link: ExternalSecret) -> Place:
    return link.service.kind, link.service.namespace, link.service.name


def _body(place: Place, wanted: dict[Slot, ExternalSecret]) -> addons.Manifest:
    """Return what we apply to a workload: our entries, and nothing else."""
    return manifests.workload(*place, {slot: _entry(link) for slot, link in wanted.items()})


def _change(body: addons.Manifest, environment: Live) -> addons.Change:
    # A CronJob's next run takes it up; a pod that runs is left alone.
    restarts = body["kind"] != "CronJob"
    change = applying.change_of(body, environment.manifest)
    return replace(change, restarts=restarts and change.action == "change")


def _entry(link: ExternalSecret) -> dict[str, Any]:
    return manifests.entry(link.variable, link.object_name)


def _slots(links: list[ExternalSecret]) -> dict[Slot, ExternalSecret]:
    return {(link.container, link.variable): link for link in links}


def _is_there(environment: Live, wanted: dict[Slot, dict[str, Any]]) -> bool:
    """Tell whether exactly the wanted entries are ours, as they should be."""
    return environment.ours == set(wanted) and all(
        environment.entries.get(slot) == entry for slot, entry in wanted.items()
    )


def _bring(
    run: addons.Run,
    place: Place,
    environment: Live | None,
    links: list[ExternalSecret],
    ours: state.Objects,
    others: set[state.Key],
    result: Result,
) -> None:
    """Give one workload its variables; what cannot be done is kept in the result, and the rest goes on."""
    refusal = obstacles.refusal(place, environment, others)
    if refusal is not None:
        result.failures += [state.Failure(link, *refusal) for link in links]
        result.stuck.add(place)
        return
    assert environment is not None  # noqa: S101  or it would have been refused
    wanted: dict[Slot, ExternalSecret] = {}
    for slot, link in _slots(links).items():
        clash = obstacles.clash(environment, slot)
        if clash and not _may_overwrite(run, place, clash):
            result.failures.append(state.Failure(link, clash.reason, clash.remedy))
        elif _may_go_in(run, link, ours) or environment.secret_of(slot) == link.object_name:
            wanted[slot] = link
        else:
            result.left_out.append(link)
    _apply(run, place, environment, wanted, result)


def _may_go_in(run: addons.Run, link: ExternalSecret, ours: state.Objects) -> bool:
    key = state.key_of(link)
    if state.is_synced(ours.get(key)):
        return True
    try:
        return run.door.get("v1", "Secret", key[1], key[0]) is not None
    except kubernetes.Forbidden:
        return False


def _apply(
    run: addons.Run, place: Place, environment: Live, wanted: dict[Slot, ExternalSecret], result: Result
) -> None:
    """Apply our entries; an entry that another manager turns out to own is left out, and the others go in."""
    while not _is_there(environment, {slot: _entry(link) for slot, link in wanted.items()}):
        body = _body(place, wanted)
        change = _change(body, environment)
        run.record.intend([change])
        try:
            _send(run, place, environment, body, wanted)
        except kubernetes.Conflict as error:
            blamed = obstacles.blamed(error, wanted)
            result.failures += [
                state.Failure(wanted[slot], *obstacles.taken(*whom)) for slot, whom in blamed.items()
            ]
            wanted = {slot: link for slot, link in wanted.items() if slot not in blamed}
            continue
        except (kubernetes.Invalid, kubernetes.Forbidden, kubernetes.NotFound) as error:
            result.failures += [state.Failure(link, error.reason, error.remedy) for link in wanted.values()]
            if not wanted:
                result.leftovers.append((f"{place[1]}/{place[2]}: {error.reason}", error.remedy))
            result.stuck.add(place)
            run.log("error", f"{place[1]}/{place[2]}: {error.reason}")
            return
        result.changed += 1
        run.record.done([change])
        run.log(
            "info",
            f"{place[1]}/{place[2]} has {len(wanted)} linked variable{'' if len(wanted) == 1 else 's'}.",
        )
        break
    else:
        # Whoever began this before was lost on the way, or there was nothing to do.
        run.record.settle([addons.Change("unchanged", place[0], place[2], place[1])])
    result.injected += len(wanted)


def _send(
    run: addons.Run,
    place: Place,
    environment: Live,
    body: addons.Manifest,
    wanted: dict[Slot, ExternalSecret],
) -> None:
    """Apply our entries; by force when all that stands in the way are entries that somebody decided to take over.

    :raises Conflict: others own more than that
    """
    try:
        run.door.apply(body)
    except kubernetes.Conflict as error:
        clashes = [obstacles.clash(environment, slot) for slot in obstacles.blamed(error, wanted)]
        if not all(clash and _may_overwrite(run, place, clash) for clash in clashes):
            raise
        run.door.apply(body, force=True)


def _prune(
    run: addons.Run,
    links: list[ExternalSecret],
    ours: state.Objects,
    live: dict[Place, Live],
    result: Result,
) -> None:
    """Delete the ExternalSecrets of links that are gone, and with them their Secrets.

    Only now, after the entries that named them were taken away: a pod that names a missing Secret cannot start.
    """
    for namespace, name in sorted(set(ours) - {state.key_of(link) for link in links}):
        run.checkpoint()
        users = [
            place
            for place, environment in live.items()
            if place[1] == namespace and _still_uses(place, environment, name, result)
        ]
        if users:
            run.log("warning", f"The Secret {name} stays: {users[0][2]} in {namespace} still uses it.")
            continue
        if applying.remove(run, manifests.API, manifests.KIND, name, namespace):
            run.log("info", f"Removed the external secret {name} from {namespace}.")
            result.removed += 1


def _still_uses(place: Place, environment: Live, name: str, result: Result) -> bool:
    slots = [slot for slot in environment.entries if environment.secret_of(slot) == name]
    return any(slot not in environment.ours or place in result.stuck for slot in slots)
