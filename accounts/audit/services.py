"""Writing the audit log and checking its chain."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from django.db import models, transaction
from django.utils import timezone

from accounts.audit import actions, origin
from accounts.audit.diff import changes as changes
from accounts.audit.diff import facts as facts
from accounts.audit.models import AuditEvent
from accounts.organizations.models import Membership, Organization, User

GENESIS = "0" * 64
_HASHED = (
    "sequence", "actor_id", "actor_name", "role", "action", "target_type", "target_id", "target_name",
    "details", "origin", "address", "user_agent", "request_id", "previous_hash",
)  # fmt: skip
# Came later: hashed where they say something, so that older events keep their hash.
_HASHED_IF_SET = ("token", "cluster")


def digest(event: AuditEvent) -> str:
    """Return the SHA-256 of an event's content and its predecessor's hash, in hexadecimal."""
    content = {name: getattr(event, name) for name in _HASHED}
    content |= {name: value for name in _HASHED_IF_SET if (value := getattr(event, name))}
    content |= {"organization": event.organization_id, "at": event.at.isoformat(timespec="microseconds")}
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


@transaction.atomic
def record(
    *,
    organization: Organization,
    by: User | None,
    action: str,
    target: models.Model,
    details: dict[str, Any] | None = None,
) -> AuditEvent:
    """Append an event to the organization's chain, in the transaction of the change it tells of.

    `by` None is the console itself. `details` holds plain values from an allow-list, never a secret's.
    """
    actions.check(action)
    # The row lock makes the chain a chain; FOR NO KEY UPDATE leaves foreign keys to it free.
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    last = AuditEvent.objects.owned_by(organization).order_by("-sequence").first()
    here = origin.current()
    event = AuditEvent(
        organization=organization,
        sequence=last.sequence + 1 if last else 1,
        at=timezone.now(),
        actor_id=str(by.pk) if by else "",
        actor_name=str(by) if by else "Keyhaven",
        role=_roles(organization, by)[:160],
        token=here.token,
        action=action,
        target_type=target._meta.model_name or "",
        target_id=str(target.pk),
        target_name=str(target)[:260],
        cluster=_cluster(target),
        details=details or {},
        origin=here.kind,
        address=here.address,
        user_agent=here.user_agent,
        request_id=here.request_id,
        previous_hash=last.hash if last else GENESIS,
    )
    event.hash = digest(event)
    event.save()
    return event


def _roles(organization: Organization, by: User | None) -> str:
    """Return the roles of the actor in words; the door has read those of the one who asks."""
    if by is None:
        return ""
    here = origin.current()
    if (here.organization_id, here.user_id) == (organization.pk, by.pk):
        return here.roles
    membership = Membership.objects.filter(organization=organization, user=by).first()
    return membership.role_names if membership else ""


def _cluster(target: models.Model) -> str:
    """Return the name of the cluster that a target is or belongs to, or nothing."""
    cluster = target if target._meta.model_name == "cluster" else getattr(target, "cluster", None)
    return str(getattr(cluster, "name", ""))[:40]


@dataclass(frozen=True, slots=True)
class Chain:
    """The result of a check: how many events, and the sequence number of the first that does not fit, or None."""

    checked: int
    broken_at: int | None

    @property
    def ok(self) -> bool:
        return self.broken_at is None


def verify(organization: Organization, newest: int | None = None) -> Chain:
    """Walk an organization's chain, or its `newest` events; an edited, removed or reordered event is named."""
    owned = AuditEvent.objects.owned_by(organization).order_by("sequence")
    last = owned.last()
    start = max(0, last.sequence - newest) if last and newest else 0
    previous = GENESIS
    if start:
        before = owned.filter(sequence=start).first()
        if before is None:
            return Chain(0, start)
        previous = before.hash
    expected = start + 1
    for event in owned.filter(sequence__gt=start).iterator():
        if event.sequence != expected or event.previous_hash != previous or digest(event) != event.hash:
            return Chain(expected - start - 1, min(event.sequence, expected))
        previous, expected = event.hash, expected + 1
    return Chain(expected - start - 1, None)
