"""What external secrets of others would become here: a link for each use, or why not. Nothing is written."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from accesses.models import Access
from clusters.models import Cluster
from external_secrets.exchange import judging, stores, wishes
from external_secrets.exchange.reading import Foreign, StoreKey, Takes
from external_secrets.exchange.rows import Choice, Row, State, World
from external_secrets.exchange.stores import Store
from external_secrets.exchange.uses import Use
from external_secrets.limits import Limits


@dataclass(frozen=True, slots=True)
class Sources:
    """What is to be taken over: external secrets, the stores they read from, and who uses their Secrets.

    `is_shared` says that one external secret with several users stays one: the others become other names of it.
    """

    externals: list[Foreign]
    stores: Mapping[StoreKey, Store]
    uses: Mapping[tuple[str, str], list[Use]]
    is_shared: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """All of it."""

    rows: list[Row]
    choices: list[Choice]

    def count(self, state: State) -> int:
        return sum(row.state == state for row in self.rows)

    @property
    def takeable(self) -> list[Row]:
        return [row for row in self.rows if row.can_take]


def plan(
    cluster: Cluster,
    sources: Sources,
    chosen: Mapping[str, str] | None = None,
    limits: Limits | None = None,
) -> Plan:
    """Return what would become of each external secret; `chosen` are names of accesses by a store's `slug`.

    Beyond the `limits` of the one who asks nothing is looked at, and nothing can be taken.
    """
    world = World(cluster, limits)
    needed = {reference.store for one in sources.externals for reference in one.references}
    choices: dict[StoreKey, Choice] = {}
    for key in sorted(needed):
        store = sources.stores.get(key) or Store(key)
        choices[key] = _choice(store, world.accesses, (chosen or {}).get(store.slug, ""))
    rows = [row for one in sources.externals for row in _rows(one, sources, world, choices)]
    return Plan(rows, list(choices.values()))


def _choice(store: Store, accesses: list[Access], wanted: str) -> Choice:
    found = stores.matches(store, accesses) if store.provider else []
    named = next((one for one in found if one.access.name == wanted), None)
    return Choice(store, found, named or (found[0] if found and not wanted else None))


def _rows(one: Foreign, sources: Sources, world: World, choices: Mapping[StoreKey, Choice]) -> Iterator[Row]:
    shut = "" if world.opens(one.namespace) else f"Your roles do not reach the namespace {one.namespace}."
    if shut or one.problem or not one.references:
        reason = shut or one.problem or "It takes nothing."
        yield Row(one, State.UNSUPPORTED, reason=reason)
        return
    used = sources.uses.get((one.namespace, one.secret), [])
    explicit = {reference.secret_key for reference in one.references if reference.secret_key}
    for reference in one.references:
        first: Row | None = None
        for wish in wishes.of_reference(one, reference, used, explicit, world):
            row = judging.judged(wish, choices[reference.store], world)
            if sources.is_shared:
                row = _alias(row, first)
                first = first or (row if row.can_take or row.state == State.EQUAL else None)
            elif row.values:
                # Who reads the live cluster has seen what is at that place.
                row = replace(row, takes_over=True)
            yield row


def _alias(row: Row, first: Row | None) -> Row:
    """Make a row another name of the first one of the same external secret, where that is one value."""
    if first is None or not row.can_take or row.values["takes"] != Takes.VALUE:
        return row
    return replace(row, alias_of=first.token, original=first.link if first.state == State.EQUAL else None)


def by_id(tokens: Iterable[str], found: Plan) -> tuple[list[Row], int]:
    """Return the rows that a form chose, and how many of its tokens stand for nothing any more."""
    wanted = set(tokens)
    rows = [row for row in found.takeable if row.token in wanted]
    return rows, len(wanted - {row.token for row in rows})
