"""Moving links from one access to another of the same cluster."""

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone

from accesses import variants
from accesses.models import Access, StoreVariant
from accesses.providers import PROVIDERS
from accounts.audit import services as audit
from accounts.models import User
from clusters import services as clusters
from external_secrets import inside
from external_secrets.models import ExternalSecret, ExternalSecretQuerySet, InventoryEntry, InventoryState

# So many names stand in a sentence; the rest is counted.
NAMED = 3
# So many services stand in the audit log.
RECORDED = 50


class NotPossible(ValueError):
    """The links cannot go there. `str()` says why and what would make it possible."""


@dataclass(frozen=True, slots=True)
class Target:
    """Another access that links may go to: why not, or what its inventory does not know by name.

    `read` is the state of its inventory, None while nobody has read it: then nothing can be said of names.
    """

    access: Access
    obstacle: str = ""
    remedy: str = ""
    unknown: list[str] = field(default_factory=list)
    read: InventoryState | None = None


def targets(source: Access, links: ExternalSecretQuerySet) -> list[Target]:
    """Return every other access of the cluster as a target for these links, by four queries; what fits best first."""
    others = Access.objects.filter(cluster=source.cluster_id).exclude(pk=source.pk)
    rows = list(others.select_related("cluster", "inventory_state").order_by("name"))
    found = _judge(source, rows, links)
    return sorted(found, key=lambda one: (bool(one.obstacle), one.read is None, len(one.unknown)))


def _judge(source: Access, others: list[Access], links: ExternalSecretQuerySet) -> list[Target]:
    rows = links.order_by().select_related("variant")
    namespaces, keys, pinned = set(), set(), 0
    elsewhere: dict[StoreVariant, int] = {}
    for link in rows:
        namespaces.add(link.namespace)
        pinned += bool(link.version)
        if link.variant is not None:
            elsewhere[link.variant] = elsewhere.get(link.variant, 0) + 1
        elif link.takes in (link.Takes.VALUE, link.Takes.KEYS):
            # Of names elsewhere, and of what several are found by, no inventory says anything.
            keys.add(link.key)
    known = _known(others, keys)
    found = []
    for access in others:
        state = getattr(access, "inventory_state", None)
        read = state if state is not None and state.read_at is not None else None
        unknown = sorted(keys - known.get(access.pk, set())) if read else []
        why = _shut(access, namespaces) or _foreign(source, access, read, unknown, pinned)
        why = why or _not_elsewhere(access, elsewhere) or _outside(access, list(rows))
        obstacle, remedy = why or ("", "")
        found.append(Target(access, obstacle, remedy, unknown, read))
    return found


def _known(others: list[Access], keys: set[str]) -> dict[uuid.UUID, set[str]]:
    """Return which of the keys each access's inventory has, by name or by reference."""
    found: dict[uuid.UUID, set[str]] = {}
    entries = InventoryEntry.objects.filter(access__in=others)
    rows = list(entries.filter(name__in=keys).values_list("access_id", "name"))
    references = [key for key in keys if ":" in key]
    if references:
        rows += entries.filter(reference__in=references).values_list("access_id", "reference")
    for access, key in rows:
        found.setdefault(access, set()).add(key)
    return found


def _shut(access: Access, namespaces: set[str]) -> tuple[str, str] | None:
    shut = sorted(namespaces - set(access.namespaces))
    if not shut:
        return None
    word, them = ("namespace", "it") if len(shut) == 1 else ("namespaces", "them")
    return (
        f"{access} is not open to the {word} {', '.join(shut)}.",
        f"Edit {access} and open it to {them}, or move only what is in other namespaces.",
    )


def _foreign(
    source: Access, access: Access, read: InventoryState | None, unknown: list[str], pinned: int
) -> tuple[str, str] | None:
    """Say why names and versions of one provider are none of another's; of the same provider they are."""
    if access.provider == source.provider:
        return None
    label = PROVIDERS[access.provider].label
    if read is None:
        return (
            f"{access} is {label}, and its names were not read yet: whether they mean the same is not known.",
            "Browse its secrets once, then come back.",
        )
    if unknown:
        return (
            f"{access} is {label}, and has no {listed(unknown)}.",
            "Create what is missing there, then refresh its names.",
        )
    if pinned:
        words = "1 link names a version" if pinned == 1 else f"{pinned} links name versions"
        return (
            f"{words} of {PROVIDERS[source.provider].label}, which {label} does not know.",
            "Link it anew instead.",
        )
    return None


def _outside(access: Access, links: list[ExternalSecret]) -> tuple[str, str] | None:
    """Say why an access that sees only some names is no way to others."""
    for link in links:
        found = inside.wrong(access, {"takes": link.takes, "key": link.key, "tags": link.tags})
        if found:
            return found[1], "Move only what it sees, or change what it sees."
    return None


def _not_elsewhere(access: Access, elsewhere: dict[StoreVariant, int]) -> tuple[str, str] | None:
    """Say why what is read with a region, role or audience of its own cannot be read so through another access."""
    for variant, count in elsewhere.items():
        overrides = variants.of(variant)
        why = variants.why_not(access, overrides)
        if not why:
            rules = PROVIDERS[access.provider].references
            why = next((words for _, words in rules.wrong_together(access, overrides)), "")
        if why:
            words = "1 secret is" if count == 1 else f"{count} secrets are"
            return (
                f"{words} read with {variant}, which {access} cannot do. {why}",
                "Edit them first, or move only the others.",
            )
    return None


def listed(names: Collection[str]) -> str:
    """Return the first few names, and how many more there are."""
    shown, more = list(names)[:NAMED], len(names) - NAMED
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


@transaction.atomic
def move(*, source: Access, target: Access, links: Iterable[uuid.UUID] | None = None, by: User) -> int:
    """Move all links of an access, or those of the given ids, to another one; return how many were moved.

    The cluster's next deploy changes the store that each reads from; the objects keep their names.

    :raises NotPossible: the target is of another cluster, shut to a namespace, of another kind; or nothing is there
    """
    # The cluster first, as everywhere, so that no two changes wait for each other.
    clusters.changed(source.cluster)
    rows = Access.objects.select_for_update(no_key=True, of=("self",)).select_related("cluster__organization")
    locked = {row.pk: row for row in rows.filter(pk__in=[source.pk, target.pk]).order_by("pk")}
    if len(locked) < 2 or source.cluster_id != target.cluster_id:
        raise NotPossible(f"There is no other access named {target} on {source.cluster}.")
    source, target = locked[source.pk], locked[target.pk]
    chosen = ExternalSecret.objects.filter(access=source)
    if links is not None:
        given = list(links)
        # Another name for a value is read when that is: it goes along, and nowhere by itself.
        chosen = chosen.filter(Q(pk__in=given, alias_of=None) | Q(alias_of__in=given))
    judged = _judge(source, [target], chosen)[0]
    if judged.obstacle:
        raise NotPossible(f"{judged.obstacle} {judged.remedy}")
    return _moved(source, target, chosen, by)


def _moved(source: Access, target: Access, chosen: ExternalSecretQuerySet, by: User) -> int:
    """Write what a move changes, and tell of it by one event of the access that the links leave."""
    per_service = chosen.order_by("namespace", "service__name").values_list("namespace", "service__name")
    services = [f"{space}/{name} ({n})" for space, name, n in per_service.annotate(n=Count("pk"))]
    ids = list(chosen.values_list("pk", flat=True))
    if not ids:
        raise NotPossible(f"Nothing of it uses {source} any more.")
    audit.record(
        organization=source.cluster.organization,
        by=by,
        action="external_secret.moved",
        target=source,
        details=audit.changes({"access": source.name}, {"access": target.name}, {"access": "access"})
        | {
            "count": len(ids),
            "services": ", ".join(services[:RECORDED]) + (" and more" if services[RECORDED:] else ""),
            "cluster": source.cluster.name,
        },
    )
    _take_along(source, target, ids)
    moving, now = ExternalSecret.objects.filter(pk__in=ids, access=source), timezone.now()
    never = moving.filter(status=ExternalSecret.Status.NEVER)
    count = never.update(access=target, updated_at=now)
    # `refused` keeps what the operator says of the old store from being taken for the state of the new one.
    count += moving.update(
        access=target,
        updated_at=now,
        status=ExternalSecret.Status.WAITING,
        status_reason=f"Moved from {source} to {target}; the cluster still reads it from {source}.",
        status_remedy=f"Deploy {source.cluster}.",
        refused=True,
    )
    variants.sweep(source)
    return count


def _take_along(source: Access, target: Access, ids: list[uuid.UUID]) -> None:
    """Give what is read elsewhere a variant of the other access with the same overrides."""
    for variant in variants.in_use(source):
        kept = variants.use(target, **variants.of(variant))
        ExternalSecret.objects.filter(pk__in=ids, variant=variant).update(variant=kept)
