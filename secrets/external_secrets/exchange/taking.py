"""Making links of what was planned, all of them or none."""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.audit import services as audit
from accounts.models import User
from clusters.models import Cluster
from external_secrets import services
from external_secrets.exchange.rows import Row
from external_secrets.models import ExternalSecret

MOST = 500


class NotTaken(Exception):
    """Nothing was linked. `str()` says at which external secret it stopped, and why."""


@transaction.atomic
def take(*, cluster: Cluster, rows: Iterable[Row], by: User, action: str) -> list[ExternalSecret]:
    """Link what the rows say and return the links; what is linked otherwise is linked as they say.

    `action` is the audit log's word for the whole; each link has its own event as well.

    :raises NotTaken: one of them cannot be linked
    """
    chosen = [row for row in rows if row.can_take]
    made: dict[str, ExternalSecret] = {}
    for row in chosen:
        try:
            made[row.token] = _linked(row, made, by)
        except (services.Clash, services.NotAllowed, services.Changed, ValidationError) as error:
            raise NotTaken(f"{row.foreign.id}: {error}") from error
    names = sorted({row.foreign.id for row in chosen})
    details = {
        "count": len(made),
        "external_secrets": ", ".join(names[:50]) + (" and more" if names[50:] else ""),
    }
    if made:
        audit.record(organization=cluster.organization, by=by, action=action, target=cluster, details=details)
    return list(made.values())


def _linked(row: Row, made: dict[str, ExternalSecret], by: User) -> ExternalSecret:
    if row.match is None or row.place is None:
        raise NotTaken(f"{row.foreign.id} has no access or no place.")
    values: dict[str, Any] = dict(row.values)
    if row.keys and values["takes"] != ExternalSecret.Takes.VALUE:
        values["seen_keys"] = list(row.keys)
    access, place, overrides = row.match.access, row.place, dict(row.match.overrides)
    if row.link is not None:
        seen = row.link.updated_at.isoformat()
        return services.change(
            link=row.link,
            access=access,
            place=place,
            values=values,
            by=by,
            seen_version=seen,
            overrides=overrides,
        )
    alias_of = made.get(row.alias_of) or row.original
    return services.link(
        access=access, place=place, by=by, values=values, overrides=overrides, alias_of=alias_of,
        takes_over=row.takes_over,
    )  # fmt: skip
