"""Server-side apply: merging, ownership of fields, conflicts.

The sets of paths that managers own are kept beside the object and shown as its `managedFields`.
"""

import copy
from dataclasses import dataclass, field
from typing import Any

from sandbox.kubernetes import answers, paths

# Never owned by anybody: identity, and what the server itself writes.
_NOT_OWNED = {("metadata", name) for name in (
    "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields",
    "deletionTimestamp", "selfLink",
)}  # fmt: skip
_TOP = ("apiVersion", "kind", "status")


@dataclass(slots=True)
class Owner:
    """One manager's entry: an operation and the paths it owns."""

    manager: str
    operation: str
    api_version: str
    time: str
    owned: set[paths.Path] = field(default_factory=set)

    def entry(self) -> dict[str, Any]:
        """Return it as managedFields shows it."""
        return {
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.api_version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": paths.to_fields(self.owned),
        }


def owned_leaves(manifest: dict[str, Any], keys_of: paths.KeysOf) -> dict[paths.Path, Any]:
    """Return what applying a manifest would own: path → value."""
    found: dict[paths.Path, Any] = {}
    for path, value in paths.leaves(manifest, keys_of):
        names = tuple(name for kind, name in path[:2] if kind == "f")
        if names[:1] and (names[0] in _TOP or names[:2] in _NOT_OWNED or names == ("metadata",)):
            continue
        found[path] = value
    return found


def merge(live: Any, wanted: Any, keys_of: paths.KeysOf, names: tuple[str, ...] = ()) -> Any:
    """Return `live` with `wanted` laid over it; keyed lists are merged item by item."""
    if isinstance(live, dict) and isinstance(wanted, dict) and not (names[-1:] and names[-1] in paths.ATOMIC):
        merged = dict(live)
        for name, value in wanted.items():
            merged[name] = merge(live.get(name), value, keys_of, (*names, name))
        return merged
    keys = keys_of(names) if isinstance(wanted, list) and names else None
    if keys is None or not isinstance(live, list):
        return copy.deepcopy(wanted)
    items = list(live)
    for item in wanted:
        key = paths.item_key(item, keys)
        at = next((n for n, old in enumerate(items) if paths.item_key(old, keys) == key), None)
        if at is None:
            items.append(copy.deepcopy(item))
        else:
            items[at] = merge(items[at], item, keys_of, names)
    return items


def conflicts(
    live: dict[str, Any], wanted: dict[paths.Path, Any], owners: list[Owner], manager: str
) -> dict[str, list[tuple[Owner, paths.Path]]]:
    """Return by manager the paths whose value others own and we would change."""
    found: dict[str, list[tuple[Owner, paths.Path]]] = {}
    for path, value in wanted.items():
        if path[-1][0] == "k":
            continue
        there, current = paths.get(live, path)
        if there and current == value:
            continue
        for owner in owners:
            if (owner.manager, owner.operation) != (manager, "Apply") and path in owner.owned:
                found.setdefault(owner.manager, []).append((owner, path))
    return found


def conflict_error(found: dict[str, list[tuple[Owner, paths.Path]]]) -> answers.Refused:
    """Return the 409 that a real API server answers."""
    causes, lines = [], []
    for manager, entries in found.items():
        word = "conflict" if sum(map(len, found.values())) == 1 else "conflicts"
        text = f'{word} with "{manager}" using {entries[0][0].api_version}'
        for _, path in entries:
            causes.append(
                {
                    "reason": "FieldManagerConflict",
                    "message": f'conflict with "{manager}" using {entries[0][0].api_version}',
                    "field": paths.as_text(path),
                }
            )
        listed = [paths.as_text(path) for _, path in entries]
        alone = word == "conflict"
        lines.append(f"{text}: {listed[0]}" if alone else f"{text}:\n" + "\n".join(f"- {p}" for p in listed))
    count = len(causes)
    word = "conflict" if count == 1 else "conflicts"
    message = f"Apply failed with {count} {word}: " + "\n".join(lines)
    return answers.Refused(409, "Conflict", message, causes=causes)


def _others_own(path: paths.Path, owners: list[Owner], me: Owner) -> bool:
    size = len(path)
    return any(other[:size] == path for owner in owners if owner is not me for other in owner.owned)


def _tidy(merged: dict[str, Any], path: paths.Path, owners: list[Owner], me: Owner) -> None:
    """Drop the list or map from which the last thing was taken: the API server does not show empty ones."""
    there, value = paths.get(merged, path)
    owned = _others_own(path, owners, me) or any(own[: len(path)] == path for own in me.owned)
    if path and there and value in ([], {}) and not owned:
        paths.remove(merged, path)
        _tidy(merged, path[:-1], owners, me)


def apply(
    live: dict[str, Any],
    wanted: dict[str, Any],
    owners: list[Owner],
    keys_of: paths.KeysOf,
    *,
    manager: str,
    force: bool,
    now: str,
) -> tuple[dict[str, Any], list[Owner]]:
    """Return the object and its owners after a server-side apply; the arguments are left alone.

    :raises answers.Refused: 409 when others own what would change, unless `force`
    """
    owners = copy.deepcopy(owners)
    mine = owned_leaves(wanted, keys_of)
    against = conflicts(live, mine, owners, manager)
    if against and not force:
        raise conflict_error(against)
    for entries in against.values():
        for owner, path in entries:
            owner.owned.discard(path)
    me = next((owner for owner in owners if (owner.manager, owner.operation) == (manager, "Apply")), None)
    if me is None:
        me = Owner(manager, "Apply", str(wanted.get("apiVersion", "v1")), now)
        owners.append(me)
    merged = merge(live, {key: value for key, value in wanted.items() if key != "status"}, keys_of)
    dropped = me.owned - set(mine)
    if me.owned != set(mine):
        me.owned, me.time = set(mine), now
    # Whole items first, then single fields.
    for path in sorted(dropped, key=len):
        if not _others_own(path, owners, me) and not any(own[: len(path)] == path for own in me.owned):
            paths.remove(merged, path)
            _tidy(merged, path[:-1], owners, me)
    return merged, [owner for owner in owners if owner.owned]


def update(
    old: dict[str, Any],
    new: dict[str, Any],
    owners: list[Owner],
    keys_of: paths.KeysOf,
    *,
    manager: str,
    now: str,
) -> list[Owner]:
    """Return the owners after an ordinary write: who changes a field owns it, alone."""
    owners = copy.deepcopy(owners)
    before, after = owned_leaves(old, keys_of), owned_leaves(new, keys_of)
    changed = {path for path, value in after.items() if path not in before or before[path] != value}
    gone = set(before) - set(after)
    for owner in owners:
        owner.owned -= gone
        owner.owned -= {path for path in changed if path[-1][0] == "f"}
    if changed:
        me = next(
            (owner for owner in owners if (owner.manager, owner.operation) == (manager, "Update")), None
        )
        if me is None:
            me = Owner(manager, "Update", str(new.get("apiVersion", "v1")), now)
            owners.append(me)
        me.owned |= changed
        me.time = now
    return [owner for owner in owners if owner.owned]
