"""The filters of an address in words, each with the address that is without it."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.http import QueryDict

from accounts.audit import actions, objects, queries
from accounts.audit.forms import FILTERS, ORIGINS, OUTCOMES, RANGES
from accounts.audit.models import AuditEvent
from accounts.audit.plainly import visible
from accounts.organizations.models import Organization

LABELS = {
    "q": "Text",
    "who": "Who",
    "action": "Action",
    "outcome": "Outcome",
    "type": "Kind",
    "object": "Object",
    "cluster": "Cluster",
    "origin": "From",
    "address": "Address",
    "token": "API token",
    "request": "Request",
    "range": "Time",
    "start": "From",
    "end": "Until",
}
ITSELF = "Keyhaven itself"


@dataclass(frozen=True, slots=True)
class Chip:
    """One filter in words; `url` is the query string without it."""

    label: str
    value: str
    url: str


def of(organization: Organization, query: QueryDict, actors: Mapping[str, str] | None = None) -> list[Chip]:
    """Return the filters of a query string; who and what are named as the newest event names them."""
    given = {name: value for name in FILTERS if (value := query.get(name, "").strip())}
    return [
        Chip(LABELS[name], visible(_value(organization, name, value, actors or {})), without(query, name))
        for name, value in given.items()
        # The kind says what an id is the id of; together they are one filter.
        if not (name == "type" and "object" in given)
    ]


def without(query: QueryDict, *names: str) -> str:
    """Return the query string without some filters and without the page."""
    left = query.copy()
    also = ("type",) if "object" in names else ()
    for name in (*names, *also, "before", "after", "last", "live", "tail"):
        left.pop(name, None)
    return f"?{left.urlencode()}"


def _value(organization: Organization, name: str, value: str, actors: Mapping[str, str]) -> str:
    fixed = {"origin": ORIGINS, "outcome": OUTCOMES, "type": objects.WORDS}
    if name in fixed:
        return fixed[name].get(value, value)
    if name == "range":
        return RANGES[value][0] if value in RANGES else value
    if name == "action":
        return _action(value)
    if name == "who":
        return (
            ITSELF if value == queries.ITSELF else actors.get(value) or _named(organization, "actor", value)
        )
    if name == "object":
        return _named(organization, "target", value)
    return f"{value.replace('T', ' ')} UTC" if name in ("start", "end") else value


def _action(value: str) -> str:
    for group in actions.GROUPS:
        if value == f"{group.word}.*":
            return f"{group.label} (all)"
    return actions.of(value).words if value in actions.ACTIONS else value


def _named(organization: Organization, column: str, value: str) -> str:
    events = AuditEvent.objects.owned_by(organization).filter(**{f"{column}_id": value.replace("\0", "")})
    name = events.order_by("-sequence").values_list(f"{column}_name", flat=True).first()
    return name or value
