"""Bringing objects to a cluster: what is in step is not sent, the rest several at a time, each written down first."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import batched
from typing import Any

from clusters import addons, kubernetes
from clusters.addons import Change, Key, Manifest, Run
from clusters.kubernetes import comparing

# So many requests are on their way at once; the API server's fairness is not ours to test.
AT_ONCE = 8
# Between two checkpoints.
BATCH = 32

type Live = dict[Key, Manifest]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one object: the change, and the error if the API server refused it."""

    change: Change
    error: kubernetes.ClusterError | None = None


def by_key(items: Iterable[Manifest]) -> Live:
    """Return objects by their key."""
    return {addons.key_of(item): item for item in items}


def change_of(wanted: Manifest, live: Manifest | None, **facts: Any) -> Change:
    """Return what applying an object would do, without a request."""
    kind, namespace, name = addons.key_of(wanted)
    if live is None:
        return Change("create", kind, name, namespace, tuple(comparing.fields_of(wanted)), **facts)
    fields = tuple(comparing.differences(wanted, live))
    return Change("change" if fields else "unchanged", kind, name, namespace, fields, **facts)


def deletion(kind: str, name: str, namespace: str = "") -> Change:
    return Change("delete", kind, name, namespace)


def _each[Item, Result](act: Callable[[Item], Result], items: list[Item]) -> list[Result]:
    """Call `act` for each item, several at a time and in order. It must not touch the database."""
    if len(items) < 2:
        return [act(item) for item in items]
    with ThreadPoolExecutor(min(AT_ONCE, len(items)), thread_name_prefix="apply") as pool:
        return list(pool.map(act, items))


def gather[Item, Result](run: Run, act: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield `act` of each item, in order, with a checkpoint before each batch. It must not touch the database."""
    for batch in batched(items, BATCH):
        run.checkpoint()
        yield from _each(act, list(batch))


def plan(run: Run, wanted: list[Manifest], live: Live) -> list[Change]:
    """Return what applying would do; with `run.ask`, what differs is asked of the API server by a dry run."""
    changes = [change_of(manifest, live.get(addons.key_of(manifest))) for manifest in wanted]
    pairs = zip(changes, wanted, strict=True)
    if not run.ask:
        return changes
    return list(gather(run, lambda pair: asked(run, *pair), pairs))


def asked(run: Run, change: Change, manifest: Manifest) -> Change:
    """Return a change with what the API server says of it: conflicts, or why it refuses."""
    if change.action == "unchanged":
        return change
    try:
        run.door.apply(manifest, dry_run=True)
    except kubernetes.Conflict as error:
        return replace(change, conflicts=tuple(error.conflicts))
    except kubernetes.KindMissing:
        # The operator, which an earlier step installs, brings it.
        return change
    except (kubernetes.Unreachable, kubernetes.Unauthorized):
        raise
    except kubernetes.NotFound as error:
        # So does the operator's own namespace.
        ours = change.namespace == run.cluster.operator_namespace
        return change if ours else replace(change, problem=error.reason)
    except kubernetes.ClusterError as error:
        # A webhook that cannot be asked in a dry run says nothing about the deploy.
        silent = "does not support dry run" in error.reason
        return change if silent else replace(change, problem=error.reason)
    return change


def bring(run: Run, wanted: list[Manifest], live: Live) -> list[Outcome]:
    """Apply the objects that are not in step and return what became of each, in order.

    :raises Unreachable: or Unauthorized, which are no answer about an object
    """
    changes = [change_of(manifest, live.get(addons.key_of(manifest))) for manifest in wanted]
    run.record.settle(changes)
    found: list[Outcome] = []
    for batch in batched(zip(changes, wanted, strict=True), BATCH):
        run.checkpoint()
        run.record.intend(change for change, _ in batch)
        outcomes = _each(lambda pair: send(run, *pair), list(batch))
        run.record.done(one.change for one in outcomes if not one.error)
        _raise_silence(outcomes)
        found += outcomes
    return found


def _raise_silence(outcomes: list[Outcome]) -> None:
    """Raise what is no answer about an object: the rest of them would fare no better."""
    for one in outcomes:
        if isinstance(one.error, kubernetes.Unreachable | kubernetes.Unauthorized):
            raise one.error


def send(run: Run, change: Change, manifest: Manifest) -> Outcome:
    """Apply one object, unless it is in step; what others own is taken from them only if somebody decided so."""
    if change.action == "unchanged":
        return Outcome(change)
    try:
        run.door.apply(manifest)
    except kubernetes.Conflict as error:
        return _overwrite(run, replace(change, conflicts=tuple(error.conflicts)), manifest, error)
    except kubernetes.ClusterError as error:
        return Outcome(replace(change, problem=error.reason), error)
    return Outcome(change)


def _overwrite(run: Run, change: Change, manifest: Manifest, refusal: kubernetes.Conflict) -> Outcome:
    if not run.decided(change):
        return Outcome(change, refusal)
    try:
        run.door.apply(manifest, force=True)
    except kubernetes.ClusterError as error:
        return Outcome(replace(change, problem=error.reason), error)
    return Outcome(change)


def remove(run: Run, api_version: str, kind: str, name: str, namespace: str = "") -> bool:
    """Delete an object and tell whether it was there."""
    run.checkpoint()
    change = deletion(kind, name, namespace)
    run.record.intend([change])
    was_there = run.door.delete(api_version, kind, name, namespace or None)
    run.record.done([change])
    return was_there
