"""What the pages and the API show of a rotation to somebody: clusters that may not be seen are only counted."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from accounts.roles import Permission
from clusters.models import Rotation
from clusters.rotations import making, moving, retiring, services

type Allows = Callable[..., bool]


@dataclass(frozen=True, slots=True)
class Step:
    """One step: `status` is a word of deploy steps, `summary` one line of what came of it."""

    label: str
    status: str
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """A rotation as somebody sees it. `hidden` are the clusters outside of their roles, counted by how far they are."""

    rotation: Rotation
    states: list[moving.State]
    shown: list[tuple[moving.State, bool]]
    hidden: dict[str, int]
    steps: list[Step] = field(default_factory=list)

    @property
    def moved(self) -> int:
        return sum(state.word == "moved" for state in self.states)

    @property
    def is_busy(self) -> bool:
        """Whether something happens by itself, so that the page asks again."""
        making_it = self.rotation.status == Rotation.Status.MAKING
        return making_it or any(state.word == "deploying" for state in self.states) or self._settling

    @property
    def _settling(self) -> bool:
        return self.rotation.status == Rotation.Status.MOVING and self.moved == len(self.states)

    @property
    def can_deploy(self) -> list[str]:
        """The clusters that the one who asks may bring the new key to, and that wait for it."""
        return [state.name for state, may in self.shown if may and state.word in ("waiting", "failed")]


def see(rotation: Rotation, allows: Allows) -> Seen:
    states = [] if rotation.status == Rotation.Status.MAKING else moving.states(rotation)
    shown = [
        (state, allows(Permission.DEPLOY_RUN, cluster=state.name))
        for state in states
        if allows(Permission.CLUSTER_VIEW, cluster=state.name)
    ]
    visible = {state.name for state, _ in shown}
    hidden: dict[str, int] = {}
    for state in states:
        if state.name not in visible:
            hidden[state.word] = hidden.get(state.word, 0) + 1
    return Seen(rotation, states, shown, hidden, steps(rotation, states))


def steps(rotation: Rotation, states: list[moving.State]) -> list[Step]:
    """Return the steps of a rotation, each with how far it is."""
    found = [
        _new_key(rotation),
        _saved(rotation),
        _deployed(rotation, states),
        _unused(rotation),
        _removed(rotation),
    ]
    if rotation.status == Rotation.Status.UNDONE:
        return [
            Step(one.label, "skipped" if one.status in ("waiting", "running") else one.status, one.summary)
            for one in found
        ]
    return found


def _new_key(rotation: Rotation) -> Step:
    label = "Make the new key"
    if rotation.status == Rotation.Status.MAKING:
        return Step(
            label, "running", "Keyhaven makes it and waits until the cloud knows it, which takes some seconds"
        )
    if failed(rotation):
        return Step(label, "failed", rotation.error)
    by = "Keyhaven" if rotation.made_here else "hand"
    key = services.key_of(rotation.new_facts)
    return Step(label, "succeeded", f"{key}, made by {by}" if key else f"Made by {by}")


def failed(rotation: Rotation) -> bool:
    """Tell whether the new key was never stored."""
    return rotation.status == Rotation.Status.UNDONE and rotation.ended_by == "Keyhaven"


def _saved(rotation: Rotation) -> Step:
    label = "Test and save it"
    if rotation.status == Rotation.Status.MAKING or failed(rotation):
        return Step(label, "waiting")
    if rotation.status == Rotation.Status.UNDONE:
        return Step(label, "succeeded", "Taken out again: the console signs in with the old values")
    rest = "" if rotation.status == Rotation.Status.DONE else "; the old values are kept until the end"
    return Step(label, "succeeded", f"The console signs in with it now{rest}")


def _deployed(rotation: Rotation, states: list[moving.State]) -> Step:
    label = "Deploy the clusters"
    if rotation.status == Rotation.Status.MAKING or failed(rotation):
        return Step(label, "waiting")
    words = {state.word for state in states}
    moved = sum(state.word == "moved" for state in states)
    summary = f"{moved} of {len(states)} have moved" if states else "No cluster uses it"
    if rotation.moved_at is not None or words <= {"moved"}:
        return Step(label, "succeeded", summary)
    status = "running" if "deploying" in words else "failed" if "failed" in words else "waiting"
    return Step(label, status, summary)


def _unused(rotation: Rotation) -> Step:
    label = "Confirm that the old key is unused"
    if rotation.status == Rotation.Status.DONE:
        return Step(label, "succeeded", f"By {rotation.confirmed_by}")
    if rotation.status != Rotation.Status.CONFIRMING:
        return Step(label, "waiting")
    doubt = retiring.doubt(rotation)
    if retiring.used_since(rotation):
        return Step(label, "failed", doubt)
    return Step(label, "waiting" if doubt else "succeeded", doubt or "The cloud has seen no use since")


def _removed(rotation: Rotation) -> Step:
    label = "Remove the old key"
    if rotation.status == Rotation.Status.DONE:
        return Step(label, "succeeded", rotation.get_old_display())
    key = services.key_of(rotation.old_facts)
    state = rotation.get_old_display().lower()
    return Step(
        label, "waiting", f"{key}: {state}" if key and rotation.status != Rotation.Status.UNDONE else ""
    )


def end_of_old_key(rotation: Rotation) -> dict[str, Any]:
    """Return what a page says of the old key while it waits for its end."""
    ring = retiring.keyring_of(rotation)
    return {
        "old_key": services.key_of(rotation.old_facts) or "the old key",
        "console_retires": ring is not None,
        "doubt": retiring.doubt(rotation),
        "used_since": retiring.used_since(rotation),
        "keyring_policy": ring.policy(rotation.credential.facts) if ring else "",
        "before_move": _before(rotation),
    }


def _before(rotation: Rotation) -> str:
    """Return how long before the last cluster had moved the old key was used, in words, or an empty string."""
    used, moved = rotation.old_used_at, rotation.moved_at
    if used is None or moved is None or used > moved:
        return ""
    minutes = round((moved - used).total_seconds() / 60)
    if minutes < 1:
        return "less than a minute"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"


def makes(rotation_or_credential: Any) -> dict[str, Any]:
    """Return what a page says of a credential whose keys the console may make: the policy for it, and its note."""
    ring = making.keyring_of(rotation_or_credential)
    if ring is None:
        return {"keyring": None}
    return {
        "keyring": ring,
        "keyring_policy": ring.policy(rotation_or_credential.facts),
        "keyring_note": ring.policy_note,
    }
