"""Which workloads use a Secret: as variables, all of its keys, or as files. Values are never looked at but to compare."""

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.core.exceptions import ValidationError

from clusters.kubernetes.workloads import pod_spec
from external_secrets.exchange.plain import mapping, mappings, text
from external_secrets.models import ExternalSecret, path_rule

Mount = ExternalSecret.Mount
# What restarts pods when a Secret changes, where it is installed.
RELOADER = "secret.reloader.stakater.com/reload"
DEFAULT_MODE = 0o644


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a Secret by a container. Without `key` it is every key, and `variable` or `path` begin each one's.

    `path_variable` is the variable that holds the path of the file.
    """

    kind: str
    namespace: str
    name: str
    container: str
    secret: str
    key: str = ""
    is_variable: bool = False
    variable: str = ""
    path: str = ""
    mount: str = Mount.DIRECTORY
    mode: int = DEFAULT_MODE
    restarts: bool = False
    problem: str = ""
    # Of a whole directory: (path of a file, variable that holds it).
    named: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        what = self.variable or ("its keys as variables" if self.is_variable else "")
        return " and ".join(filter(None, (self.path, what)))


def index(workloads: Iterable[dict[str, Any]]) -> dict[tuple[str, str], list[Use]]:
    """Return the uses of each Secret, by (namespace, name); what a workload holds does not make it fail."""
    found: dict[tuple[str, str], list[Use]] = {}
    for manifest in workloads:
        for use in of_workload(manifest):
            found.setdefault((use.namespace, use.secret), []).append(use)
    return found


def of_workload(manifest: dict[str, Any]) -> Iterator[Use]:
    """Yield what a workload uses of Secrets."""
    metadata = mapping(manifest.get("metadata"))
    reloaded = text(mapping(metadata.get("annotations")).get(RELOADER)).replace(" ", "").split(",")
    try:
        spec = pod_spec(manifest)
    except (AttributeError, TypeError, ValueError):
        return
    where = Use(
        text(manifest.get("kind"), 40),
        text(metadata.get("namespace"), 63) or "default",
        text(metadata.get("name"), 253),
        "",
        "",
    )
    volumes = {text(one.get("name"), 63): one for one in mappings(spec.get("volumes"))}
    for word in ("containers", "initContainers"):
        for container in mappings(spec.get(word)):
            here = replace(where, container=text(container.get("name"), 63))
            if word == "initContainers":
                here = replace(here, problem="An init container uses it; links are for containers.")
            for use in _of_container(container, here, volumes):
                yield replace(use, restarts=use.secret in reloaded)


def _of_container(container: dict[str, Any], here: Use, volumes: dict[str, dict[str, Any]]) -> Iterator[Use]:
    entries = mappings(container.get("env"))
    for entry in entries:
        selector = mapping(mapping(entry.get("valueFrom")).get("secretKeyRef"))
        if secret := text(selector.get("name"), 253):
            name, key = text(entry.get("name"), 200), text(selector.get("key"), 253)
            yield replace(here, secret=secret, key=key, is_variable=True, variable=name)
    for source in mappings(container.get("envFrom")):
        if secret := text(mapping(source.get("secretRef")).get("name"), 253):
            yield replace(here, secret=secret, is_variable=True, variable=text(source.get("prefix"), 200))
    # Only compared with the paths: what else a variable is set to is nobody's business.
    named = {
        entry["value"]: text(entry.get("name"), 200)
        for entry in entries
        if isinstance(entry.get("value"), str)
    }
    for use in _files(container, here, volumes):
        yield _named(use, named)


def _named(use: Use, variables: dict[str, str]) -> Use:
    """Return a use with the variables that hold the path of its file, or of files in its directory."""
    if use.key:
        return replace(use, variable=variables.get(use.path, ""))
    inside = [(path, name) for path, name in variables.items() if posixpath.dirname(path) == use.path]
    return replace(use, named=tuple(sorted(one for one in inside if _is_path(one[0]))))


def _is_path(text: str) -> bool:
    try:
        path_rule(text)
    except ValidationError:
        return False
    return True


def _files(container: dict[str, Any], here: Use, volumes: dict[str, dict[str, Any]]) -> Iterator[Use]:
    for mount in mappings(container.get("volumeMounts")):
        volume = volumes.get(text(mount.get("name"), 63))
        path = posixpath.normpath(text(mount.get("mountPath"), 1024) or "/")
        if volume is not None and path.startswith("/"):
            for use in _items(volume, here):
                yield from _mounted(use, path, text(mount.get("subPath"), 1024))


def _mounted(use: Use, path: str, part: str) -> Iterator[Use]:
    """Yield a volume's file or files at the mount's path; `use.path` is the path inside the volume."""
    if not part:
        inside = f"{path.rstrip('/')}/{use.path}" if use.path else path
        yield replace(use, path=posixpath.normpath(inside))
    elif use.key and use.path == part:
        yield replace(use, path=path, mount=Mount.FILE)
    elif not use.key:
        yield replace(use, key=part, path=path, mount=Mount.FILE)


def _items(volume: dict[str, Any], here: Use) -> Iterator[Use]:
    """Yield the keys of Secrets that a volume holds, with their paths inside; without items it is every key."""
    projected = mapping(volume.get("projected"))
    sources = [(mapping(volume.get("secret")), "secretName", volume.get("secret"))]
    sources += [(mapping(one.get("secret")), "name", projected) for one in mappings(projected.get("sources"))]
    for source, naming, modes in sources:
        secret = text(source.get(naming), 253)
        if not secret:
            continue
        default = _mode(mapping(modes).get("defaultMode"), DEFAULT_MODE)
        items = mappings(source.get("items"))
        for item in items:
            mode = _mode(item.get("mode"), default)
            key, path = text(item.get("key"), 253), text(item.get("path"), 1024)
            yield replace(here, secret=secret, key=key, path=path, mode=mode)
        if not items:
            yield replace(here, secret=secret, mode=default)


def _mode(value: Any, default: int) -> int:
    return (
        value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0o777 else default
    )
