"""The step that looks whether every link is in sync, and keeps what it saw and what the operator said."""

import datetime
from typing import Any

from django.utils import timezone

from accesses.causes import clean
from clusters import addons
from clusters.kubernetes.events import Event
from external_secrets import turns
from external_secrets.models import ExternalSecret
from external_secrets.steps import restart, state
from external_secrets.wanted import original

# So many of the operator's words are kept for each link.
EVENTS = 10
_SEEN = ("status", "status_reason", "status_remedy", "refused", "synced_at", "events")


class Observe(addons.Step):
    """Writes each link's state on its row. What was injected stays, also when a link is not in sync."""

    slug = "observe"
    label = "Observe"
    order = 80

    def apply(self, run: addons.Run) -> str:
        links = state.links_of(run.cluster, run.facts)
        failures = look(run, links)
        for failure in failures:
            run.log("error", f"{state.title(failure.link)}: {failure.reason}")
        if failures:
            raise state.step_failed(failures, len(links))
        return f"{len(links)} in sync"


def watch(run: addons.Run) -> None:
    """Keep what is so now; between deploys this is how a link comes to say that it failed or recovered."""
    if run.cluster.operator_version:
        links = state.links_of(run.cluster, run.facts)
        look(run, [link for link in links if not link.refused])
        restart.ask(run)


def look(run: addons.Run, links: list[ExternalSecret]) -> list[state.Failure]:
    """Read every link's state in the cluster, keep it, and return those that are not in sync."""
    ours, _ = state.split(run, state.every_console(run))
    said = state.said(run) if links else {}
    failures, changed, seen = [], [], []
    for link in links:
        key = state.key_of(link)
        told = said.get(key, [])
        # A link that never got to the cluster has nothing to be observed.
        if key in ours or link.status != ExternalSecret.Status.NEVER:
            # An alias stands as its original does.
            sync = state.sync_of(original(link), ours.get(key), told)
            seen.append(link)
            if _keep(link, sync, told):
                changed.append(link)
            if sync.status != ExternalSecret.Status.SYNCED:
                failures.append(state.Failure(link, sync.reason, sync.remedy))
    ExternalSecret.objects.bulk_update(changed, _SEEN, batch_size=200)
    ExternalSecret.objects.filter(pk__in=[link.pk for link in links]).update(checked_at=timezone.now())
    turns.turned(run.cluster.organization, seen)
    return failures


def _keep(link: ExternalSecret, sync: state.Sync, told: list[Event]) -> bool:
    """Put what was seen on the row, and tell whether that changes it."""
    before = [getattr(link, name) for name in _SEEN]
    link.status, link.status_reason, link.status_remedy = sync.status, sync.reason, sync.remedy
    link.refused = False
    link.synced_at = sync.synced_at or link.synced_at
    link.events = _merged(link.events, told)
    return before != [getattr(link, name) for name in _SEEN]


def _merged(kept: list[dict[str, Any]], told: list[Event]) -> list[dict[str, Any]]:
    """Return the newest events, those that the API server has forgotten among them; the same words count once."""
    found = {(one["type"], one["reason"], one["message"]): one for one in kept}
    for event in told:
        words = clean(event.message)
        key = (event.type, event.reason, words)
        at = event.at.astimezone(datetime.UTC).isoformat(timespec="seconds")
        count = max(event.count, found.get(key, {}).get("count", 0))
        found[key] = {"at": at, "type": event.type, "reason": event.reason, "message": words, "count": count}
    return sorted(found.values(), key=lambda one: str(one["at"]))[-EVENTS:]
