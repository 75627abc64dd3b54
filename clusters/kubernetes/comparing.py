"""What applying an object would change, told from the live object and its `managedFields`, without a request.

Applying is a no-op when each of our values is there already, we own each of them, and we own nothing else. That is
exact for what a server-side apply does, so an object that is in step is not sent at all.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings

# What items of a list are told apart by, as the API server merges them: mounts have a name too, that of their volume.
KEYS = ("mountPath", "name")
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
# What API servers of some operator versions add to an entry that is one value with its list.
_DEFAULTED = frozenset({"conversionStrategy", "decodingStrategy", "metadataPolicy", "nullBytePolicy"})
_ABSENT = object()

type Manifest = dict[str, Any]
# A node of fieldsV1, or None where the manager owns nothing.
type Node = dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Field:
    """One field that differs: its path, both sides as text (empty: absent), who else set what is there.

    With `stays` the value is there, and only becomes ours as well.
    """

    path: str
    before: str
    after: str
    owners: tuple[str, ...] = ()
    stays: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the comparison is: a path, our node of ownership, and those of the others by manager."""

    path: str
    ours: Node
    others: tuple[tuple[str, Node], ...]

    def field(self, name: str) -> "_Place":
        """Return the place of a field."""
        path = f"{self.path}.{name}" if self.path else name
        return self._down(path, lambda node: node.get(f"f:{name}"))

    def item(self, name: str) -> "_Place":
        """Return the place of the item that is called so in a list."""
        return self._down(f"{self.path}[{name}]", lambda node: _of_item(node, name))

    def _down(self, path: str, into: Callable[[Manifest], Node]) -> "_Place":
        # An empty node owns everything below it.
        under = tuple(
            (who, found)
            for who, node in self.others
            if node is not None and (found := into(node) if node else node) is not None
        )
        return _Place(path, None if self.ours is None else into(self.ours), under)

    @property
    def owners(self) -> tuple[str, ...]:
        return tuple(sorted({who for who, _ in self.others}))


def called(step: str) -> tuple[str, str] | None:
    """Return the field and the value in a step such as `k:{"name":"web"}`, None when items are told apart otherwise."""
    keys = json.loads(step[2:]) if step.startswith("k:") else {}
    if len(keys) != 1:
        return None
    ((field, value),) = keys.items()
    return (field, str(value)) if field in KEYS else None


def _of_item(node: Manifest, name: str) -> Node:
    return next((inner for step, inner in node.items() if (called(step) or ("", ""))[1] == name), None)


def _key_of(items: Any) -> str:
    """Return the field by which the items of a list are told apart, or an empty string."""
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        return ""
    return next((key for key in KEYS if all(key in item for item in items)), "")


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
    left, right = dict(_leaves(_comparable(before))), dict(_leaves(_comparable(after)))
    paths = [*left, *(path for path in right if path not in left)]
    found = [
        Field(path, show(left.get(path, _ABSENT)), show(right.get(path, _ABSENT)))
        for path in paths
        if left.get(path, _ABSENT) != right.get(path, _ABSENT)
    ]
    return [_sealed(field, after) for field in found]


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the path and the whole value of each leaf, as `_changed` divides an object."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else name)
    elif key := _keyed(value, None):
        for item in value:
            rest = {name: inner for name, inner in item.items() if name != key}
            yield from _leaves(rest, f"{path}[{item[key]}]")
    else:
        yield path, value


def _sealed(field: Field, wanted: Manifest) -> Field:
    if not _SEALED.search(f".{field.path}") and not (
        wanted.get("kind") == "Secret" and field.path.startswith("data.")
    ):
        return field
    # Of a Secret's data it is not known whether it stays.
    return replace(field, before=field.before and SEALED, after=field.after and SEALED, stays=False)


def _comparable(manifest: Manifest) -> Manifest:
    """Return what ownership is about: no identity, nothing that the server writes."""
    metadata = {key: value for key, value in manifest.get("metadata", {}).items() if key not in _NOT_OURS}
    rest = ("apiVersion", "kind", "status", "metadata")
    kept = {key: value for key, value in manifest.items() if key not in rest}
    return kept | ({"metadata": metadata} if metadata else {})


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


def _without_literals(value: Any) -> Any:
    """Return a value in which no variable shows what it is set to."""
    if isinstance(value, list):
        return [_without_literals(one) for one in value]
    if isinstance(value, dict):
        variable = {"name", "value"} <= value.keys()
        return {
            key: SEALED if variable and key == "value" else _without_literals(one)
            for key, one in value.items()
        }
    return value


def show(value: Any) -> str:
    """Return a value as one line."""
    if value is _ABSENT:
        return ""
    text = value if isinstance(value, str) and value else json.dumps(_without_literals(value), sort_keys=True)
    text = text.replace("\x00", "").encode(errors="replace").decode()
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _keyed(items: Any, node: Node) -> str:
    """Return the field by which a list is merged; any other list is one value."""
    merged = node is None or any(step.startswith("k:") for step in node)
    return _key_of(items) if merged else ""


def _value(of: Any, name: str) -> Any:
    return of.get(name, _ABSENT) if isinstance(of, dict) else _ABSENT


def _item(items: Any, key: str, name: str) -> Any:
    found = items if isinstance(items, list) else []
    return next((i for i in found if isinstance(i, dict) and i.get(key) == name), _ABSENT)


def _changed(wanted: Any, live: Any, at: _Place) -> Iterator[Field]:
    if isinstance(wanted, dict) and wanted and at.ours != {}:
        for name, value in wanted.items():
            yield from _changed(value, _value(live, name), at.field(name))
    elif key := _keyed(wanted, at.ours):
        for item in wanted:
            rest = {name: value for name, value in item.items() if name != key}
            if rest:
                yield from _changed(rest, _item(live, key, item[key]), at.item(item[key]))
    elif live is _ABSENT or not _within(wanted, live):
        yield Field(at.path, show(live), show(wanted), at.owners)
    elif at.ours is None:
        yield Field(at.path, show(live), show(live), at.owners, stays=True)


def _within(wanted: Any, live: Any) -> bool:
    """Tell whether a value is there; what the server added to it by default is no difference."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        if not wanted:
            return True
        extra = live.keys() - wanted.keys() - _DEFAULTED
        return not extra and all(key in live and _within(value, live[key]) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(live, list):
        return len(wanted) == len(live) and all(map(_within, wanted, live))
    return bool(wanted == live)


def _dropped(wanted: Any, live: Any, at: _Place, key: str = "") -> Iterator[Field]:
    """Yield what we own and want no longer: applying takes it away. `key` tells an item from the others of its list."""
    for step in at.ours or {}:
        item = called(step)
        if step.startswith("f:"):
            name, below = step[2:], ""
            place, inner, there = at.field(name), _value(wanted, name), _value(live, name)
        elif item is not None:
            name, below = item[1], item[0]
            place, inner, there = at.item(name), _item(wanted, *item), _item(live, *item)
        else:
            continue
        if inner is not _ABSENT or any(step != "." for step in place.ours or {}):
            yield from _dropped(inner, there, place, below)
        elif there is not _ABSENT and name != key:
            yield Field(place.path, show(there), "")
