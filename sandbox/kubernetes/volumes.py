"""Volumes, mounts and variables of a pod: their defaults, and what the API server refuses of them, in its words."""

from collections.abc import Iterable, Iterator
from typing import Any

# Kinds of volumes whose files have a mode.
_MODED = ("secret", "configMap", "projected", "downwardAPI")
_NOT_SOURCES = {"name"}


def default(pod: dict[str, Any]) -> None:
    """Write the mode that files have unless it is said."""
    for volume in pod.get("volumes") or []:
        for kind in _MODED:
            if isinstance(volume.get(kind), dict):
                volume[kind].setdefault("defaultMode", 0o644)


def problems(pod: dict[str, Any], where: str, claims: Iterable[str] = ()) -> Iterator[tuple[str, str]]:
    """Yield (field, words) for what is wrong; `claims` are volumes that a StatefulSet makes for each pod."""
    names: set[Any] = set()
    for at, volume in enumerate(pod.get("volumes") or []):
        field, name = f"{where}.volumes[{at}]", volume.get("name")
        if name in names:
            yield f"{field}.name", f'Duplicate value: "{name}"'
        names.add(name)
        if len(volume.keys() - _NOT_SOURCES) > 1:
            yield f"{field}", "Forbidden: may not specify more than 1 volume type"
        yield from _projected(volume, field)
    for part in ("initContainers", "containers"):
        for at, container in enumerate(pod.get(part) or []):
            yield from _mounts(container, f"{where}.{part}[{at}]", names.union(claims))
            yield from _variables(container, f"{where}.{part}[{at}]")


def _projected(volume: dict[str, Any], field: str) -> Iterator[tuple[str, str]]:
    taken = set()
    for at, source in enumerate((volume.get("projected") or {}).get("sources") or []):
        for number, item in enumerate((source.get("secret") or {}).get("items") or []):
            of = f"{field}.projected.sources[{at}].secret.items[{number}].path"
            path = str(item.get("path", ""))
            if not path:
                yield of, "Required value"
            elif path.startswith("/"):
                yield of, f'Invalid value: "{path}": must be a relative path'
            elif path.startswith(".."):
                yield of, f"Invalid value: \"{path}\": must not start with '..'"
            elif path in taken:
                yield of, f'Invalid value: "{path}": conflicting duplicate paths'
            taken.add(path)


def _mounts(container: dict[str, Any], field: str, volumes: set[Any]) -> Iterator[tuple[str, str]]:
    paths = set()
    for at, mount in enumerate(container.get("volumeMounts") or []):
        of, path, name = f"{field}.volumeMounts[{at}]", mount.get("mountPath"), mount.get("name")
        if not path:
            yield f"{of}.mountPath", "Required value"
        if name not in volumes:
            yield f"{of}.name", f'Not found: "{name}"'
        if path in paths:
            yield f"{of}.mountPath", f'Invalid value: "{path}": must be unique'
        paths.add(path)
        below = str(mount.get("subPath") or "")
        if below.startswith("/") or ".." in below.split("/"):
            yield f"{of}.subPath", f'Invalid value: "{below}": must be a relative path'


def _variables(container: dict[str, Any], field: str) -> Iterator[tuple[str, str]]:
    for at, entry in enumerate(container.get("env") or []):
        if entry.get("valueFrom") == {}:
            yield (
                f"{field}.env[{at}].valueFrom",
                'Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or '
                "`secretKeyRef`",
            )
        if entry.get("value") and entry.get("valueFrom"):
            yield (
                f"{field}.env[{at}].valueFrom",
                'Invalid value: "": may not be specified when `value` is not empty',
            )
