"""The parts of workloads that bring links into their containers, for whoever applies them instead of us.

They are what a deploy applies, with the names of the export in place of ours.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from clusters.models import Service
from external_secrets import wanted, workloads
from external_secrets.exchange.uses import RELOADER
from external_secrets.models import ExternalSecret
from external_secrets.wanted import Wanted

type Naming = Callable[[ExternalSecret], str]


@dataclass(frozen=True, slots=True)
class Consumer:
    """Something that a link brings to a container of a service."""

    service: Service
    one: Wanted

    @property
    def container(self) -> str:
        return self.one.container


def consumers(links: Iterable[ExternalSecret], services: Iterable[Service]) -> dict[Any, list[Consumer]]:
    """Return what each link brings where, by the link's id; what another link brings there instead is left out."""
    around: dict[str, list[ExternalSecret]] = {}
    for link in links:
        around.setdefault(link.namespace, []).append(link)
    found: dict[Any, list[Consumer]] = {}
    for service in services:
        for one in wanted.for_service(service, around.get(service.namespace, [])):
            if one.wins:
                found.setdefault(one.link.pk, []).append(Consumer(service, one))
    return found


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
    names = {one.one.secret: naming(one.one.link) for one in group}
    place = (service.kind, service.namespace, service.name)
    body: dict[str, Any] = _renamed(workloads.body(place, [one.one for one in group]), names)
    # Nobody but us restarts by our mark.
    restarting = sorted({naming(one.one.link) for one in group if one.one.link.restart_on_change})
    if restarting:
        body["metadata"]["annotations"] = {RELOADER: ",".join(restarting)}
    return body


def _renamed(value: Any, names: dict[str, str]) -> Any:
    """Return a body with other names for its Secrets and its volumes; nothing else in it is called as these are."""
    if isinstance(value, list):
        return [_renamed(one, names) for one in value]
    if not isinstance(value, dict):
        return value
    found = {key: _renamed(one, names) for key, one in value.items()}
    for reference in (found.get("secretKeyRef"), found.get("secret")):
        if reference:
            reference["name"] = names[reference["name"]]
    if {"projected", "mountPath"} & found.keys():
        found["name"] = f"secrets-{found['name'].removeprefix(workloads.VOLUME)}"
    return found
