"""An audit event as it leaves: plain JSON, the same for every receiver."""

import datetime
import uuid
from typing import Any

from django.conf import settings
from django.utils import timezone

from accounts.audit import actions
from accounts.audit.models import AuditEvent

type Event = dict[str, Any]


def identifier(event: AuditEvent) -> str:
    """Return what an event is known by for good: also when it is sent twice, and to whomever."""
    return f"{event.organization_id}-{event.sequence}"


def sentence(event: AuditEvent) -> str:
    """Return who did what to what, in one line."""
    before, names, after = actions.said(event.action)
    words = f"{event.actor_name} {before}{event.target_name if names else ''}{after}"
    return " ".join(words.split())


def of(event: AuditEvent) -> Event:
    """Return an event as JSON has it; its hashes let a receiver check the chain on its own."""
    return {
        "id": identifier(event),
        "sequence": event.sequence,
        "at": event.at.astimezone(datetime.UTC).isoformat(timespec="microseconds"),
        "organization": event.organization.slug,
        "action": event.action,
        "outcome": str(actions.of(event.action).outcome),
        "sentence": sentence(event),
        "actor": {
            "id": event.actor_id,
            "name": event.actor_name,
            "roles": event.role,
            "token": event.token,
        },
        "target": {"type": event.target_type, "id": event.target_id, "name": event.target_name},
        "cluster": event.cluster,
        "details": event.details,
        "origin": {
            "kind": event.origin,
            "address": event.address,
            "user_agent": event.user_agent,
            "request_id": event.request_id,
        },
        "previous_hash": event.previous_hash,
        "hash": event.hash,
    }


def test(organization: str, by: str) -> Event:
    """Return an event that nothing but a test sends: it is in no log."""
    return {
        "id": f"test-{uuid.uuid4()}",
        "sequence": 0,
        "at": timezone.now().astimezone(datetime.UTC).isoformat(timespec="microseconds"),
        "organization": organization,
        "action": "test",
        "outcome": "done",
        "sentence": f"{by} tests this destination of Keyhaven",
        "actor": {"id": "", "name": by, "roles": "", "token": ""},
        "target": {"type": "destination", "id": "", "name": ""},
        "cluster": "",
        "details": {},
        "origin": {"kind": "console", "address": "", "user_agent": "", "request_id": ""},
        "previous_hash": "",
        "hash": "",
    }


def agent() -> str:
    """Return how the console names itself to a receiver."""
    return f"Keyhaven/{settings.VERSION}"
