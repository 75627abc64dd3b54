"""What events are about: kinds of objects in words, and the address of one that is still there and may be seen."""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.urls import NoReverseMatch, reverse

from accounts.audit.models import AuditEvent
from accounts.authority import Authority
from accounts.organizations.models import Organization
from accounts.roles import Permission


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object that has a page: its model (`app.Model`), and what the page's address is made of.

    `page` gets the values of `columns` in their order, and returns the page's name and its arguments.
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
    """Return the addresses of what events are about, by type and id, one query a kind.

    What is gone, or may not be seen by whoever has this authority, has none.
    """
    wanted: dict[str, set[str]] = {}
    for event in events:
        if event.target_type in _kinds:
            wanted.setdefault(event.target_type, set()).add(event.target_id)
    found: dict[tuple[str, str], str] = {}
    for target_type, ids in wanted.items():
        found |= _of_kind(organization, authority, target_type, ids)
    return found


def _of_kind(
    organization: Organization, authority: Authority, target_type: str, ids: set[str]
) -> Mapping[tuple[str, str], str]:
    kind = _kinds[target_type]
    rows = apps.get_model(kind.model).objects.all()
    key = rows.model._meta.pk
    usable = [one for one in ids if _is_key(key, one)]
    if hasattr(rows, "within"):
        rows = rows.within(organization, authority, kind.permission)
    else:
        rows = rows.owned_by(organization) if authority.allows(kind.permission) else rows.none()
    found = {}
    for pk, *values in rows.filter(pk__in=usable).order_by().values_list("pk", *kind.columns):
        name, arguments = kind.page(*values)
        # The log stays readable whatever an object is called; one that no address can name has no link.
        with contextlib.suppress(NoReverseMatch):
            found[target_type, str(pk)] = reverse(name, kwargs={"org": organization.slug} | arguments)
    return found


def _is_key(key: Any, text: str) -> bool:
    try:
        key.to_python(text)
    except ValidationError:
        return False
    return True
