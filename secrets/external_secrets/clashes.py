"""What is in the way where a link goes: a variable of that name, a file or a directory that is mounted already.

Of two links of unlike reach, one for a container and one for all, or one for a service and one for its namespace,
the narrower wins: that is no clash. A directory inside another one is always one, for no pod can start with it.
"""

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from clusters.models import Service
from external_secrets.models import ExternalSecret
from external_secrets.placing import Place


@dataclass(frozen=True, slots=True)
class Found:
    """One clash: which field of a form it is about, the sentence that says where the other one comes from."""

    field: str
    text: str


def mount_point(values: Mapping[str, Any]) -> str:
    """Return where something will be mounted for a file: its directory or itself; empty for a variable alone."""
    path = str(values.get("path") or "")
    if not path or values.get("takes", "value") in ("keys", "path", "tags"):
        return path
    whole = values.get("mount", ExternalSecret.Mount.DIRECTORY) == ExternalSecret.Mount.DIRECTORY
    return posixpath.dirname(path) if whole else path


def is_single(values: Mapping[str, Any]) -> bool:
    """Tell whether the variable is one, and not what the names of several begin with."""
    return values.get("takes", "value") == "value" or values.get("target") == "both"


def inside(inner: str, outer: str) -> bool:
    """Tell whether one path lies below another, and is not the same."""
    return inner.startswith(f"{outer.rstrip('/')}/")


class Around:
    """What is at a place and what is linked there, read once: by two queries, three for a namespace."""

    def __init__(self, place: Place, *, without: Iterable[Any] = (), takes_over: bool = False) -> None:
        links = ExternalSecret.objects.filter(cluster=place.cluster, namespace=place.namespace)
        if place.service is not None:
            links = links.filter(Q(service=place.service) | Q(service=None))
        found = links.select_related("service", "alias_of").exclude(pk__in=list(without))
        self.place, self.limits = place, place.limits
        # What the workload itself has there gives way: a deploy asks before it overwrites that.
        self.takes_over = takes_over
        self.services = place.services()
        self.links: list[ExternalSecret] = []
        self._here: dict[str, ExternalSecret] = {}
        self._files: list[ExternalSecret] = []
        # The directories and files that our links mounted: their mounts in the manifest are no clash.
        self._ours: set[str] = set()
        for link in found:
            if self._meet(link):
                self.add(link)
            self._ours.add(mount_point(vars(link)))

    def add(self, link: ExternalSecret) -> None:
        """Count with a link that is there, or about to be made."""
        self.links.append(link)
        if is_single(vars(link)) and self._is_here(link):
            self._here[link.variable] = link
        if link.path:
            self._files.append(link)

    def find(self, values: Mapping[str, Any]) -> list[Found]:
        """Return what is in the way of a link of these values; nothing of a wider or narrower one."""
        found = [Found(*wrong)] if (wrong := self._out_of_reach(values)) else []
        variable, path = str(values.get("variable") or ""), str(values.get("path") or "")
        if variable and is_single(values) and (source := self._variable(variable)):
            found.append(Found("variable", f"{self._where()} already has {variable}, from {source}."))
        if path and (text := self._path(path, mount_point(values))):
            found.append(Found("path", text))
        return found

    def beside(self, values: Mapping[str, Any]) -> list[str]:
        """Return, in sentences, which links of another reach have the same variable or path, and which one wins."""
        sentences = []
        for link in self.links:
            if self._is_here(link):
                continue
            for name in ("variable", "path"):
                if values.get(name) and getattr(link, name) == values[name]:
                    sentences.append(self._precedence(link, str(values[name])))
        return sentences + self._keeping(str(values.get("variable") or ""))

    def _meet(self, link: ExternalSecret) -> bool:
        """Tell whether a link and the place have a container in common."""
        here = self.place
        services = link.service_id is None or here.service is None or link.service_id == here.service.pk
        return services and (not link.container or not here.container or link.container == here.container)

    def _is_here(self, link: ExternalSecret) -> bool:
        mine = self.place.service.pk if self.place.service else None
        return link.service_id == mine and link.container == self.place.container

    def _precedence(self, link: ExternalSecret, what: str) -> str:
        mine = (self.place.service is None, not self.place.container)
        wins = (link.service_id is None, not link.container) < mine
        other = f"The link of {self._name(link)} to {_reach(link)}"
        return f"{other} gives {what} too{', and wins there' if wins else '; this one wins here'}."

    def _keeping(self, variable: str) -> list[str]:
        """Say which services of the namespace have the variable of their own, and keep it."""
        if self.place.service is not None or not variable:
            return []
        names = [service.name for service in self.services if self._own(service, variable)]
        words = ("has", "keeps its own") if len(names) == 1 else ("have", "keep their own")
        listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if names[5:] else "")
        return [f"{listed} {words[0]} {variable} already and {words[1]}."] if names else []

    def _own(self, service: Service, variable: str) -> tuple[str, str] | None:
        for container in service.containers:
            if self.place.container not in ("", container["name"]):
                continue
            for entry in container.get("env", []):
                if entry["name"] == variable and not (
                    entry.get("ours") or is_ours(entry["source"], variable)
                ):
                    return container["name"], str(entry["source"])
        return None

    def _out_of_reach(self, values: Mapping[str, Any]) -> tuple[str, str] | None:
        """Return the field and why the one who links may not take that here; of values that name nothing, nothing."""
        if self.limits is None or "key" not in values:
            return None
        return self.limits.wrong([self.place.namespace], values)

    def _name(self, link: ExternalSecret) -> str:
        """Return what a link takes; to whom that may not be said, only that it takes something."""
        if self.limits is not None and not self.limits.shows(link):
            return "a secret that you may not see"
        return link.key or link.words_of_tags

    def _secret(self, link: ExternalSecret) -> str:
        name = self._name(link)
        return name if name != link.key else f"the secret {name}"

    def _where(self) -> str:
        return f"The container {self.place.container}" if self.place.container else self.place.words

    def _variable(self, variable: str) -> str:
        link = self._here.get(variable)
        if link is not None:
            return f"{self._secret(link)}, which is linked already"
        service = None if self.takes_over else self.place.service
        own = self._own(service, variable) if service else None
        if own is None:
            return ""
        return own[1] if self.place.container else f"{own[1]} in the container {own[0]}"

    def _path(self, path: str, point: str) -> str:
        for link in self._files:
            theirs = mount_point(vars(link))
            if link.path == path and self._is_here(link):
                return (
                    f"{self._where()} already has {path}, from {self._secret(link)}, which is linked already."
                )
            if link.path != path and (text := _nested(point, theirs, link.mount == "file")):
                return f"{text} {link.path}, a file of {_reach(link)}. {_ADVICE}"
        return self._mounted(path, point)

    def _mounted(self, path: str, point: str) -> str:
        """Say what the service's own manifest mounts there. What our links mounted is no clash."""
        if self.place.service is None or self.takes_over:
            return ""
        for container in self.place.service.containers:
            if self.place.container not in ("", container["name"]):
                continue
            for mount in container.get("mounts", []):
                theirs = _foreign_mount(mount)
                if not theirs or theirs in self._ours:
                    continue
                if theirs in (point, path):
                    return f"The container {container['name']} already has something mounted at {theirs}. {_ADVICE}"
                if text := _nested(point, theirs, False):
                    return f"{text} {theirs}, which the container {container['name']} has mounted. {_ADVICE}"
        return ""


_ADVICE = "Choose another directory."


def _nested(point: str, theirs: str, single: bool) -> str:
    if inside(point, theirs):
        return f"{point} lies inside"
    if inside(theirs, point):
        return f"{point} would hide"
    return f"{point} is also" if single and point == theirs else ""


def _foreign_mount(mount: Any) -> str:
    """Return the path of a mount as discovered, empty when it is one of ours."""
    if isinstance(mount, dict):
        return "" if mount.get("ours") else str(mount.get("path", ""))
    return str(mount)


def _reach(link: ExternalSecret) -> str:
    return f"{link.place}, container {link.container}" if link.container else link.place


def is_ours(source: str, variable: str) -> bool:
    """Tell whether an entry is one that an earlier deploy of ours put there; the next deploy replaces it."""
    words = ExternalSecret(variable=variable).object_name.rpartition("-")[0]
    return bool(re.fullmatch(rf"secret {re.escape(words)}-[0-9a-f]{{8}}/{re.escape(variable)}", source))
