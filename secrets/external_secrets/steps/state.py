"""What the steps share: the links of a cluster, their objects there, and what these say of themselves."""

import datetime
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from clusters import addons, kubernetes, waiting
from clusters.kubernetes import conditions
from clusters.kubernetes.events import WARNING, Event
from clusters.models import Cluster
from external_secrets import causes, manifests
from external_secrets.models import ExternalSecret

# (namespace, name)
type Key = tuple[str, str]
type Objects = dict[Key, dict[str, Any]]

# An operator that was told to try again needs a moment before its old failure counts as a new one.
GRACE = 5.0
FORCED, LINKS = "external_secrets.forced", "external_secrets.links"


@dataclass(frozen=True, slots=True)
class Sync:
    """How a link stands in the cluster."""

    status: ExternalSecret.Status
    reason: str = ""
    remedy: str = ""
    synced_at: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A link that could not be brought, and why."""

    link: ExternalSecret
    reason: str
    remedy: str


def links_of(cluster: Cluster, facts: addons.Facts) -> list[ExternalSecret]:
    """Return the cluster's links with their services and accesses; all steps of a run see the same."""
    if LINKS not in facts:
        found = ExternalSecret.objects.filter(cluster=cluster).select_related(
            "service", "access", "variant", "alias_of"
        )
        facts[LINKS] = list(
            found.order_by("namespace", "service__name", "variable", "path", "created_at", "pk")
        )
        by_id = {link.pk: link for link in facts[LINKS]}
        for link in facts[LINKS]:
            # One object for all of them, and the one that knows where the operator is.
            link.cluster = link.access.cluster = cluster
            link.alias_of = by_id.get(link.alias_of_id) if link.alias_of_id else None
    return list(facts[LINKS])


def key_of(link: ExternalSecret) -> Key:
    """Return the key of a link's ExternalSecret and of its Secret, of an alias that of its original."""
    return link.namespace, link.object_name


def with_objects(links: list[ExternalSecret]) -> list[ExternalSecret]:
    """Return the links that have an ExternalSecret of their own: an alias has none."""
    return [link for link in links if link.alias_of_id is None]


def title(link: ExternalSecret) -> str:
    """Return how a log names a link."""
    return str(link)


def every_console(run: addons.Run) -> list[dict[str, Any]]:
    """Return the ExternalSecrets that any Keyhaven made; none while the operator is not installed."""
    label = f"{manifests.MANAGED_BY}={manifests.US}"
    try:
        return run.door.list_all(manifests.API, manifests.KIND, label_selector=label)
    except kubernetes.KindMissing:
        return []


def split(run: addons.Run, found: list[dict[str, Any]]) -> tuple[Objects, set[Key]]:
    """Return the objects that we made, by key, and the keys of those that another console made."""
    ours: Objects = {}
    others: set[Key] = set()
    for item in found:
        metadata = item["metadata"]
        key = (metadata["namespace"], metadata["name"])
        if (metadata.get("labels") or {}).get(manifests.CLUSTER) == str(run.cluster.pk):
            ours[key] = item
        else:
            others.add(key)
    return ours, others


def is_synced(item: dict[str, Any] | None) -> bool:
    """Tell whether the operator wrote the Secret for the object as it is now."""
    if item is None or conditions.ready(item).get("status") != "True":
        return False
    synced = str((item.get("status") or {}).get("syncedResourceVersion") or "")
    return not synced or synced.partition("-")[0] == str(item["metadata"].get("generation"))


def is_written(item: dict[str, Any] | None) -> bool:
    """Tell whether the Secret is as the object says: one that the operator only retained may never have been there."""
    return is_synced(item) and "retained" not in str(conditions.ready(item).get("message", ""))


def _is_settled(run: addons.Run, key: Key, item: dict[str, Any] | None, waited: float) -> bool:
    if is_synced(item):
        return True
    patient = key in run.facts.get(FORCED, ()) and waited < GRACE
    return conditions.ready(item).get("status") == "False" and not patient


def settle(run: addons.Run, links: list[ExternalSecret]) -> tuple[Objects, set[Key]]:
    """Wait until the operator has decided on each link, at most SYNC_TIMEOUT seconds; return as `split`."""
    started = time.monotonic()
    keys = sorted({key_of(link) for link in links})
    found: list[tuple[Objects, set[Key]]] = []

    def settled() -> bool:
        ours, others = split(run, every_console(run))
        waited = time.monotonic() - started
        left = sum(not _is_settled(run, key, ours.get(key), waited) for key in keys)
        if left and not found:
            run.log("info", f"Waiting for the operator to read {left} of {len(keys)} secrets.")
        found[:] = [(ours, others)]
        return not left

    waiting.until(run, settings.SYNC_TIMEOUT, settled)
    return found[0]


def said(run: addons.Run) -> dict[Key, list[Event]]:
    """Return what the operator said of each external secret, oldest first; nothing where it may not be read."""
    found: dict[Key, list[Event]] = {}
    try:
        for event in run.door.events_of(manifests.KIND):
            found.setdefault((event.namespace, event.name), []).append(event)
    except kubernetes.Forbidden:
        run.log("warning", "Not allowed to list events; why a secret is not in sync is not known in full.")
    return found


def sync_of(link: ExternalSecret, item: dict[str, Any] | None, told: list[Event]) -> Sync:
    """Return how a link stands: in sync, failed with its cause, or waiting for the operator.

    `told` is what the operator said of it: the condition alone only says that something failed.
    """
    condition = conditions.ready(item)
    at = parse_datetime(str(((item or {}).get("status") or {}).get("refreshTime") or ""))
    message = str(condition.get("message", ""))
    if is_written(item):
        return Sync(ExternalSecret.Status.SYNCED, synced_at=at)
    if not condition:
        return Sync(
            ExternalSecret.Status.WAITING,
            "The operator has not looked at it yet.",
            "Check that the operator's pods run, then deploy again.",
        )
    if condition.get("status") == "True" and "retained" not in message:
        return Sync(ExternalSecret.Status.WAITING, "The operator has not read the last change yet.", "", at)
    warnings = [event.message for event in told if event.type == WARNING]
    cause = causes.translate(f"{message} {warnings[-1] if warnings else ''}", link)
    return Sync(ExternalSecret.Status.FAILED, cause.reason, cause.remedy, at)


def fail(run: addons.Run, failure: Failure) -> None:
    """Keep a failure on its row and in the log."""
    run.log("error", f"{title(failure.link)}: {failure.reason}")
    ExternalSecret.objects.filter(pk=failure.link.pk).update(
        status=ExternalSecret.Status.FAILED,
        status_reason=failure.reason,
        status_remedy=failure.remedy,
        refused=True,
        checked_at=timezone.now(),
    )


def step_failed(failures: list[Failure], total: int) -> addons.StepFailed:
    """Return the end of a step that brought some links and not others; the first failure speaks for it."""
    first = failures[0]
    count = f"{len(failures)} of {total} secrets failed. " if total > 1 else ""
    return addons.StepFailed(f"{count}{title(first.link)}: {first.reason}", first.remedy)
