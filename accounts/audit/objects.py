"""What events are about: kinds of objects in words, and the address of one that is still there and may be seen."""

import contextlib
import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.core.exceptions import EmptyResultSet, ValidationError
from django.db import connection
from django.urls import NoReverseMatch, reverse

from accounts.audit.models import AuditEvent
from accounts.authority import Authority
from accounts.organizations.models import Organization
from accounts.roles import Permission


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object that has a page: its model (`app.Model`), and what the page's address is made of.

    `page` gets the values of `columns` as text, in their order, and returns the page's name and its arguments.
    """

    model: str
    permission: Permission
    columns: tuple[str, ...]
    page: Callable[..., tuple[str, dict[str, Any]]]


# What `AuditEvent.target_type` says, in words.
WORDS = {
    "cluster": "cluster",
    "service": "service",
    "deploy": "deploy",
    "access": "access",
    "storedsecret": "stored secret",
    "externalsecret": "external secret",
    "cloudcredential": "credential",
    "membership": "member",
    "user": "person",
    "customrole": "role",
    "invitation": "invitation",
    "apitoken": "API token",
    "organization": "organization",
    "identityprovider": "identity provider",
    "destination": "destination",
    "auditview": "saved view",
    "auditevent": "audit event",
}
_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Have events link to objects of a kind; each app names its own when it is ready."""
    _kinds[kind.model.partition(".")[2].lower()] = kind


def word(target_type: str) -> str:
    return WORDS.get(target_type, target_type)


def addresses(
    organization: Organization, authority: Authority, events: Iterable[AuditEvent]
) -> dict[tuple[str, str], str]:
    """Return the addresses of what events are about, by type and id, with one query.

    What is gone, or may not be seen by whoever has this authority, has none.
    """
    wanted: dict[str, set[str]] = {}
    for event in events:
        if event.target_type in _kinds:
            wanted.setdefault(event.target_type, set()).add(event.target_id)
    found = {}
    for target_type, pk, values in _read(organization, authority, wanted):
        name, arguments = _kinds[target_type].page(*values)
        # The log stays readable whatever an object is called; one that no address can name has no link.
        with contextlib.suppress(NoReverseMatch):
            found[target_type, pk] = _address(name, org=organization.slug, **arguments)
    return found


@functools.lru_cache(maxsize=4096)
def _address(name: str, **arguments: Any) -> str:
    return reverse(name, kwargs=arguments)


def _read(
    organization: Organization, authority: Authority, wanted: Mapping[str, set[str]]
) -> list[tuple[str, str, list[str | None]]]:
    """Return the kind, the id and the columns of each object that is there and may be seen, as text."""
    each, values = [], []
    for target_type, ids in wanted.items():
        with contextlib.suppress(EmptyResultSet):
            query, own = _of_kind(organization, authority, target_type, ids)
            each.append(query)
            values += own
    if not each:
        return []
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(each), values)
        return list(cursor.fetchall())


def _of_kind(
    organization: Organization, authority: Authority, target_type: str, ids: set[str]
) -> tuple[str, list[Any]]:
    kind = _kinds[target_type]
    model = apps.get_model(kind.model)
    keys = [model._meta.pk.to_python(one) for one in ids if _is_key(model._meta.pk, one)]
    if not keys or not authority.allows(kind.permission):
        raise EmptyResultSet
    if authority.everywhere(kind.permission):
        return _query(target_type), [organization.pk, keys]
    rows = model.objects.within(organization, authority, kind.permission).filter(pk__in=keys)
    query, values = rows.order_by().values_list("pk", *kind.columns).query.sql_with_params()
    return _as_text(target_type, query), list(values)


@functools.cache
def _query(target_type: str) -> str:
    """Return the query of a kind's objects for whoever sees all of them: made once, since making it is what takes long."""
    kind = _kinds[target_type]
    model = apps.get_model(kind.model)
    rows = model.objects.owned_by(Organization(pk=0)).order_by().values_list("pk", *kind.columns)
    query, values = rows.query.sql_with_params()
    if values != (0,):
        raise ValueError(f"{kind.model} is not owned by its organization alone.")
    key = f'"{model._meta.db_table}"."{model._meta.pk.column}"'
    return _as_text(target_type, f"{query} AND {key} = ANY(%s)")


def _as_text(target_type: str, query: str) -> str:
    """Return a query of an id and columns as one of the kind, the id and an array, which all kinds have alike."""
    columns = [f"c{number}" for number in range(len(_kinds[target_type].columns))]
    texts = ", ".join(f"{column}::text" for column in columns)
    return (
        f"SELECT '{target_type}', key::text, ARRAY[{texts}]"  # noqa: S608  our own names
        f" FROM ({query}) AS found(key, {', '.join(columns)})"
    )


def _is_key(key: Any, text: str) -> bool:
    try:
        key.to_python(text)
    except ValidationError:
        return False
    return True
