"""OpenTelemetry's OTLP over HTTP with JSON: one log record an event."""

import datetime
import json
from typing import Any

from django.conf import settings

from accounts.outgoing.payload import Event
from accounts.outgoing.senders import http
from accounts.outgoing.senders.base import Accepted, Parcel

# Outcome → OpenTelemetry's number and word.
SEVERITY = {"done": (9, "INFO"), "refused": (13, "WARN"), "failed": (17, "ERROR")}
PATH = "/v1/logs"
# The attributes of a record and where an event has them.
ATTRIBUTES = {
    "event.name": ("action",),
    "keyhaven.event.id": ("id",),
    "keyhaven.event.sequence": ("sequence",),
    "keyhaven.organization": ("organization",),
    "keyhaven.outcome": ("outcome",),
    "enduser.id": ("actor", "id"),
    "keyhaven.actor.name": ("actor", "name"),
    "keyhaven.actor.roles": ("actor", "roles"),
    "keyhaven.actor.token": ("actor", "token"),
    "keyhaven.target.type": ("target", "type"),
    "keyhaven.target.id": ("target", "id"),
    "keyhaven.target.name": ("target", "name"),
    "keyhaven.cluster": ("cluster",),
    "keyhaven.origin": ("origin", "kind"),
    "client.address": ("origin", "address"),
    "user_agent.original": ("origin", "user_agent"),
    "keyhaven.request.id": ("origin", "request_id"),
    "keyhaven.details": ("details",),
    "keyhaven.previous_hash": ("previous_hash",),
    "keyhaven.hash": ("hash",),
}


def send(parcel: Parcel) -> Accepted:
    """Post the events to a collector; what it takes only in part is not sent again, as OTLP wants it.

    :raises NotSent: it did not take them
    """
    name, _, value = parcel.secrets[0].partition(":")
    headers = {name.strip(): value.strip()} if value else {}
    answer = http.post(_url(parcel.address), json.dumps(request(parcel)).encode(), headers)
    return Accepted(answer.status_code, "partly" if _rejected(answer.content) else "")


def _url(address: str) -> str:
    return address if address.endswith(PATH) else address.rstrip("/") + PATH


def _rejected(content: bytes) -> bool:
    """Tell whether the collector says that it did not take all of them."""
    try:
        said = json.loads(content or b"{}")
        return int(said.get("partialSuccess", {}).get("rejectedLogRecords", 0)) > 0
    except (ValueError, TypeError, AttributeError, RecursionError):
        return False


def request(parcel: Parcel) -> dict[str, Any]:
    """Return an ExportLogsServiceRequest."""
    resource = {"service.name": "keyhaven", "service.version": settings.VERSION}
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": [_attribute(*pair) for pair in resource.items()]},
                "scopeLogs": [
                    {"scope": {"name": "keyhaven.audit"}, "logRecords": [_record(e) for e in parcel.events]}
                ],
            }
        ]
    }


def _record(event: Event) -> dict[str, Any]:
    number, word = SEVERITY.get(event["outcome"], SEVERITY["done"])
    at = datetime.datetime.fromisoformat(event["at"])
    since = at - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    nanoseconds = str(since // datetime.timedelta(microseconds=1) * 1000)
    found = {name: _at(event, path) for name, path in ATTRIBUTES.items()}
    return {
        "timeUnixNano": nanoseconds,
        "observedTimeUnixNano": nanoseconds,
        "severityNumber": number,
        "severityText": word,
        "eventName": event["action"],
        "body": {"stringValue": event["sentence"]},
        "attributes": [_attribute(name, value) for name, value in found.items() if value not in ("", {})],
    }


def _at(event: Event, path: tuple[str, ...]) -> Any:
    found: Any = event
    for word in path:
        found = found[word]
    return found


def _attribute(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, int):
        return {"key": name, "value": {"intValue": str(value)}}
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return {"key": name, "value": {"stringValue": text}}
