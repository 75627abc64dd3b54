"""The contract between a deploy and what is deployed: an add-on offers steps; a step can plan and apply.

The apps above this one register their steps in `AppConfig.ready()`, so that `clusters` never imports them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from clusters.kubernetes import Door
    from clusters.models import Cluster, Deploy

type Level = Literal["info", "warning", "error"]


class StepFailed(Exception):
    """A step cannot go on. `cause` says what is wrong, `remedy` what to do; neither holds a secret's value."""

    def __init__(self, cause: str, remedy: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Change:
    """What a step would do to one object of the cluster: `create`, `change`, `delete` or `unchanged`."""

    action: Literal["create", "change", "delete", "unchanged"]
    kind: str
    name: str
    namespace: str = ""


@dataclass(slots=True)
class Run:
    """What a step is given: the cluster, the open door to it, the log, and facts that earlier steps found."""

    cluster: "Cluster"
    deploy: "Deploy"
    door: "Door"
    log: Callable[[Level, str], None]
    checkpoint: Callable[[], None]
    facts: dict[str, Any] = field(default_factory=dict)


class Step(Protocol):
    """One part of a deploy. Applying it twice leaves the cluster as applying it once."""

    slug: str
    label: str
    order: int

    def plan(self, run: Run) -> list[Change]:
        """Return what `apply` would do, without writing."""

    def apply(self, run: Run) -> str:
        """Bring the cluster to the configured state and return one line that says what was done.

        :raises StepFailed: the deploy cannot go on
        """


_steps: dict[str, Step] = {}


def register(step: Step) -> None:
    """Offer a step. Steps run by their `order`."""
    if step.slug in _steps and type(_steps[step.slug]) is not type(step):
        raise ValueError(f"Two steps are called {step.slug}.")
    _steps[step.slug] = step


def steps() -> list[Step]:
    """Return every step, in the order in which a deploy runs them."""
    return sorted(_steps.values(), key=lambda step: step.order)
