"""The parts of workloads that bring links into their containers, for whoever applies them instead of us."""

import hashlib
import json
import posixpath
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from clusters.models import Service
from external_secrets.exchange.uses import RELOADER
from external_secrets.models import ExternalSecret, variable_rule
from external_secrets.workloads import API_VERSIONS

Takes, Target, Mount = ExternalSecret.Takes, ExternalSecret.Target, ExternalSecret.Mount
type Naming = Callable[[ExternalSecret], str]


@dataclass(frozen=True, slots=True)
class Consumer:
    """A container that a link brings something to."""

    link: ExternalSecret
    service: Service
    container: str


def consumers(links: Iterable[ExternalSecret], services: Iterable[Service]) -> dict[Any, list[Consumer]]:
    """Return which containers each link goes to, by the link's id; where two bring the same, the narrower one does."""
    around: dict[str, list[Service]] = {}
    for service in services:
        around.setdefault(service.namespace, []).append(service)
    taken: dict[tuple[Any, ...], ExternalSecret] = {}
    found: dict[Any, list[Consumer]] = {}
    ordered = sorted(links, key=lambda one: (one.service_id is None, one.container == "", str(one.pk)))
    for link in ordered:
        for service in around.get(link.namespace, []):
            if link.service_id not in (None, service.pk):
                continue
            for container in service.container_names:
                slot = (service.pk, container, link.target == Target.VARIABLE, _what(link))
                if link.container in ("", container) and taken.setdefault(slot, link) is link:
                    found.setdefault(link.pk, []).append(Consumer(link, service, container))
    return found


def _what(link: ExternalSecret) -> Any:
    several = link.takes != Takes.VALUE and link.target == Target.VARIABLE
    return str(link.pk) if several else link.variable if link.target == Target.VARIABLE else link.path


def bodies(found: dict[Any, list[Consumer]], naming: Naming) -> list[dict[str, Any]]:
    """Return one body for each workload: a merge patch by name, which server-side apply and kustomize both take."""
    per_service: dict[Any, list[Consumer]] = {}
    for one in (consumer for group in found.values() for consumer in group):
        per_service.setdefault(one.service.pk, []).append(one)
    made = [_body(group, naming) for group in per_service.values()]
    return sorted(
        made, key=lambda body: (body["metadata"]["namespace"], body["kind"], body["metadata"]["name"])
    )


def _body(group: list[Consumer], naming: Naming) -> dict[str, Any]:
    service = group[0].service
    containers: dict[str, dict[str, Any]] = {}
    volumes: dict[str, dict[str, Any]] = {}
    for name in sorted({one.container for one in group}):
        links = [one.link for one in group if one.container == name]
        env, mounts = _variables(links, naming), _mounts(links, naming, volumes)
        containers[name] = (
            {"name": name} | ({"env": env} if env else {}) | ({"volumeMounts": mounts} if mounts else {})
        )
    spec: dict[str, Any] = {"containers": list(containers.values())}
    if volumes:
        spec["volumes"] = [volumes[name] for name in sorted(volumes)]
    template: dict[str, Any] = {"template": {"spec": spec}}
    metadata: dict[str, Any] = {"name": service.name, "namespace": service.namespace}
    restarting = sorted({naming(one.link) for one in group if one.link.restart_on_change})
    if restarting:
        metadata["annotations"] = {RELOADER: ",".join(restarting)}
    return {
        "apiVersion": API_VERSIONS[service.kind],
        "kind": service.kind,
        "metadata": metadata,
        "spec": {"jobTemplate": {"spec": template}} if service.kind == "CronJob" else template,
    }


def _variables(links: list[ExternalSecret], naming: Naming) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    # Of one name the one that was linked as such wins over one of several.
    for link in sorted(links, key=lambda one: one.takes == Takes.VALUE):
        if link.target == Target.BOTH:
            found[link.variable] = {"name": link.variable, "value": link.path}
        elif link.target == Target.VARIABLE:
            for variable, key in _keys(link):
                reference = {"name": naming(link), "key": key}
                found[variable] = {"name": variable, "valueFrom": {"secretKeyRef": reference}}
    return [found[name] for name in sorted(found)]


def _keys(link: ExternalSecret) -> list[tuple[str, str]]:
    """Return (variable, key of the Secret) of what a link brings as variables."""
    if link.takes == Takes.VALUE:
        return [(link.variable, link.secret_key)]
    named = [(f"{link.variable}{key}", key) for key in link.seen_keys]
    return [(variable, key) for variable, key in named if variable_rule.regex.match(variable)]  # type: ignore[union-attr]


def _mounts(
    links: list[ExternalSecret], naming: Naming, volumes: dict[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return a container's mounts, and put their volumes to those of the workload."""
    directories: dict[str, list[ExternalSecret]] = {}
    found: list[dict[str, Any]] = []
    for link in sorted((one for one in links if one.path), key=lambda one: (one.path, naming(one))):
        if link.takes == Takes.VALUE and link.mount == Mount.FILE:
            name = _volume([_source(link, naming)], link.file_mode, volumes)
            part = posixpath.basename(link.path)
            found.append({"mountPath": link.path, "name": name, "subPath": part, "readOnly": True})
        else:
            directory = posixpath.dirname(link.path) if link.takes == Takes.VALUE else link.path
            directories.setdefault(directory, []).append(link)
    for directory, inside in directories.items():
        whole = next((one for one in inside if one.takes != Takes.VALUE), inside[0])
        name = _volume([_source(one, naming) for one in inside], whole.file_mode, volumes)
        found.append({"mountPath": directory or "/", "name": name, "readOnly": True})
    return sorted(found, key=lambda one: str(one["mountPath"]))


def _source(link: ExternalSecret, naming: Naming) -> dict[str, Any]:
    secret: dict[str, Any] = {"name": naming(link)}
    if link.takes == Takes.VALUE:
        secret["items"] = [
            {"key": link.secret_key, "path": posixpath.basename(link.path), "mode": link.file_mode}
        ]
    return {"secret": secret}


def _volume(sources: list[dict[str, Any]], mode: int, volumes: dict[str, dict[str, Any]]) -> str:
    projected = {"defaultMode": mode, "sources": sources}
    name = f"secrets-{hashlib.sha256(json.dumps(projected, sort_keys=True).encode()).hexdigest()[:8]}"
    volumes[name] = {"name": name, "projected": projected}
    return name
