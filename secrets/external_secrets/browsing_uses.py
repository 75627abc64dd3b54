"""Which names are linked, by whom, and which links lead to a name that is gone upstream."""

import json
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from accesses import providers
from external_secrets import naming
from external_secrets.browsing_search import LAST, Scope, Search
from external_secrets.models import ExternalSecret, ExternalSecretQuerySet, InventoryEntry

# The name of one access.
type Key = tuple[uuid.UUID, str]
_ONE = (ExternalSecret.Takes.VALUE, ExternalSecret.Takes.KEYS)
_LINKS = """
SELECT link.access_id, link.key, link.takes, link.tags::text, link.namespace, service.name, access.provider
FROM external_secrets_externalsecret AS link
JOIN accesses_access AS access ON access.id = link.access_id
LEFT JOIN clusters_service AS service ON service.id = link.service_id
LEFT JOIN accesses_storevariant AS variant ON variant.id = link.variant_id
WHERE link.access_id = ANY(%(accesses)s)
  AND (link.key = ANY(%(keys)s) OR link.takes IN ('path', 'tags'))
  AND (link.variant_id IS NULL OR (variant.region = '' AND variant.role_arn = '') OR link.key = ANY(%(references)s))
ORDER BY link.created_at, link.id
"""
# Without a store of its own, or with one that reads the same place as the access's does.
HOME = Q(variant=None) | Q(variant__region="", variant__role_arn="")


@dataclass(frozen=True, slots=True)
class User:
    """Who gets a secret: a service, or every service of a namespace."""

    namespace: str
    service: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.service or '*'}"


def owned(scope: Scope) -> ExternalSecretQuerySet:
    """Return the links that read with the scope's accesses."""
    if scope.accesses is not None:
        return ExternalSecret.objects.filter(scope.links, access_id__in=scope.accesses)
    return ExternalSecret.objects.filter(scope.links, cluster__organization=scope.organization)


# Whether a link may be seen: its access, its namespace, what it takes; None where every one may.
type Sees = Callable[[uuid.UUID, str, str], bool] | None


def of_rows(rows: Sequence[InventoryEntry], sees: Sees = None) -> dict[Key, list[User]]:
    """Return who gets each of the names, by name, reference, path or tags, with one query."""
    if not rows:
        return {}
    by_key: dict[Key, InventoryEntry] = {}
    for row in rows:
        by_key |= {(row.access_id, key): row for key in (row.name, *references_of(row))}
    found: dict[Key, dict[User, None]] = {}
    for access, key, takes, tags, namespace, name, provider in _links_of(rows):
        if sees is not None and not sees(access, namespace, key):
            continue
        user = User(namespace, name or "")
        if takes in _ONE:
            taken = [by_key[access, key]] if (access, key) in by_key else []
        else:
            wanted = json.loads(tags)
            taken = [
                row for row in rows if row.access_id == access and yields(provider, takes, key, wanted, row)
            ]
        for row in taken:
            found.setdefault((access, row.name), {})[user] = None
    return {key: list(users) for key, users in found.items()}


def _links_of(rows: Sequence[InventoryEntry]) -> list[tuple[Any, ...]]:
    """Return what may take one of the names. By hand: this is asked at each keystroke, with sixty keys."""
    references = [reference for row in rows for reference in references_of(row)]
    parameters: dict[str, Any] = {
        "accesses": list({row.access_id for row in rows}),
        "references": references,
        "keys": [row.name for row in rows] + references,
    }
    with connection.cursor() as cursor:
        cursor.execute(_LINKS, parameters)
        return list(cursor.fetchall())


def yields(provider: str, takes: str, path: str, tags: dict[str, str], row: InventoryEntry) -> bool:
    """Tell whether a link to several secrets takes this one, as the operator finds them with its provider."""
    rules = providers.PROVIDERS[provider].references
    if takes == ExternalSecret.Takes.PATH:
        return row.name.startswith(rules.below.prefix(path))
    return bool(tags) and rules.has_tags(tags, row.tags)


def is_reference(key: str) -> bool:
    """Tell whether a key says where its secret lives, too."""
    return key.startswith(("arn:", "projects/"))


def candidate_names(key: str) -> tuple[str, ...]:
    """Return the names that a reference can be of."""
    if key.startswith("projects/"):
        return (key.partition("/secrets/")[2].partition("/")[0], key)
    name = naming.plain_name(key)
    if name.startswith("parameter/"):
        return (name.removeprefix("parameter/"), name.removeprefix("parameter"))
    # Without the six characters of AWS's own an ARN is as good, and its last word may look like them.
    return (name, key.partition(":secret:")[2])


def begins(key: str, prefix: str) -> bool:
    """Tell whether what a name or a reference names begins so."""
    names = candidate_names(key) if is_reference(key) else (key,)
    return any(name.startswith(prefix) for name in names)


def references_of(entry: InventoryEntry) -> tuple[str, ...]:
    """Return what an entry's secret can be referred to as, besides its name."""
    if ":secretsmanager:" in entry.reference:
        return (entry.reference, entry.reference[:-7])
    return (entry.reference,) if entry.reference else ()


def names_of(references: Iterable[Key]) -> dict[Key, str]:
    """Return the name that the inventory has for each reference of an access; what it does not know is left out."""
    wanted = set(references)
    if not wanted:
        return {}
    names = {name for _, key in wanted for name in candidate_names(key)}
    entries = InventoryEntry.objects.filter(access_id__in={access for access, _ in wanted}, name__in=names)
    return {
        (entry.access_id, reference): entry.name
        for entry in entries.only("access_id", "name", "reference")
        for reference in references_of(entry)
        if (entry.access_id, reference) in wanted
    }


def linked(scope: Scope, rows: QuerySet[InventoryEntry]) -> QuerySet[InventoryEntry]:
    """Keep the names that a link takes, by two queries before the one that is returned."""
    wanted = Q(pk__in=[])
    names: dict[uuid.UUID, set[str]] = {}
    referred: set[Key] = set()
    columns = ("access_id", "key", "takes", "tags", "access__provider")
    links = owned(scope).filter(HOME | Q(key__startswith="arn:") | Q(key__startswith="projects/"))
    for access, key, takes, tags, provider in links.order_by().values_list(*columns).distinct():
        if takes == ExternalSecret.Takes.PATH:
            start = providers.PROVIDERS[provider].references.below.prefix(key)
            wanted |= Q(access=access, name__gte=start, name__lt=start + LAST)
        elif takes == ExternalSecret.Takes.TAGS:
            wanted |= Q(access=access, tags__contains=tags) if tags else Q()
        elif is_reference(key):
            referred.add((access, key))
        else:
            names.setdefault(access, set()).add(key)
    for (access, _), name in names_of(referred).items():
        names.setdefault(access, set()).add(name)
    for access, found in names.items():
        wanted |= Q(access=access, name__in=found)
    return rows.filter(wanted)


def gone(scope: Scope, search: Search) -> list[tuple[str, uuid.UUID]]:
    """Return the linked names that are gone, with their accesses, in order.

    Gone is what an inventory that was read whole does not have. Of another account or region nothing can be said.
    """
    there = InventoryEntry.objects.filter(access=OuterRef("access"), name=OuterRef("key"))
    read = Q(access__inventory_state__read_at__isnull=False, access__inventory_state__truncated=False)
    links = owned(scope).filter(HOME, read, ~Exists(there), takes__in=_ONE)
    columns = ("access_id", "key", "access__prefix")
    # Of what an access does not see nothing can be said.
    missing = {
        (access, key)
        for access, key, prefix in links.order_by().values_list(*columns).distinct()
        if begins(key, prefix)
    }
    referred = {pair for pair in missing if is_reference(pair[1])}
    missing -= names_of(referred).keys()
    homes = _homes({access for access, _ in referred})
    missing -= {(access, key) for access, key in referred if not key.startswith(homes.get(access, key + "?"))}
    return sorted(
        (key, access) for access, key in missing if scope.has(access, key) and _is_like(search, key)
    )


def _homes(accesses: set[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Return what the references of an access's own account and region begin with, as its inventory tells."""
    found = {}
    for access in accesses:
        reference = (
            InventoryEntry.objects.filter(access=access).values_list("reference", flat=True).first() or ""
        )
        if reference.startswith("arn:"):
            found[access] = ":".join(reference.split(":")[:5]) + ":"
        elif reference.startswith("projects/"):
            found[access] = reference.partition("/secrets/")[0] + "/secrets/"
    return found


def _is_like(search: Search, key: str) -> bool:
    if search.tags:
        return False
    if search.contains:
        return search.text.lower() in key.lower()
    return key.startswith(search.reference or search.text)


def users_of_gone(rows: Sequence[InventoryEntry], sees: Sees = None) -> dict[Key, list[User]]:
    """Return who is linked to each of the names or references that are gone, with one query."""
    links = ExternalSecret.objects.filter(
        access_id__in={row.access_id for row in rows}, key__in={row.name for row in rows}
    )
    found: dict[Key, dict[User, None]] = {}
    columns = ("access_id", "key", "namespace", "service_id", "service__name")
    for access, key, namespace, service, name in links.order_by("pk").values_list(*columns):
        if sees is None or sees(access, namespace, key):
            found.setdefault((access, key), {})[User(namespace, name if service else "")] = None
    return {key: list(users) for key, users in found.items()}
