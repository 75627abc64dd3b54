"""What applying an object would change, told from the live object and its `managedFields`, without a request.

Applying is a no-op when each of our values is there already, we own each of them, and we own nothing else. That is
exact for what a server-side apply does, so an object that is in step is not sent at all.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings

LONGEST = 200
SEALED = "(set, not shown)"
# Somebody may have put a secret's value where a reference was.
_SEALED = re.compile(r"\.env\[[^]]*\]\.value$|\.provider\.fake\b|\.annotations\.kubectl")
_NOT_OURS = (
    "name",
    "namespace",
    "managedFields",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
)
_ABSENT = object()

type Manifest = dict[str, Any]
# A node of fieldsV1, or None where the manager owns nothing.
type Node = dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Field:
    """One field that differs: its path, both sides as text (empty: absent), who else set what is there.

    With equal sides the value stays and only becomes ours as well.
    """

    path: str
    before: str
    after: str
    owners: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the comparison is: a path, our node of ownership, and those of the others by manager."""

    path: str
    ours: Node
    others: tuple[tuple[str, Node], ...]

    def down(self, step: str, name: str) -> "_Place":
        under = tuple((who, node[step]) for who, node in self.others if node and step in node)
        return replace(
            self,
            path=f"{self.path}{name}",
            ours=None if self.ours is None else self.ours.get(step),
            others=under,
        )

    @property
    def owners(self) -> tuple[str, ...]:
        return tuple(sorted({who for who, _ in self.others}))


def differences(wanted: Manifest, live: Manifest) -> list[Field]:
    """Return the fields that applying `wanted` over `live` would change; none means that it would do nothing.

    Of a Secret only labels, annotations and the ownership of its keys are compared: its data is never read.
    """
    if wanted.get("kind") == "Secret":
        live = live | {key: wanted[key] for key in ("data", "type") if key in wanted}
    start = _Place("", _ours(live), tuple(_others(live)))
    found = [*_changed(_comparable(wanted), live, start), *_dropped(_comparable(wanted), live, start)]
    return [_sealed(field, wanted) for field in found]


def fields_of(wanted: Manifest) -> list[Field]:
    """Return what creating an object sets, a line a field."""
    nothing = _Place("", None, ())
    return [_sealed(field, wanted) for field in _changed(_comparable(wanted), {}, nothing)]


def between(before: Manifest, after: Manifest) -> list[Field]:
    """Return how two states of the same manifest differ, whoever owns what."""
    left = {field.path: field.after for field in fields_of(before)}
    right = {field.path: field.after for field in fields_of(after)}
    paths = [*left, *(path for path in right if path not in left)]
    return [
        Field(path, left.get(path, ""), right.get(path, ""))
        for path in paths
        if left.get(path) != right.get(path)
    ]


def _sealed(field: Field, wanted: Manifest) -> Field:
    if not _SEALED.search(f".{field.path}") and not (
        wanted.get("kind") == "Secret" and field.path.startswith("data.")
    ):
        return field
    return replace(field, before=field.before and SEALED, after=field.after and SEALED)


def _comparable(manifest: Manifest) -> Manifest:
    """Return what ownership is about: no identity, nothing that the server writes."""
    metadata = {key: value for key, value in manifest.get("metadata", {}).items() if key not in _NOT_OURS}
    kept = {key: value for key, value in manifest.items() if key not in ("apiVersion", "kind", "status")}
    return kept | {"metadata": metadata}


def _ours(live: Manifest) -> Node:
    for entry in live["metadata"].get("managedFields") or []:
        if _is_ours(entry):
            return entry.get("fieldsV1") or {}
    return None


def _is_ours(entry: dict[str, Any]) -> bool:
    return (
        entry.get("manager") == settings.FIELD_MANAGER
        and entry.get("operation") == "Apply"
        and not entry.get("subresource")
    )


def _others(live: Manifest) -> Iterator[tuple[str, Node]]:
    for entry in live["metadata"].get("managedFields") or []:
        if not _is_ours(entry):
            yield str(entry.get("manager", "somebody")), entry.get("fieldsV1") or {}


def show(value: Any) -> str:
    """Return a value as one line."""
    if value is _ABSENT:
        return ""
    text = value if isinstance(value, str) and value else json.dumps(value, sort_keys=True)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _keyed(items: Any, node: Node) -> bool:
    """Tell whether a list is merged by the names of its items; any other is one value."""
    named = (
        isinstance(items, list) and bool(items) and all(isinstance(i, dict) and "name" in i for i in items)
    )
    return named and (node is None or any(step.startswith("k:") for step in node))


def _item(items: Any, name: str) -> Any:
    found = items if isinstance(items, list) else []
    return next((i for i in found if isinstance(i, dict) and i.get("name") == name), _ABSENT)


def _changed(wanted: Any, live: Any, at: _Place) -> Iterator[Field]:
    if isinstance(wanted, dict) and wanted and at.ours != {}:
        for key, value in wanted.items():
            inner = live.get(key, _ABSENT) if isinstance(live, dict) else _ABSENT
            yield from _changed(value, inner, at.down(f"f:{key}", f".{key}" if at.path else key))
    elif _keyed(wanted, at.ours):
        for item in wanted:
            step = f'k:{{"name":{json.dumps(item["name"])}}}'
            inner = at.down(step, f"[{item['name']}]")
            rest = {key: value for key, value in item.items() if key != "name"}
            if rest:
                yield from _changed(rest, _item(live, item["name"]), inner)
    elif live is _ABSENT or not _within(wanted, live):
        yield Field(at.path, show(live), show(wanted), at.owners)
    elif at.ours is None:
        yield Field(at.path, show(live), show(live), at.owners)


def _within(wanted: Any, live: Any) -> bool:
    """Tell whether a value is there; what the server added to it by default is no difference."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        return all(key in live and _within(value, live[key]) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(live, list):
        return len(wanted) == len(live) and all(map(_within, wanted, live))
    return bool(wanted == live)


def _dropped(wanted: Any, live: Any, at: _Place) -> Iterator[Field]:
    """Yield what we own and want no longer: applying takes it away."""
    for step in at.ours or {}:
        if step == ".":
            continue
        if step.startswith("f:"):
            name = step[2:]
            inner = wanted.get(name, _ABSENT) if isinstance(wanted, dict) else _ABSENT
            there = live.get(name, _ABSENT) if isinstance(live, dict) else _ABSENT
            place = at.down(step, f".{name}" if at.path else name)
        elif step.startswith("k:"):
            name = str(json.loads(step[2:]).get("name", step[2:]))
            inner, there = _item(wanted, name), _item(live, name)
            place = at.down(step, f"[{name}]")
        else:
            continue
        if inner is not _ABSENT:
            yield from _dropped(inner, there, place)
        elif there is not _ABSENT:
            yield Field(place.path, show(there), "")
