"""From the uses of a Secret to the links that would stand for them: one for each service and target."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from clusters.models import Service
from external_secrets import services
from external_secrets.exchange.reading import Foreign, Reference, Takes
from external_secrets.exchange.rows import Row, State, World
from external_secrets.exchange.uses import Use
from external_secrets.models import ExternalSecret
from external_secrets.wanted import variable_of

Target, Mount = ExternalSecret.Target, ExternalSecret.Mount


def of_reference(
    one: Foreign, reference: Reference, used: list[Use], explicit: set[str], world: World
) -> Iterator[Row]:
    """Yield the uses of one source, those of all containers or of the whole namespace together."""
    if reference.problem:
        yield Row(one, State.UNSUPPORTED, reference, reason=reference.problem)
        return
    rows = [
        Row(
            one,
            State.NEW,
            taken,
            as_used,
            values=_values(one, taken, as_used),
            reason=problem,
            keys=(use.key,),
        )
        for use in used
        for taken, as_used, problem in _taken(one, reference, use, explicit)
    ]
    if not rows:
        where = (
            "No container uses its Secret as a variable or a file."
            if not used
            else "No use of its Secret is of this."
        )
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
        part = f"It takes the keys below {reference.json_field}; a link takes those of the whole secret."
        yield reference, use, use.problem or (part if reference.json_field else "")
    elif (
        one.prefix is not None
        and use.is_variable
        and use.variable in (one.prefix + use.key, variable_of(one.prefix, use.key))
    ):
        # As we export several values: every key as a variable of its own.
        yield reference, replace(use, key="", variable=one.prefix), use.problem
    elif reference.takes == Takes.KEYS:
        name = f"{reference.json_field}.{use.key}" if reference.json_field else use.key
        yield replace(reference, takes=Takes.VALUE, json_field=name, secret_key=use.key), use, use.problem
    else:
        yield (
            reference,
            use,
            use.problem or f"Which secret the key {use.key} is cannot be told from its name.",
        )


def _narrowed(use: Use, key: str) -> Use:
    """Return the use of one key where all of them are used."""
    if use.key:
        return use
    if use.is_variable:
        return replace(use, key=key, variable=f"{use.variable}{key}")
    path = f"{use.path.rstrip('/')}/{key}"
    return replace(use, key=key, path=path, variable=dict(use.named).get(path, ""))


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


def _together(one: Foreign, rows: list[Row], world: World) -> Iterator[Row]:
    """Yield a row for each service and target: of every container when all of them have it, of the namespace if so meant."""
    groups: dict[str, dict[Service, list[Row]]] = {}
    for row in rows:
        use = row.use
        service = world.services.get((use.kind, use.namespace, use.name)) if use else None
        if row.reason or service is None:
            yield row if row.reason else replace(row, reason=_unknown(row))
            continue
        groups.setdefault(json.dumps(row.values, sort_keys=True), {}).setdefault(service, []).append(row)
    for by_service in groups.values():
        if one.is_for_namespace:
            yield _everywhere(one, by_service, world)
            continue
        placed = [row for service, found in by_service.items() for row in _placed(service, found, world)]
        yield from sorted(placed, key=_first)


def _everywhere(one: Foreign, by_service: dict[Service, list[Row]], world: World) -> Row:
    """Return a row for every service of the namespace: of one container where it is the same in all of them."""
    used = {service: {row.use.container for row in rows if row.use} for service, rows in by_service.items()}
    whole = all(names == set(service.container_names) for service, names in used.items())
    names = set().union(*used.values())
    container = names.pop() if len(names) == 1 and not whole else ""
    first = next(iter(by_service.values()))[0]
    return replace(first, place=services.Place(world.cluster, one.namespace, None, container, world.limits))


def _first(row: Row) -> bool:
    """Put in front what the Secret's key is named after: the others are other names of it."""
    return row.reference is not None and (row.values["variable"] or "file") != row.reference.secret_key


def _unknown(row: Row) -> str:
    use = row.use
    if use is None:
        return ""
    return f"The console does not know {use.kind} {use.namespace}/{use.name}. Refresh the cluster's services."


def _placed(service: Service, rows: list[Row], world: World) -> list[Row]:
    containers = {row.use.container for row in rows if row.use}
    every = set(service.container_names)
    if containers == every and len(every) > 1:
        return [replace(rows[0], place=services.Place.of(service, limits=world.limits))]
    return [
        replace(row, place=services.Place.of(service, row.use.container, world.limits))
        for row in rows
        if row.use
    ]
