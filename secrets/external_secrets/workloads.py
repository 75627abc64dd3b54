"""What we apply to a workload: our variables, mounts and volumes, and nothing else."""

import hashlib
import posixpath
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError

from external_secrets import paths
from external_secrets.models import ExternalSecret
from external_secrets.wanted import Form, Place, Slot, Wanted, original

API_VERSIONS = {"Deployment": "apps/v1", "StatefulSet": "apps/v1", "CronJob": "batch/v1"}
# On the pods' template: changes when a value changed after which the workload is to be restarted.
SYNCED = "keyhaven.io/synced"
# What the names of our volumes begin with.
VOLUME = "keyhaven-"

type Manifest = dict[str, Any]


def refuses_directory(path: str) -> str:
    """Return why a whole directory cannot be mounted there, or an empty string."""
    try:
        paths.clean(path, several=True)
    except ValidationError as error:
        return str(error.messages[0])
    return ""


def refuses(one: Wanted) -> str:
    """Return why a file cannot be where its link wants it, or an empty string."""
    try:
        paths.clean(one.name, several=one.several, whole=is_whole(one))
    except ValidationError as error:
        return str(error.messages[0])
    return ""


def is_whole(one: Wanted) -> bool:
    """Tell whether the whole directory is mounted for it, and not the file alone."""
    return one.several or one.link.mount == ExternalSecret.Mount.DIRECTORY


def directory(one: Wanted) -> str:
    """Return the directory of a file, or the one that several files are."""
    return one.name if one.several else posixpath.dirname(one.name)


def mount_point(one: Wanted) -> str:
    """Return the path at which something is mounted for a file."""
    return directory(one) if is_whole(one) else one.name


def body(place: Place, wanted: Iterable[Wanted], synced: str = "") -> Manifest:
    """Return what we apply to a workload; without anything wanted it takes all of ours away."""
    kind, namespace, name = place
    wanted = list(wanted)
    found: Manifest = {
        "apiVersion": API_VERSIONS[kind],
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
    }
    volumes, mounts = _files([one for one in wanted if one.form == Form.FILE])
    containers = []
    for container in sorted({one.container for one in wanted}):
        entries = [entry(one) for one in wanted if one.container == container and one.form != Form.FILE]
        parts = {
            "env": sorted(entries, key=lambda one: str(one["name"])),
            "volumeMounts": mounts.get(container, []),
        }
        containers.append({"name": container} | {part: items for part, items in parts.items() if items})
    template: Manifest = {"metadata": {"annotations": {SYNCED: synced}}} if synced else {}
    if containers:
        template["spec"] = {"containers": containers} | ({"volumes": volumes} if volumes else {})
    if template:
        spec = {"template": template}
        found["spec"] = {"jobTemplate": {"spec": spec}} if kind == "CronJob" else spec
    return found


def without(place: Place, slots: Iterable[Slot], revision: str) -> Manifest:
    """Return a strategic merge patch that takes variables out of a workload, as it was at a revision."""
    kind, namespace, name = place
    names: dict[str, list[Manifest]] = {}
    for container, variable in sorted(slots):
        names.setdefault(container, []).append({"$patch": "delete", "name": variable})
    containers = [{"name": container, "env": entries} for container, entries in names.items()]
    spec: Manifest = {"template": {"spec": {"containers": containers}}}
    return {
        "apiVersion": API_VERSIONS[kind],
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "resourceVersion": revision},
        "spec": {"jobTemplate": {"spec": spec}} if kind == "CronJob" else spec,
    }


def entry(one: Wanted) -> Manifest:
    """Return one environment entry: a reference to a Secret's key, or the path of a file."""
    if one.form == Form.PATH:
        return {"name": one.name, "value": one.link.path}
    reference: Manifest = {"key": one.key, "name": one.secret}
    if is_optional(one):
        reference["optional"] = True
    return {"name": one.name, "valueFrom": {"secretKeyRef": reference}}


def is_optional(one: Wanted) -> bool:
    """Tell whether pods start without it: the operator takes single keys away, and of several they come and go."""
    when_gone = original(one.link).when_gone
    if one.several and one.form == Form.VARIABLE and when_gone == ExternalSecret.WhenGone.RETAIN:
        return True
    return when_gone == ExternalSecret.WhenGone.MERGE


def volume_names(one: Wanted) -> tuple[str, str]:
    """Return the names that the volume of a file may have: shared by all containers, or of its own."""
    path = directory(one)
    return _volume_name(path), _volume_name(f"{path}\0{one.container}")


def _files(files: list[Wanted]) -> tuple[list[Manifest], dict[str, list[Manifest]]]:
    """Return the volumes, and the mounts of each container."""
    groups: dict[str, dict[str, list[Wanted]]] = {}
    for one in files:
        groups.setdefault(directory(one), {}).setdefault(one.container, []).append(one)
    volumes: dict[str, Manifest] = {}
    mounts: dict[str, list[Manifest]] = {}
    for path, by_container in groups.items():
        contents = {container: _projected(theirs) for container, theirs in by_container.items()}
        alike = all(content == next(iter(contents.values())) for content in contents.values())
        for container, content in contents.items():
            # No container sees a file that is another one's.
            name = _volume_name(path if alike else f"{path}\0{container}")
            volumes[name] = {"name": name, "projected": content}
            mounts.setdefault(container, []).extend(_mounts(name, path, by_container[container]))
    for found in mounts.values():
        found.sort(key=lambda mount: str(mount["mountPath"]))
    return [volumes[name] for name in sorted(volumes)], mounts


def _volume_name(words: str) -> str:
    return f"{VOLUME}{hashlib.sha256(words.encode()).hexdigest()[:12]}"


def _projected(files: list[Wanted]) -> Manifest:
    """Return the source of a volume: whole Secrets first, so that a file of its own name wins over one of them."""
    whole = sorted((one for one in files if one.several), key=lambda one: one.secret)
    items: dict[str, list[Manifest]] = {}
    optional = {one.secret for one in files if is_optional(one)}
    for one in files:
        if not one.several:
            file = {"key": one.key, "path": posixpath.basename(one.name), "mode": one.link.file_mode}
            items.setdefault(one.secret, []).append(file)
    sources: list[Manifest] = [_source(one.secret, optional) for one in whole]
    for secret in sorted(items):
        found = sorted(items[secret], key=lambda file: str(file["path"]))
        sources.append(_source(secret, optional, items=found))
    return {"sources": sources} | ({"defaultMode": whole[0].link.file_mode} if whole else {})


def _source(secret: str, optional: set[str], **more: Any) -> Manifest:
    return {"secret": {"name": secret} | more | ({"optional": True} if secret in optional else {})}


def _mounts(volume: str, path: str, files: list[Wanted]) -> list[Manifest]:
    if any(is_whole(one) for one in files):
        return [{"mountPath": path, "name": volume, "readOnly": True}]
    return [
        {"mountPath": one.name, "name": volume, "readOnly": True, "subPath": posixpath.basename(one.name)}
        for one in files
    ]
