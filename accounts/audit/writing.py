"""Appending an event: two round trips to the database, in the transaction of the change."""

import json
from typing import Any

from django.db import DatabaseError, OperationalError, connection, models, transaction
from django.utils import timezone

from accounts.audit import actions, cleaning, hashing, origin
from accounts.audit.models import AuditEvent
from accounts.organizations.models import Membership, Organization, User

_FIELDS = [field for field in AuditEvent._meta.concrete_fields if isinstance(field, models.CharField)]
LENGTHS = {field.name: field.max_length or 0 for field in _FIELDS}
_WRITTEN = (*hashing.COLUMNS, "scheme", "hash")
_INSERT = (
    f"INSERT INTO accounts_auditevent ({', '.join(_WRITTEN)}) VALUES ({', '.join(['%s'] * len(_WRITTEN))})"  # noqa: S608
)
SCHEME = 2


class NotWritten(OperationalError):
    """The log cannot be written. Whoever expects a conflict in their own tables must not take it for one."""


def record(
    *,
    organization: Organization,
    by: User | None,
    action: str,
    target: models.Model,
    details: dict[str, Any] | None = None,
) -> AuditEvent:
    """Append an event to the organization's chain, in the transaction of the change it tells of.

    `by` None is the console itself. `details` holds plain values from an allow-list, never a secret's; what does not
    fit is cut, since an odd name must not stop a change. Where it cannot be written, the whole transaction is undone,
    also when somebody catches the error.

    :raises OperationalError: it cannot be written (`NotWritten`), or the database is away
    """
    actions.check(action)
    told = _told(organization, by, action, target) | {"details": cleaning.details(details)}
    try:
        return _append(organization, told)
    except OperationalError:
        raise
    except DatabaseError as error:
        raise NotWritten("The audit event could not be written.") from error


def _append(organization: Organization, told: dict[str, Any]) -> AuditEvent:
    # No savepoint: an error in here leaves no way but back.
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        cursor.execute("SELECT sequence, hash, at, next_id FROM audit_head(%s)", [organization.pk])
        sequence, previous, last_at, number = cursor.fetchone()
        event = AuditEvent(
            **told,
            id=number,
            organization_id=organization.pk,
            sequence=sequence + 1,
            # Time in a log never goes back, whatever the clock does.
            at=max(timezone.now(), last_at),
            previous_hash=previous,
            scheme=SCHEME,
        )
        event.hash = digest(event)
        cursor.execute(_INSERT, [_plain(event, name) for name in _WRITTEN])
    event._state.adding, event._state.db = False, "default"
    return event


def digest(event: AuditEvent) -> str:
    """Return the hash that an event must have."""
    values = [getattr(event, name) for name in hashing.COLUMNS]
    values[hashing.COLUMNS.index("at")] = hashing.moment(event.at)
    return hashing.digest(event.scheme, values)


def _plain(event: AuditEvent, name: str) -> Any:
    return json.dumps(event.details) if name == "details" else getattr(event, name)


def _told(organization: Organization, by: User | None, action: str, target: models.Model) -> dict[str, Any]:
    """Return who, what and from where, each in the length that its column has."""
    here = origin.current()
    told = {
        "actor_id": by.pk if by else "",
        "actor_name": by or "Keyhaven",
        "role": _roles(organization, by),
        "token": here.token,
        "action": action,
        "target_type": target._meta.model_name or "",
        "target_id": target.pk,
        "target_name": target,
        "cluster": _cluster(target),
        "origin": here.kind,
        "address": here.address,
        "user_agent": here.user_agent,
        "request_id": here.request_id,
    }
    return {name: cleaning.text(value, LENGTHS[name]) for name, value in told.items()}


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
    return str(getattr(cluster, "name", ""))
