"""Making links of what was planned, all of them or none."""

from collections.abc import Iterable
from typing import Any

from django.db import transaction

from accesses.models import StoreVariant
from accounts.audit import services as audit
from accounts.models import User
from clusters.models import Cluster
from external_secrets import services
from external_secrets.exchange.planning import Row, State
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
        except (services.Clash, services.NotAllowed) as error:
            raise NotTaken(f"{row.foreign.id}: {error}") from error
    names = sorted({row.foreign.id for row in chosen})
    details = {"count": len(made), "external_secrets": ", ".join(names[:50]) + (" and more" if names[50:] else "")}
    if made:
        audit.record(organization=cluster.organization, by=by, action=action, target=cluster, details=details)
    return list(made.values())


def _linked(row: Row, made: dict[str, ExternalSecret], by: User) -> ExternalSecret:
    assert row.match is not None and row.place is not None  # noqa: S101  or it could not be taken
    values: dict[str, Any] = dict(row.values)
    values["variant"] = _variant(row)
    values["alias_of"] = made.get(row.alias_of)
    if row.keys and values["takes"] != ExternalSecret.Takes.VALUE:
        values["seen_keys"] = list(row.keys)
    if row.state == State.CHANGED and row.link is not None:
        services.unlink(link=row.link, by=by)
    return services.link(
        access=row.match.access, place=row.place, by=by, values=values, instead_of=row.instead_of
    )


def _variant(row: Row) -> StoreVariant | None:
    if row.match is None or row.match.is_exact:
        return None
    found, _ = StoreVariant.objects.get_or_create(access=row.match.access, **_whole(row.match.overrides))
    return found


def _whole(overrides: Any) -> dict[str, str]:
    return {"region": "", "role_arn": "", "audience": ""} | dict(overrides)
