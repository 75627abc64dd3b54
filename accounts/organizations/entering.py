"""Who is at the door: the membership, its organization and its roles in one query."""

import functools
import json
from typing import Any

from django.db import connection, models
from django.utils import timezone

from accounts.authority import Authority, built_in, custom
from accounts.organizations.models import Membership, Organization, User
from accounts.roles import in_order

ACTIVE_SECONDS = 300

_ROLES = """(SELECT jsonb_agg(jsonb_build_array(r.name, r.permissions, r.clusters, r.namespaces, r.prefixes)
 ORDER BY r.name) FROM accounts_membership_custom_roles t JOIN accounts_customrole r ON r.id = t.customrole_id
 WHERE t.membership_id = m.id)"""


@functools.cache
def _columns(model: type[models.Model], table: str) -> str:
    return ", ".join(f"{table}.{field.column}" for field in model._meta.concrete_fields)


@functools.cache
def _query() -> str:
    return (
        f"SELECT {_columns(Membership, 'm')}, {_columns(Organization, 'o')}, {_ROLES}"  # noqa: S608 our own names
        " FROM accounts_membership m JOIN accounts_organization o ON o.id = m.organization_id"
        " WHERE o.slug = %s AND m.user_id = %s AND o.deleted_at IS NULL"
    )


def find(user: User, slug: str) -> Membership | None:
    """Return a person's membership of the organization with a slug, with its authority read, or None."""
    with connection.cursor() as cursor:
        cursor.execute(_query(), [slug, user.pk])
        row = cursor.fetchone()
    if row is None:
        return None
    width = len(Membership._meta.concrete_fields)
    membership = _made(Membership, row[:width])
    membership.organization = _made(Organization, row[width:-1])
    membership.user = user
    own = [custom(*role) for role in json.loads(row[-1] or "[]")]
    membership.authority = Authority(((*(built_in(role) for role in in_order(membership.roles)), *own),))
    return membership


def _made[M: models.Model](model: type[M], row: tuple[Any, ...]) -> M:
    made: M = model.from_db("default", [field.attname for field in model._meta.concrete_fields], row)
    return made


def organizations(user: User) -> list[Organization]:
    """Return the organizations that a person is a member of, by name: as `Organization.objects.of`, for every page."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {_columns(Organization, 'o')} FROM accounts_organization o"  # noqa: S608 our own names
            " JOIN accounts_membership m ON m.organization_id = o.id"
            " WHERE m.user_id = %s AND o.deleted_at IS NULL ORDER BY o.name, o.id",
            [user.pk],
        )
        return [_made(Organization, row) for row in cursor.fetchall()]


def seen(membership: Membership) -> None:
    """Note that a member is active, at most each five minutes."""
    now, last = timezone.now(), membership.last_active_at
    if last is None or (now - last).total_seconds() > ACTIVE_SECONDS:
        Membership.objects.filter(pk=membership.pk).update(last_active_at=now)
