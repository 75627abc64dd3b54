"""What keeps an entry of ours from going into a workload: the plan tells it, and the step stops at it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from clusters import kubernetes
from external_secrets.ownership import Live, Place, Slot
from external_secrets.steps import state

_SLOT = re.compile(r'containers\[name="(?P<container>[^"]+)"\]\.env\[name="(?P<variable>[^"]+)"\]')


@dataclass(frozen=True, slots=True)
class Clash:
    """Why an entry cannot be ours; with `conflict`, (manager, where), somebody may decide to take it over."""

    reason: str
    remedy: str
    conflict: tuple[str, str] | None = None


def of_another(place: Place, environment: Live, others: set[state.Key]) -> bool:
    """Tell whether another Keyhaven, which is the same field manager, injects into the workload."""
    return any((place[1], environment.secret_of(slot)) in others for slot in environment.ours)


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


def clash(environment: Live, slot: Slot) -> Clash | None:
    """Return what is in the way of one entry: no such container, or somebody else's entry of that name.

    Only an entry that reads a Secret can be taken over: any other kind would stay beside ours, and the API server
    refuses an entry with two sources.
    """
    container, variable = slot
    if container not in environment.containers:
        return Clash(
            f"There is no container {container} in it any more.",
            "Unlink the secret and link it to a container that is there.",
        )
    if slot not in environment.entries or slot in environment.ours:
        return None
    managers = " and ".join(environment.owners.get(slot, [])) or "somebody else"
    where = f'containers[name="{container}"].env[name="{variable}"]'
    reads_secret = bool(environment.secret_of(slot))
    return Clash(*taken(managers, where), (managers, where) if reads_secret else None)


def taken(manager: str, where: str) -> tuple[str, str]:
    """Return the reason and the remedy for an entry that somebody else sets."""
    return (
        f"{manager} already sets {where}.",
        "Remove the variable there, or link the secret under another name.",
    )


def blamed(error: kubernetes.Conflict, wanted: Iterable[Slot]) -> dict[Slot, tuple[str, str]]:
    """Return whom a conflict names for which entry; when it names none of ours, all of them are out."""
    slots, found = set(wanted), {}
    for manager, where in error.conflicts:
        match = _SLOT.search(where)
        if match and (match["container"], match["variable"]) in slots:
            found[match["container"], match["variable"]] = (manager, where.lstrip("."))
    return found or dict.fromkeys(slots, ("Another manager", "a field of this workload"))
