"""The step that gives services their variables, and takes away what is no longer linked."""

import re
from dataclasses import dataclass, field, replace
from typing import Any

from clusters import addons, applying, kubernetes
from clusters.models import Cluster
from external_secrets import manifests, ownership
from external_secrets.models import ExternalSecret
from external_secrets.ownership import Live, Place, Slot
from external_secrets.steps import observe, state

_SLOT = re.compile(r'containers\[name="(?P<container>[^"]+)"\]\.env\[name="(?P<variable>[^"]+)"\]')


@dataclass(slots=True)
class Result:
    """What was done to the workloads of one run."""

    changed: int = 0
    removed: int = 0
    injected: int = 0
    left_out: int = 0
    failures: list[state.Failure] = field(default_factory=list)
    # What went wrong at a workload that has no links, only leftovers: (reason, remedy).
    leftovers: list[tuple[str, str]] = field(default_factory=list)
    stuck: set[Place] = field(default_factory=set)


class Inject:
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
        changes = []
        for place, theirs in _places(run, links, live, others).items():
            if place in live:
                body = _body(place, _slots(theirs))
                change = _change(body, live[place])
                changes.append(applying.asked(run, change, body) if run.ask else change)
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


def _summary(result: Result) -> str:
    parts = [f"{result.injected} variable{'' if result.injected == 1 else 's'} in place"]
    parts.append(f"{result.changed} service{'' if result.changed == 1 else 's'} changed")
    parts += [f"{result.removed} removed"] if result.removed else []
    parts += [f"{result.left_out} left out"] if result.left_out else []
    return ", ".join(parts)


def _places(
    run: addons.Run, links: list[ExternalSecret], live: dict[Place, Live], others: set[state.Key]
) -> dict[Place, list[ExternalSecret]]:
    """Return the links of each workload, and also those workloads that only have leftovers of ours."""
    found: dict[Place, list[ExternalSecret]] = {}
    for link in links:
        found.setdefault(_place(link), []).append(link)
    for place, environment in live.items():
        if environment.ours and place not in found and not _of_another(place, environment, others):
            found[place] = []
    return found


def _of_another(place: Place, environment: Live, others: set[state.Key]) -> bool:
    """Tell whether another Keyhaven, which is the same field manager, injects into the workload."""
    return any((place[1], environment.secret_of(slot)) in others for slot in environment.ours)


def _place(link: ExternalSecret) -> Place:
    return link.service.kind, link.service.namespace, link.service.name


def _path(place: Place) -> str:
    """Return how a decision to overwrite names the workload."""
    return addons.Change("unchanged", place[0], place[2], place[1]).path


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
    refusal = _refusal(place, environment, others)
    if refusal is not None:
        result.failures += [state.Failure(link, *refusal) for link in links]
        result.stuck.add(place)
        return
    assert environment is not None  # noqa: S101  or it would have been refused
    wanted: dict[Slot, ExternalSecret] = {}
    for slot, link in _slots(links).items():
        reason = _clash(environment, slot) if _path(place) not in run.overwrite else None
        if reason:
            result.failures.append(state.Failure(link, *reason))
        elif _may_go_in(run, link, ours) or environment.secret_of(slot) == link.object_name:
            wanted[slot] = link
        else:
            key = state.key_of(link)
            sync = state.sync_of(link, ours.get(key), state.said(run).get(key, []))
            run.log("warning", f"{state.title(link)} is left out, its Secret is not there: {sync.reason}")
            result.left_out += 1
    _apply(run, place, environment, wanted, result)


def _refusal(place: Place, environment: Live | None, others: set[state.Key]) -> tuple[str, str] | None:
    kind, namespace, name = place
    if environment is None:
        return (
            f"The {kind} {name} is gone from {namespace}.",
            "Bring it back, or unlink its secrets; then deploy.",
        )
    if _of_another(place, environment, others):
        return (
            f"Another Keyhaven cluster injects into {namespace}/{name}.",
            "One console at a time can give a workload its variables; unlink its secrets in one of them.",
        )
    return None


def _clash(environment: Live, slot: Slot) -> tuple[str, str] | None:
    """Return why an entry cannot be ours: no such container, or somebody else's entry of that name."""
    container, variable = slot
    if container not in environment.containers:
        return (
            f"There is no container {container} in it any more.",
            "Unlink the secret and link it to a container that is there.",
        )
    if slot in environment.entries and slot not in environment.ours:
        managers = " and ".join(environment.owners.get(slot, [])) or "somebody else"
        return _taken(managers, f'containers[name="{container}"].env[name="{variable}"]')
    return None


def _taken(manager: str, where: str) -> tuple[str, str]:
    return (
        f"{manager} already sets {where}.",
        "Remove the variable there, or link the secret under another name.",
    )


def _may_go_in(run: addons.Run, link: ExternalSecret, ours: state.Objects) -> bool:
    key = state.key_of(link)
    return state.is_synced(ours.get(key)) or run.door.get("v1", "Secret", key[1], key[0]) is not None


def _apply(
    run: addons.Run, place: Place, environment: Live, wanted: dict[Slot, ExternalSecret], result: Result
) -> None:
    """Apply our entries; an entry that another manager turns out to own is left out, and the others go in."""
    while not _is_there(environment, {slot: _entry(link) for slot, link in wanted.items()}):
        body = _body(place, wanted)
        change = _change(body, environment)
        run.record.intend([change])
        try:
            run.door.apply(body, force=change.path in run.overwrite)
        except kubernetes.Conflict as error:
            blamed = _blamed(error, wanted)
            result.failures += [
                state.Failure(wanted[slot], *_taken(manager, where))
                for slot, (manager, where) in blamed.items()
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


def _blamed(error: kubernetes.Conflict, wanted: dict[Slot, ExternalSecret]) -> dict[Slot, tuple[str, str]]:
    """Return whom a conflict names for which entry; when it names none of ours, all of them are out."""
    found = {}
    for manager, where in error.conflicts:
        match = _SLOT.search(where)
        if match and (match["container"], match["variable"]) in wanted:
            found[match["container"], match["variable"]] = (manager, where.lstrip("."))
    return found or dict.fromkeys(wanted, ("Another manager", "a field of this workload"))


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
