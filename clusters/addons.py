"""The contract between a deploy and what is deployed: an add-on offers steps; a step can plan and apply.

The apps above this one register their steps in `AppConfig.ready()`, so that `clusters` never imports them.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

from clusters.kubernetes.comparing import Field

if TYPE_CHECKING:
    from clusters.kubernetes import Door
    from clusters.models import Cluster

type Level = Literal["info", "warning", "error"]
type Action = Literal["create", "change", "delete", "unchanged"]
type Manifest = dict[str, Any]
# What the steps of a run tell each other.
type Facts = dict[str, Any]
# kind, namespace (empty for a cluster-wide object), name
type Key = tuple[str, str, str]


class StepFailed(Exception):
    """A step cannot go on. `cause` says what is wrong, `remedy` what to do; neither holds a secret's value."""

    def __init__(self, cause: str, remedy: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Change:
    """What a step would do, or did, to one object of the cluster.

    `conflicts` are (field manager, field) that stand in the way; `problem` is why the API server would refuse it.
    """

    action: Action
    kind: str
    name: str
    namespace: str = ""
    fields: tuple[Field, ...] = ()
    conflicts: tuple[tuple[str, str], ...] = ()
    problem: str = ""
    # Pods are started anew by it.
    restarts: bool = False
    # What it leaves alone, and why.
    notes: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        return self.kind, self.namespace, self.name

    @property
    def decision(self) -> str:
        """The decision to overwrite what stands in the way: the object, and each manager and field that was seen."""
        return "|".join([self.path, *sorted(f"{manager} {where}" for manager, where in self.conflicts)])

    @property
    def path(self) -> str:
        """The object as `Kind namespace/name`."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    def facts(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)

    @classmethod
    def of(cls, facts: dict[str, Any]) -> Self:
        """Return what `facts` returned, read again."""
        fields = tuple(Field(**one | {"owners": tuple(one["owners"])}) for one in facts["fields"])
        conflicts = tuple((who, where) for who, where in facts["conflicts"])
        # Rows are older than the code that reads them.
        known = {name: facts[name] for name in cls.__dataclass_fields__ if name in facts}
        lists = {"fields": fields, "conflicts": conflicts, "notes": tuple(known.get("notes", ()))}
        return cls(**known | lists)


class Record(Protocol):
    """Where a run writes down what it changes: before it does, and again when it is done."""

    def intend(self, changes: Iterable[Change]) -> None: ...

    def done(self, changes: Iterable[Change]) -> None: ...

    def settle(self, unchanged: Iterable[Change]) -> None: ...

    def mine(self, kind: str) -> set[str]:
        """Return the names of the objects of a kind that this deploy has changed, in this turn or an earlier one."""

    def changed(self, *kinds: str) -> set[str]:
        """Return the names of the objects of these kinds that changed since the last success, in this deploy or before."""


@dataclass(slots=True)
class Run:
    """What a step is given: the cluster, the open door to it, the log, and facts that earlier steps found.

    `ask` says that a plan asks the API server by dry runs. `overwrite` holds the decisions (`Change.decision`) to take
    fields from other field managers. `turn` is unlike that of any other deploy of the cluster.
    """

    cluster: "Cluster"
    door: "Door"
    log: Callable[[Level, str], None]
    # Many lines at once.
    log_all: Callable[[Level, list[str]], None]
    checkpoint: Callable[[], None]
    record: Record
    turn: str = ""
    ask: bool = False
    overwrite: frozenset[str] = frozenset()
    facts: Facts = field(default_factory=dict)

    def decided(self, change: Change) -> bool:
        """Tell whether somebody saw all the conflicts of a change and decided to overwrite them."""
        against = {f"{manager} {where}" for manager, where in change.conflicts}
        seen = (words.split("|") for words in self.overwrite)
        return bool(against) and any(path == change.path and against <= set(rest) for path, *rest in seen)


class Step(Protocol):
    """One part of a run. Applying it twice leaves the cluster as applying it once.

    A step that inherits from this configures and plans nothing unless it says otherwise.
    """

    slug: str
    label: str
    order: int

    def wanted(self, cluster: "Cluster", facts: Facts) -> list[Manifest]:
        """Return the objects as configured, without a value of a secret; `facts` are those of the run."""
        return []

    def plan(self, run: Run) -> list[Change]:
        """Return what `apply` would do, without writing."""
        return []

    def apply(self, run: Run) -> str:
        """Bring the cluster to the configured state and return one line that says what was done.

        :raises StepFailed: the deploy cannot go on
        """


# The kinds of runs that take everything away that is not configured any more; the last one the operator as well.
REMOVALS = ("remove", "remove-all")
_steps: dict[str, dict[str, Step]] = {}
_watches: dict[str, Callable[[Run], None]] = {}


def register(step: Step, kind: str = "deploy") -> None:
    """Offer a step to one kind of run. Steps run by their `order`."""
    offered = _steps.setdefault(kind, {})
    if step.slug in offered and type(offered[step.slug]) is not type(step):
        raise ValueError(f"Two steps are called {step.slug}.")
    offered[step.slug] = step


def steps(kind: str = "deploy") -> list[Step]:
    """Return every step of a kind of run, in the order in which it runs them."""
    return sorted(_steps.get(kind, {}).values(), key=lambda step: step.order)


def register_watch(name: str, act: Callable[[Run], None]) -> None:
    """Have `act` called at each look at a cluster: it keeps what is seen there on the rows, and writes nothing there."""
    _watches[name] = act


def watches() -> list[Callable[[Run], None]]:
    """Return what is called at each look."""
    return list(_watches.values())


def key_of(manifest: Manifest) -> Key:
    """Return the key of an object."""
    metadata = manifest["metadata"]
    return manifest["kind"], metadata.get("namespace", ""), metadata["name"]


def snapshot(cluster: "Cluster", facts: Facts | None = None) -> list[Manifest]:
    """Return everything that is configured for a cluster, without a value of a secret."""
    known: Facts = {} if facts is None else facts
    return [manifest for step in steps() for manifest in step.wanted(cluster, known)]
