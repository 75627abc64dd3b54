"""The older patches: JSON merge patch, strategic merge patch, JSON patch."""

import copy
from typing import Any

from sandbox.kubernetes import answers, paths


def merge_patch(live: Any, patch: Any) -> Any:
    """Return `live` after a JSON merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(live) if isinstance(live, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def strategic(live: Any, patch: Any, keys_of: paths.KeysOf, names: tuple[str, ...] = ()) -> Any:
    """Return `live` after a strategic merge patch: keyed lists by item, `$patch: delete|replace`, order ignored."""
    if isinstance(patch, dict):
        if patch.get("$patch") == "replace":
            return {name: value for name, value in patch.items() if name != "$patch"}
        merged = dict(live) if isinstance(live, dict) else {}
        for name, value in patch.items():
            if name.startswith("$"):
                continue
            if value is None:
                merged.pop(name, None)
            else:
                merged[name] = strategic(merged.get(name), value, keys_of, (*names, name))
        return merged
    keys = keys_of(names) if isinstance(patch, list) and names else None
    if keys is None or not isinstance(live, list):
        return copy.deepcopy(patch)
    return _strategic_items(live, patch, keys, keys_of, names)


def _strategic_items(
    live: list[Any], patch: list[Any], keys: tuple[str, ...], keys_of: paths.KeysOf, names: tuple[str, ...]
) -> list[Any]:
    items = list(live)
    for item in patch:
        key = paths.item_key(item, keys)
        items = [old for old in items if item.get("$patch") != "delete" or paths.item_key(old, keys) != key]
        if item.get("$patch") == "delete":
            continue
        at = next((n for n, old in enumerate(items) if paths.item_key(old, keys) == key), None)
        if at is None:
            items.append(copy.deepcopy(item))
        else:
            items[at] = strategic(items[at], item, keys_of, names)
    return items


def json_patch(live: dict[str, Any], operations: list[dict[str, Any]]) -> dict[str, Any]:
    """Return `live` after a JSON patch (RFC 6902) of add, replace, remove and test."""
    document = copy.deepcopy(live)
    for operation in operations:
        parts = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        _operate(document, parts, operation)
    return document


def _operate(document: Any, parts: list[str], operation: dict[str, Any]) -> None:
    target = document
    try:
        for part in parts[:-1]:
            target = target[int(part)] if isinstance(target, list) else target[part]
        last: Any = parts[-1]
        if isinstance(target, list) and last != "-":
            last = int(last)
        match operation["op"]:
            case "remove":
                del target[last]
            case "test":
                if target[last] != operation["value"]:
                    raise KeyError
            case "add" if isinstance(target, list):
                target.insert(len(target) if last == "-" else last, operation["value"])
            case _:
                target[last] = operation["value"]
    except (KeyError, IndexError, ValueError, TypeError):
        path = operation["path"]
        raise answers.Refused(
            422, "Invalid", f"the server rejected our request: the path {path} is wrong"
        ) from None
