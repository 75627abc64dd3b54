"""Paths into an object, as managedFields names them: `f:` a field, `k:` an item by its keys, `v:` a value.

A path is a tuple of elements; an element is ("f", name) or ("k", ((key, value), …)).
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

type Element = tuple[str, Any]
type Path = tuple[Element, ...]
type KeysOf = Callable[[tuple[str, ...]], tuple[str, ...] | None]

# Lists that are merged by keys in built-in kinds; every other list is one value.
BUILT_IN: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "imagePullSecrets": ("name",),
    "ownerReferences": ("uid",),
    "webhooks": ("name",),
    "hostAliases": ("ip",),
}


# Maps that are one value, too: who applies one replaces it whole.
ATOMIC = frozenset({"secretKeyRef", "configMapKeyRef", "fieldRef", "resourceFieldRef"})


def built_in_keys(names: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the merge keys of a list of a built-in kind by the field names that lead to it."""
    if names[-1] == "ports":
        return ("containerPort", "protocol") if "containers" in names else ("port", "protocol")
    if names[-1] == "conditions" and names[0] == "status":
        return ("type",)
    return BUILT_IN.get(names[-1])


def item_key(item: dict[str, Any], keys: tuple[str, ...]) -> tuple[tuple[str, Any], ...]:
    """Return the keys of a list's item; a port without protocol is TCP."""
    return tuple((key, item.get(key, "TCP" if key == "protocol" else None)) for key in keys)


def leaves(
    value: Any, keys_of: KeysOf, path: Path = (), names: tuple[str, ...] = ()
) -> Iterable[tuple[Path, Any]]:
    """Yield (path, value) for every leaf, and (path, None) for each item of a keyed list."""
    if isinstance(value, dict) and value and not (names and names[-1] in ATOMIC and "env" in names):
        for name, inner in value.items():
            yield from leaves(inner, keys_of, (*path, ("f", name)), (*names, name))
        return
    keys = keys_of(names) if isinstance(value, list) and names else None
    if keys is not None:
        for item in value:
            inner_path = (*path, ("k", item_key(item, keys)))
            yield inner_path, None
            yield from leaves(item, keys_of, inner_path, names)
        return
    yield path, value


def get(value: Any, path: Path) -> tuple[bool, Any]:
    """Return whether there is something at a path, and what."""
    for kind, name in path:
        if kind == "f":
            if not isinstance(value, dict) or name not in value:
                return False, None
            value = value[name]
        else:
            keys = tuple(key for key, _ in name)
            found = [item for item in value or [] if item_key(item, keys) == name]
            if not found:
                return False, None
            value = found[0]
    return True, value


def remove(value: Any, path: Path) -> None:
    """Take out what is at a path, if anything is."""
    there, parent = get(value, path[:-1])
    if not there or parent is None:
        return
    kind, name = path[-1]
    if kind == "f":
        parent.pop(name, None)
    else:
        keys = tuple(key for key, _ in name)
        parent[:] = [item for item in parent if item_key(item, keys) != name]


def to_fields(paths: Iterable[Path]) -> dict[str, Any]:
    """Return paths as a FieldsV1 object."""
    root: dict[str, Any] = {}
    for path in sorted(paths, key=lambda path: (len(path), repr(path))):
        node = root
        for kind, name in path:
            node = node.setdefault(
                f"f:{name}" if kind == "f" else "k:" + json.dumps(dict(name), separators=(",", ":")), {}
            )
        if path and path[-1][0] == "k":
            node.setdefault(".", {})
    return root


def as_text(path: Path) -> str:
    """Return a path as a conflict names it, for example `.spec.template.spec.containers[name="web"].image`."""
    text = ""
    for kind, name in path:
        text += f".{name}" if kind == "f" else "[" + ",".join(f"{k}={json.dumps(v)}" for k, v in name) + "]"
    return text
