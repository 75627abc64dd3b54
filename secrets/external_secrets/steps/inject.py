"""The step that gives services their variables and files, and takes away what is no longer linked."""

from dataclasses import replace

from clusters import addons, applying, kubernetes
from clusters.models import Cluster, Service
from external_secrets import ownership, wanted, workloads
from external_secrets.models import ExternalSecret
from external_secrets.ownership import Live, Place, Slot
from external_secrets.steps import holding, observe, obstacles, prune, restart, results, state, targets
from external_secrets.steps.results import Result
from external_secrets.wanted import Form, Wanted


class Inject(addons.Step):
    """Applies only our variables, mounts and volumes to each workload; nobody else's field is touched.

    A link whose Secret is not there is left out, so that no pod is started that cannot run; what is already in the
    workload stays.
    """

    slug = "inject"
    label = "Inject into services"
    order = 70

    def wanted(self, cluster: Cluster, facts: addons.Facts) -> list[addons.Manifest]:
        links = state.links_of(cluster, facts)
        found = []
        for service in _services(cluster, links):
            decided = wanted.for_service(service, links)
            winners = [one for one in decided if one.wins]
            place = (service.kind, service.namespace, service.name)
            if winners:
                found.append(workloads.body(place, winners, restart.configured(place, winners)))
        return found

    def plan(self, run: addons.Run) -> list[addons.Change]:
        links = state.links_of(run.cluster, run.facts)
        ours, others = state.split(run, state.every_console(run))
        live = ownership.read_all(run.door)
        targets.read(run, links)
        changes = [
            _planned(run, place, live.get(place), theirs, others)
            for place, theirs in _places(links, live, others).items()
        ]
        return [*changes, *prune.planned(links, ours, live)]

    def apply(self, run: addons.Run) -> str:
        links = state.links_of(run.cluster, run.facts)
        ours, others = state.settle(run, links)
        live = ownership.read_all(run.door)
        targets.read(run, links)
        result = Result()
        for place, theirs in _places(links, live, others).items():
            run.checkpoint()
            _bring(run, place, live.get(place), theirs, ours, others, result)
        results.look_for_nameless(run, links, ours, result)
        results.say_left_out(run, result, ours)
        result.removed = prune.prune(run, links, ours, live, result.stuck)
        if result.failures:
            # `observe` does not run after a failed step, and the other links' rows must tell the truth too.
            observe.look(run, links)
            failures = list(result.failures.values())
            for failure in failures:
                state.fail(run, failure)
            raise state.step_failed(failures, len(links))
        if result.leftovers:
            raise addons.StepFailed(*result.leftovers[0])
        return result.summary()


def _services(cluster: Cluster, links: list[ExternalSecret]) -> list[Service]:
    """Return the services that links are for, as discovered; one more query only for links of namespaces."""
    found = {link.service.pk: link.service for link in links if link.service is not None}
    spaces = {link.namespace for link in links if link.service_id is None}
    if spaces:
        there = cluster.services.filter(namespace__in=spaces, gone_at=None)
        found |= {service.pk: service for service in there}
    return list(found.values())


def _places(
    links: list[ExternalSecret], live: dict[Place, Live], others: set[state.Key]
) -> dict[Place, list[ExternalSecret]]:
    """Return the links of each workload, and also those workloads that only have leftovers of ours."""
    found: dict[Place, list[ExternalSecret]] = {}
    of_namespace: dict[str, list[ExternalSecret]] = {}
    for link in links:
        if link.service is None:
            of_namespace.setdefault(link.namespace, []).append(link)
        else:
            place = (link.service.kind, link.service.namespace, link.service.name)
            found.setdefault(place, []).append(link)
    for place, environment in live.items():
        wide = of_namespace.get(place[1], [])
        if wide and (place in found or obstacles.refusal(place, environment, others) is None):
            found.setdefault(place, []).extend(wide)
        elif (
            environment.has_ours
            and place not in found
            and not obstacles.of_another(place, environment, others)
        ):
            found[place] = []
    return found


def _decide(place: Place, environment: Live, links: list[ExternalSecret]) -> obstacles.Verdict:
    decided = wanted.for_workload(links, place, environment.containers, environment.own)
    return obstacles.judge(place, environment, decided)


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
    verdict = _decide(place, environment, links)
    could = [one for one, clash in verdict.clashes if clash.conflict]
    body, change = _change(run, place, environment, [*verdict.fits, *could])
    change = replace(change, notes=tuple(verdict.notes))
    if not verdict.clashes:
        return applying.asked(run, change, body) if run.ask else change
    clashes = [clash for _, clash in verdict.clashes]
    conflicts = tuple(clash.conflict for clash in clashes if clash.conflict)
    problem = " ".join(clash.reason for clash in clashes if not clash.conflict)
    return replace(change, action="change", conflicts=conflicts, problem=problem)


def _change(
    run: addons.Run, place: Place, environment: Live, fits: list[Wanted]
) -> tuple[addons.Manifest, addons.Change]:
    """Return what we apply to a workload, and what that changes. A new value alone is no reason to apply it."""
    is_now = environment.annotations.get(workloads.SYNCED, "") if fits else ""
    to_be = restart.mark(run, place, restart.secrets_of(fits))
    body = workloads.body(place, fits, is_now)
    change = applying.change_of(body, environment.manifest)
    if change.action == "unchanged" and is_now and to_be not in ("", is_now):
        restart.note(run, place)
    if to_be and to_be != is_now and (change.action != "unchanged" or not is_now):
        body = workloads.body(place, fits, to_be)
        change = applying.change_of(body, environment.manifest)
    # A CronJob's next run takes it up; a pod that runs is left alone.
    return body, replace(change, restarts=place[0] != "CronJob" and change.action == "change")


def _may_overwrite(run: addons.Run, place: Place, clash: obstacles.Clash) -> bool:
    """Tell whether somebody saw this clash and decided to take the entry over."""
    found = (clash.conflict,) if clash.conflict else ()
    return run.decided(addons.Change("change", place[0], place[2], place[1], conflicts=found))


def _bring(
    run: addons.Run,
    place: Place,
    environment: Live | None,
    links: list[ExternalSecret],
    ours: state.Objects,
    others: set[state.Key],
    result: Result,
) -> None:
    """Give one workload what is for it; what cannot be done is kept in the result, and the rest goes on."""
    refusal = obstacles.refusal(place, environment, others)
    if refusal is not None or environment is None:
        for link in links:
            if link.service_id is not None:
                result.fail(link, *(refusal or ("", "")))
        result.stuck.add(place)
        return
    verdict = _decide(place, environment, links)
    run.log_all("info", verdict.notes)
    fits = list(verdict.fits)
    for one, clash in verdict.clashes:
        if _may_overwrite(run, place, clash):
            fits.append(one)
        else:
            result.fail(one.link, clash.reason, clash.remedy)
    there = [
        one for one in fits if holding.is_in_place(environment, one) or holding.may_go_in(run, one, ours)
    ]
    waiting = [one for one in fits if one not in there]
    for one in waiting:
        result.leave_out(one.link)
    there = _with_their_files(there)
    why = holding.why(run, environment, links, there, waiting, ours)
    if why and _change(run, place, environment, there)[1].action != "unchanged":
        _hold(run, place, environment, there, why, result)
    else:
        _apply(run, place, environment, there, result)


def _hold(
    run: addons.Run, place: Place, environment: Live, there: list[Wanted], why: str, result: Result
) -> None:
    """Leave a workload as it is, and say so of everything that would have come."""
    run.log("warning", f"{place[1]}/{place[2]} is left as it is: {why}.")
    result.stuck.add(place)
    for one in there:
        if not holding.is_in_place(environment, one):
            reason = f"{place[1]}/{place[2]} is left as it is: {why}."
            result.fail(one.link, reason, holding.REMEDY)


def _with_their_files(fits: list[Wanted]) -> list[Wanted]:
    """Leave out the variables whose file is left out."""
    files = {(one.container, one.name) for one in fits if one.form == Form.FILE}
    return [one for one in fits if one.form != Form.PATH or (one.container, one.link.path) in files]


def _apply(run: addons.Run, place: Place, environment: Live, fits: list[Wanted], result: Result) -> None:
    """Apply what is ours; what another manager turns out to own is left out, and the rest goes in."""
    while True:
        body, change = _change(run, place, environment, fits)
        if change.action == "unchanged":
            # Whoever began this before was lost on the way, or there was nothing to do.
            run.record.settle([change])
            break
        run.record.intend([change])
        try:
            _send(run, place, environment, body, fits)
        except kubernetes.Conflict as error:
            out = obstacles.blamed(error, fits)
            if not out:
                # It is about what several share: without it the rest would lose what it has.
                _refused(run, place, (error.reason, error.remedy), fits, result)
                return
            for one, whom in out:
                result.fail(one.link, *obstacles.taken(*whom))
            gone = {one.slot for one, _ in out}
            fits = _with_their_files([one for one in fits if one.slot not in gone])
            continue
        except (kubernetes.Invalid, kubernetes.Forbidden, kubernetes.NotFound, kubernetes.Changed) as error:
            _refused(run, place, (error.reason, error.remedy), fits, result)
            return
        result.changed += 1
        run.record.done([change])
        run.log("info", f"{place[1]}/{place[2]} has {results.of(fits)}.")
        break
    result.count(fits)


def _refused(run: addons.Run, place: Place, why: tuple[str, str], fits: list[Wanted], result: Result) -> None:
    reason, remedy = why
    for one in fits:
        result.fail(one.link, reason, remedy)
    if not fits:
        result.leftovers.append((f"{place[1]}/{place[2]}: {reason}", remedy))
    result.stuck.add(place)
    run.log("error", f"{place[1]}/{place[2]}: {reason}")


def _send(
    run: addons.Run, place: Place, environment: Live, body: addons.Manifest, fits: list[Wanted]
) -> None:
    """Apply what is ours; by force when all that stands in the way is what somebody decided to take over.

    :raises Conflict: others own more than that
    """
    _empty(run, place, environment, {one.slot for one in fits})
    try:
        run.door.apply(body)
    except kubernetes.Conflict as error:
        seen = addons.Change("change", place[0], place[2], place[1], conflicts=tuple(error.conflicts))
        clashes = [obstacles.clash(environment, one) for one, _ in obstacles.blamed(error, fits)]
        may = clashes and all(clash and _may_overwrite(run, place, clash) for clash in clashes)
        if not may and not run.decided(seen):
            raise
        run.door.apply(body, force=True)


def _empty(run: addons.Run, place: Place, environment: Live, kept: set[Slot]) -> None:
    """Remove whole what was taken over and is not wanted any more.

    Its first manager still has the name, and an entry without a value would stay. The workload is read anew when
    somebody, if only its controller, writes to it meanwhile.
    """
    for left in reversed(range(restart.ATTEMPTS)):
        hollow = environment.hollow - kept
        if not hollow:
            return
        revision = environment.manifest["metadata"]["resourceVersion"]
        try:
            run.door.merge(workloads.without(place, hollow, revision))
            return
        except kubernetes.Changed:
            again = ownership.read_one(run.door, place)
            if not left or again is None:
                raise
            environment = again
