"""What external secrets of others would become here: a link for each use, or why not. Nothing is written."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from django.core.exceptions import ValidationError

from accesses.models import Access
from clusters.models import Cluster, Service
from external_secrets import services
from external_secrets.exchange import stores
from external_secrets.exchange.reading import Foreign, Reference, StoreKey, Takes
from external_secrets.exchange.stores import Match, Store
from external_secrets.exchange.uses import Use
from external_secrets.models import ExternalSecret, path_rule, variable_rule

Target, Mount = ExternalSecret.Target, ExternalSecret.Mount
# What a link is compared by with what is wanted.
COMPARED = (
    "takes", "key", "tags", "json_field", "version", "target", "variable", "path", "mount", "file_mode",
    "refresh_seconds", "when_gone", "restart_on_change",
)  # fmt: skip
_WORDS = {
    "takes": "what it takes", "key": "secret", "tags": "tags", "json_field": "JSON field", "version": "version",
    "target": "how it arrives", "mount": "mount", "file_mode": "file mode", "refresh_seconds": "refresh interval",
    "when_gone": "what happens when it is gone", "restart_on_change": "restart on change", "path": "path",
    "variable": "variable",
}  # fmt: skip


class State(StrEnum):
    """What taking over would do."""

    NEW = "new"
    EQUAL = "equal"
    CHANGED = "changed"
    PLACELESS = "needs a place"
    UNSUPPORTED = "unsupported"


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
class Row:
    """One link that would be made, or why it cannot be."""

    foreign: Foreign
    state: State
    reference: Reference | None = None
    use: Use | None = None
    place: services.Place | None = None
    match: Match | None = None
    values: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    # Where the variable comes from now, as `services.clash_with` says it.
    instead_of: str = ""
    link: ExternalSecret | None = None
    # Of several rows that share one external secret, the token of the first.
    alias_of: str = ""
    # Of several values, the keys that are used one by one now.
    keys: tuple[str, ...] = ()

    @property
    def token(self) -> str:
        """What names the row in a form, as long as nothing of it changes."""
        place = (self.place.namespace, str(self.place.service and self.place.service.pk), self.place.container) if self.place else ()
        access = str(self.match.access.pk) if self.match else ""
        content = [self.foreign.id, place, access, self.values, str(self.reference), str(self.use)]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:20]

    @property
    def can_take(self) -> bool:
        return self.state in (State.NEW, State.CHANGED)


@dataclass(frozen=True, slots=True)
class Choice:
    """A store, the accesses that may stand for it, and the one that does."""

    store: Store
    matches: list[Match]
    chosen: Match | None


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


class _World:
    """What the console knows of a cluster, read with a constant number of queries."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.accesses = list(Access.objects.filter(cluster=cluster).order_by("name"))
        found = Service.objects.filter(cluster=cluster, gone_at=None)
        self.services: dict[tuple[str, str, str], Service] = {}
        self.of_namespace: dict[str, list[Service]] = {}
        for service in found:
            service.cluster = cluster
            self.services[service.kind, service.namespace, service.name] = service
            self.of_namespace.setdefault(service.namespace, []).append(service)
        self.variables: dict[tuple[Any, ...], ExternalSecret] = {}
        self.paths: dict[tuple[Any, ...], ExternalSecret] = {}
        links = ExternalSecret.objects.filter(cluster=cluster).select_related("access", "variant", "service")
        for link in links:
            place = (link.namespace, link.service_id, link.container)
            if link.path:
                self.paths[*place, link.path] = link
            else:
                self.variables[*place, link.variable] = link

    def link_at(self, place: services.Place, values: dict[str, Any]) -> ExternalSecret | None:
        where = (place.namespace, place.service.pk if place.service else None, place.container)
        found = self.paths if values["path"] else self.variables
        return found.get((*where, values["path"] or values["variable"]))


def plan(cluster: Cluster, sources: Sources, chosen: Mapping[str, str] | None = None) -> Plan:
    """Return what would become of each external secret; `chosen` are names of accesses by a store's `slug`."""
    world = _World(cluster)
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


def _rows(one: Foreign, sources: Sources, world: _World, choices: Mapping[StoreKey, Choice]) -> Iterator[Row]:
    if one.problem or not one.references:
        reason = one.problem or "It takes nothing."
        yield Row(one, State.UNSUPPORTED, reason=reason)
        return
    used = sources.uses.get((one.namespace, one.secret), [])
    explicit = {reference.secret_key for reference in one.references if reference.secret_key}
    for reference in one.references:
        first = ""
        for row in _of_reference(one, reference, used, explicit, world):
            judged = _judged(row, choices[reference.store], world)
            if sources.is_shared and first and judged.can_take:
                judged = replace(judged, alias_of=first)
            first = first or (judged.token if judged.place and judged.state != State.UNSUPPORTED else "")
            yield judged


def _of_reference(
    one: Foreign, reference: Reference, used: list[Use], explicit: set[str], world: _World
) -> Iterator[Row]:
    """Yield the uses of one source, those of all containers or of the whole namespace together."""
    if reference.problem:
        yield Row(one, State.UNSUPPORTED, reference, reason=reference.problem)
        return
    rows = [
        Row(one, State.NEW, taken, as_used, values=_values(one, taken, as_used), reason=problem, keys=(use.key,))
        for use in used
        for taken, as_used, problem in _taken(one, reference, use, explicit)
    ]
    if not rows:
        where = "No container uses its Secret as a variable or a file." if not used else "No use of its Secret is of this."
        yield Row(one, State.PLACELESS, reference, reason=where)
        return
    yield from _together(one, _merged(rows), world)


def _taken(
    one: Foreign, reference: Reference, use: Use, explicit: set[str]
) -> Iterator[tuple[Reference, Use, str]]:
    """Yield what a use takes of a source, and why it cannot."""
    if reference.takes == Takes.VALUE:
        if use.key in ("", reference.secret_key):
            yield reference, _narrowed(use, reference.secret_key), use.problem
        return
    if use.key in explicit:
        return
    if not use.key:
        yield reference, use, use.problem
    elif one.prefix is not None and use.is_variable and use.variable == one.prefix + use.key:
        # As we export several values: every key as a variable of its own.
        yield reference, replace(use, key="", variable=one.prefix), use.problem
    elif reference.takes == Takes.KEYS:
        name = f"{reference.json_field}.{use.key}" if reference.json_field else use.key
        yield replace(reference, takes=Takes.VALUE, json_field=name, secret_key=use.key), use, use.problem
    else:
        yield reference, use, use.problem or f"Which secret the key {use.key} is cannot be told from its name."


def _narrowed(use: Use, key: str) -> Use:
    """Return the use of one key where all of them are used."""
    if use.key:
        return use
    if use.is_variable:
        return replace(use, key=key, variable=f"{use.variable}{key}")
    return replace(use, key=key, path=f"{use.path.rstrip('/')}/{key}")


def _values(one: Foreign, reference: Reference, use: Use) -> dict[str, Any]:
    target = Target.VARIABLE if use.is_variable else Target.BOTH if use.variable else Target.FILE
    if use.is_variable:
        arrives = {"path": "", "mount": Mount.DIRECTORY, "file_mode": 0o444}
    else:
        arrives = {"path": use.path, "mount": str(use.mount), "file_mode": use.mode}
    return {
        **reference.values(),
        **arrives,
        "target": str(target),
        "variable": use.variable,
        "refresh_seconds": one.refresh_seconds,
        "when_gone": str(one.when_gone),
        "restart_on_change": use.restarts,
    }


# -- several uses that are one link ------------------------------------------------------------------------
def _merged(rows: list[Row]) -> list[Row]:
    """Drop what is there twice: several values are found once for each of their keys."""
    found: dict[str, Row] = {}
    for row in rows:
        use = row.use
        where = (use.kind, use.name, use.container, use.problem) if use else ()
        name = json.dumps([where, row.values], sort_keys=True)
        keys = (*found[name].keys, *row.keys) if name in found else row.keys
        found[name] = replace(found.get(name, row), keys=tuple(sorted(set(keys) - {""})))
    return list(found.values())


def _together(one: Foreign, rows: list[Row], world: _World) -> Iterator[Row]:
    """Yield a row for each service and target: of every container when all of them have it, of the namespace if so meant."""
    groups: dict[str, dict[Service | None, list[Row]]] = {}
    for row in rows:
        use = row.use
        service = world.services.get((use.kind, use.namespace, use.name)) if use else None
        if row.reason or service is None:
            yield row if row.reason else replace(row, reason=_unknown(row))
            continue
        groups.setdefault(json.dumps(row.values, sort_keys=True), {}).setdefault(service, []).append(row)
    for by_service in groups.values():
        placed = [placed for service, found in by_service.items() for placed in _placed(service, found, world)]
        if one.is_for_namespace and placed:
            containers = {row.place.container for row in placed if row.place}
            container = containers.pop() if len(containers) == 1 else ""
            yield replace(placed[0], place=services.Place(world.cluster, one.namespace, None, container))
        else:
            yield from sorted(placed, key=_first)


def _first(row: Row) -> bool:
    """Put in front what the Secret's key is named after: the others are other names of it."""
    return row.reference is not None and (row.values["variable"] or "file") != row.reference.secret_key


def _unknown(row: Row) -> str:
    use = row.use
    if use is None:
        return ""
    return f"The console does not know {use.kind} {use.namespace}/{use.name}. Refresh the cluster's services."


def _placed(service: Service | None, rows: list[Row], world: _World) -> list[Row]:
    if service is None:
        return rows
    containers = {row.use.container for row in rows if row.use}
    every = set(service.container_names)
    if containers == every and (len(every) > 1 or rows[0].foreign.is_for_namespace):
        return [replace(rows[0], place=services.Place.of(service))]
    return [replace(row, place=services.Place.of(service, row.use.container)) for row in rows if row.use]


# -- may it be -----------------------------------------------------------------------------------------------
def _judged(row: Row, choice: Choice, world: _World) -> Row:
    if row.state == State.PLACELESS:
        return replace(row, match=choice.chosen)
    reason = row.reason or _refusal(row, choice)
    if reason or row.place is None or choice.chosen is None:
        return replace(row, state=State.UNSUPPORTED, reason=reason, match=choice.chosen)
    values = row.values
    if choice.store.prefix and not values["key"].startswith(("arn:", choice.store.prefix)):
        # The store puts it before every name; ours does not.
        values = values | {"key": choice.store.prefix + values["key"]}
    row = replace(row, match=choice.chosen, values=values)
    shut = services.why_not(choice.chosen.access, row.place)
    if shut:
        return replace(row, state=State.UNSUPPORTED, reason=f"{shut}.")
    link = world.link_at(row.place, values)
    if link is not None:
        return _compared(row, link)
    return _against_workload(row)


def _refusal(row: Row, choice: Choice) -> str:
    store = choice.store
    if not store.provider:
        return f"Its store {store.key} is {store.label}, which Keyhaven has no provider for." if store.label != "Unknown" else f"Its store {store.key.kind} {store.key} is not there."
    if choice.chosen is None:
        return f"{store.key} reads {store.label}, {store.where}; no access of this cluster does."
    values = row.values
    try:
        if values["variable"]:
            variable_rule(values["variable"])
        if values["path"]:
            path_rule(values["path"])
    except ValidationError as error:
        return f"{values['path'] or values['variable']}: {' '.join(error.messages)}"
    too_long = len(values["path"]) > 1024 or len(values["variable"]) > 200
    return "Its name is longer than a link's may be." if too_long else ""


def differences(link: ExternalSecret, row: Row) -> list[str]:
    """Return in which words a link differs from what is wanted."""
    found = [_WORDS[name] for name in COMPARED if getattr(link, name) != row.values[name]]
    if row.match and link.access_id != row.match.access.pk:
        found.append("access")
    elif row.match and _overrides_of(link) != dict(row.match.overrides):
        found.append("store")
    return found


def _overrides_of(link: ExternalSecret) -> dict[str, str]:
    if link.variant is None:
        return {}
    names = ("region", "role_arn", "audience")
    return {name: getattr(link.variant, name) for name in names if getattr(link.variant, name)}


def _compared(row: Row, link: ExternalSecret) -> Row:
    found = differences(link, row)
    if not found:
        return replace(row, state=State.EQUAL, link=link, reason="It is linked like this already.")
    return replace(row, state=State.CHANGED, link=link, reason=f"A link is there with another {' and '.join(found)}.")


def _against_workload(row: Row) -> Row:
    """Refuse what the workload has from somewhere else than the Secret that is taken over."""
    place, variable = row.place, row.values["variable"]
    if place is None or place.service is None or not variable or row.values["takes"] != Takes.VALUE:
        return row
    names = [place.container] if place.container else place.service.container_names
    for name in names:
        found = place.service.container(name) or {}
        for entry in found.get("env", []):
            if entry["name"] != variable:
                continue
            source = str(entry["source"])
            is_its_path = source == "value" and row.values["target"] == Target.BOTH
            if is_its_path or source.startswith(f"secret {row.foreign.secret}/"):
                return replace(row, instead_of=source)
            where = f"{place} has {variable} from {source} already."
            return replace(row, state=State.UNSUPPORTED, reason=where)
    return row


def by_id(tokens: Iterable[str], found: Plan) -> tuple[list[Row], int]:
    """Return the rows that a form chose, and how many of its tokens stand for nothing any more."""
    wanted = set(tokens)
    rows = [row for row in found.takeable if row.token in wanted]
    return rows, len(wanted - {row.token for row in rows})
