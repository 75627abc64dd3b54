"""Events: what a controller said of an object. The API server forgets them after an hour."""

import datetime
from dataclasses import dataclass
from typing import Any

from django.utils.dateparse import parse_datetime

from clusters.kubernetes import workloads

WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that was said, `count` times, the last time at `at`."""

    kind: str
    namespace: str
    name: str
    type: str
    reason: str
    message: str
    at: datetime.datetime
    count: int = 1


def read(item: dict[str, Any]) -> Event | None:
    """Return an event, or None when it is none: without a time or an object, or not made like one."""
    try:
        return _read(item)
    except (TypeError, ValueError, AttributeError, OverflowError):
        return None


def _read(item: dict[str, Any]) -> Event | None:
    about, series = item.get("involvedObject") or {}, item.get("series") or {}
    said = (
        series.get("lastObservedTime"),
        item.get("lastTimestamp"),
        item.get("eventTime"),
        item.get("firstTimestamp"),
    )
    at = next((moment for text in said if text and (moment := _moment(str(text)))), None)
    if at is None or not about.get("name"):
        return None
    return Event(
        kind=str(about.get("kind", "")),
        namespace=str(about.get("namespace") or (item.get("metadata") or {}).get("namespace", "")),
        name=str(about["name"]),
        type=workloads.text(item.get("type", ""), 20),
        reason=workloads.text(item.get("reason", ""), 100),
        message=workloads.text(item.get("message", ""), 2000),
        at=at.astimezone(datetime.UTC),
        count=int(series.get("count") or item.get("count") or 1),
    )


def _moment(text: str) -> datetime.datetime | None:
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=datetime.UTC)
