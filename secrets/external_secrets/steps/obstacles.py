"""What keeps a variable or a file of ours out of a workload: the plan tells it, and the step stops at it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from clusters import kubernetes
from external_secrets import workloads
from external_secrets.ownership import Live, Place, Slot
from external_secrets.steps import state
from external_secrets.wanted import Form, Wanted

_SLOT = re.compile(
    r'containers\[name="(?P<container>[^"]+)"\]\.(?:env\[name|volumeMounts\[mountPath)="(?P<name>[^"]+)"\]'
)
_ELSEWHERE = "Choose another directory for the file, or remove that mount there."


@dataclass(frozen=True, slots=True)
class Clash:
    """Why something cannot be ours; with `conflict`, (manager, where), somebody may decide to take it over."""

    reason: str
    remedy: str
    conflict: tuple[str, str] | None = None


@dataclass(slots=True)
class Verdict:
    """What of the wanted can go into one workload, what cannot, and what is left to what the workload has itself."""

    fits: list[Wanted] = field(default_factory=list)
    clashes: list[tuple[Wanted, Clash]] = field(default_factory=list)
    # A line each for the log and the plan.
    notes: list[str] = field(default_factory=list)


def of_another(place: Place, environment: Live, others: set[state.Key]) -> bool:
    """Tell whether another Keyhaven, which is the same field manager, injects into the workload."""
    return any((place[1], secret) in others for secret in environment.secrets)


def refusal(place: Place, environment: Live | None, others: set[state.Key]) -> tuple[str, str] | None:
    """Return why nothing can be done to a workload, as (reason, remedy), or None."""
    kind, namespace, name = place
    if environment is None:
        return (
            f"The {kind} {name} is gone from {namespace}.",
            "Bring it back, or unlink its secrets; then deploy.",
        )
    if of_another(place, environment, others):
        return (
            f"Another Keyhaven cluster injects into {namespace}/{name}.",
            "One console at a time can give a workload its variables; unlink its secrets in one of them.",
        )
    return None


def judge(place: Place, environment: Live, decided: Iterable[Wanted]) -> Verdict:
    """Return what of the wanted fits. Files first: a variable with the path of a file goes where the file goes."""
    verdict = Verdict()
    for one in sorted(decided, key=lambda one: _order(environment, one)):
        if not one.wins:
            verdict.notes += _note(place, one)
            continue
        found = clash(environment, one) or _among(verdict.fits, one)
        if found and one.gives_way:
            verdict.notes.append(f"{place[1]}/{place[2]} goes without {one.name}: {found.reason}")
        elif found:
            verdict.clashes.append((one, found))
        elif one.form != Form.PATH or _has_file(verdict.fits, one):
            verdict.fits.append(one)
    return verdict


def _order(environment: Live, one: Wanted) -> tuple[bool, bool, Slot]:
    is_new = (one.container, workloads.mount_point(one)) not in environment.ours
    return one.form != Form.FILE, one.form == Form.FILE and is_new, one.slot


def _note(place: Place, one: Wanted) -> Iterator[str]:
    """Yield a line about what loses, unless it loses to a narrower link, as it should."""
    where = f"{place[1]}/{place[2]}"
    if one.own:
        yield f"{where} sets {one.name} itself, in the container {one.container}; the link of {one.link.place} gives way."
    elif one.loser_to and one.loser_to.several and one.several:
        yield f"{where} gets one {one.name} only, in the container {one.container}: {one.why_not}"


def _has_file(fits: list[Wanted], path: Wanted) -> bool:
    return any(
        one.form == Form.FILE and (one.container, one.name) == (path.container, path.link.path)
        for one in fits
    )


def clash(environment: Live, one: Wanted) -> Clash | None:
    """Return what is in the way of one variable or file: no such container, or something of somebody else.

    Only an entry that reads a Secret can be taken over: any other kind would stay beside ours, and the API server
    refuses an entry with two sources.
    """
    if one.container not in environment.containers:
        return Clash(
            f"There is no container {one.container} in it any more.",
            "Unlink the secret and link it to a container that is there.",
        )
    if one.form == Form.FILE:
        return _mount_clash(environment, one)
    if one.slot not in environment.entries or one.slot in environment.ours:
        return None
    managers = _managers(environment, one.slot)
    where = f'containers[name="{one.container}"].env[name="{one.name}"]'
    can_be_taken = one.form == Form.VARIABLE and bool(environment.secret_of(one.slot))
    return Clash(*taken(managers, where), (managers, where) if can_be_taken else None)


def _managers(environment: Live, slot: Slot) -> str:
    return " and ".join(environment.owners.get(slot, [])) or "somebody else"


def taken(manager: str, where: str) -> tuple[str, str]:
    """Return the reason and the remedy for an entry that somebody else sets."""
    if "volumeMounts" in where:
        return f"{manager} already sets {where}.", _ELSEWHERE
    return (
        f"{manager} already sets {where}.",
        "Remove the variable there, or link the secret under another name.",
    )


def _mount_clash(environment: Live, one: Wanted) -> Clash | None:
    """Return which mount of somebody else's is in the way of ours, or would keep the pod from starting with it."""
    wrong = workloads.refuses(one)
    if wrong:
        return Clash(wrong, "Give the file another path.")
    for name in set(workloads.volume_names(one)) & (environment.volumes.keys() - environment.our_volumes):
        who = " and ".join(environment.volume_owners.get(name, [])) or "somebody else"
        return Clash(f"{who} already has a volume {name} there.", "Rename or remove that volume there.")
    point = workloads.mount_point(one)
    for container, theirs in sorted(environment.own):
        if container != one.container or not theirs.startswith("/"):
            continue
        slot = (container, theirs)
        what = f"{environment.source_of(slot)} at {theirs} in the container {container}"
        who = _managers(environment, slot)
        if theirs.rstrip("/") == point:
            return Clash(f"{who} already mounts the {what}.", _ELSEWHERE)
        if _is_inside(theirs, point):
            return Clash(f"{who} mounts the {what}, inside of {point}: no pod could start.", _ELSEWHERE)
        if _is_inside(point, theirs) and environment.is_read_only(slot):
            return Clash(f"{who} mounts the {what}, and nothing can be mounted inside of it.", _ELSEWHERE)
    return None


def _is_inside(inner: str, outer: str) -> bool:
    return inner != outer and inner.startswith(f"{outer.rstrip('/')}/")


def _among(fits: list[Wanted], one: Wanted) -> Clash | None:
    """Return which of our own mounts is in the way: nothing can be mounted inside a directory of files."""
    if one.form != Form.FILE:
        return None
    point, home = workloads.mount_point(one), workloads.directory(one)
    for other in fits:
        theirs = workloads.mount_point(other) if other.form == Form.FILE else point
        if other.container != one.container or home == workloads.directory(other):
            continue
        if _is_inside(point, theirs) or _is_inside(theirs, point):
            return Clash(
                f"{one.name} cannot be mounted beside {other.name} of another link: {point} and {theirs} lie inside "
                "each other, and no pod could start.",
                "Choose another directory for one of them.",
            )
    return None


def blamed(error: kubernetes.Conflict, wanted: Iterable[Wanted]) -> list[tuple[Wanted, tuple[str, str]]]:
    """Return whom a conflict names for which of ours: nobody when part of it is about something that none of them is."""
    by_slot: dict[Slot, list[Wanted]] = {}
    for one in wanted:
        name = workloads.mount_point(one) if one.form == Form.FILE else one.name
        for slot in {(one.container, name), one.slot}:
            by_slot.setdefault(slot, []).append(one)
    found = {}
    for manager, where in error.conflicts:
        match = _SLOT.search(where)
        theirs = by_slot.get((match["container"], match["name"]), []) if match else []
        if not theirs:
            return []
        for one in theirs:
            found[one.slot] = (one, (manager, where.lstrip(".")))
    return list(found.values())
