"""Identities that are not wanted any more: of deleted accesses, of another method, or where they were before an edit."""

import contextlib
import copy
from typing import Any

from accesses import identities
from accesses.identities import Maker, automatic
from accesses.models import Identity
from accesses.steps import stores
from clusters import addons, applying
from clusters.models import Cluster
from credentials.clouds import errors

# Of an identity's facts: those that it had before its access was edited.
FORMER = "former"
# Another one: that all of it was there once.
MADE = "made"

# What is to be removed, and what of it stays because its access wants it today.
type _Gone = tuple[Identity, Maker, frozenset[addons.Key]]


def plan(run: addons.Run) -> list[addons.Change]:
    """Return what is to be removed, without what cannot be asked now."""
    found: dict[addons.Key, addons.Change] = {}
    for identity, maker, kept in [*_leftover(run.cluster), *_former(run.cluster)]:
        with contextlib.suppress(errors.ProviderError):
            for left in maker.left(maker.open(identity.credential, _region(identity)), identity):
                if addons.key_of(left) not in kept:
                    change = applying.deletion(left["kind"], left["metadata"]["name"])
                    found[change.key] = change
    return list(found.values())


def remove_leftovers(run: addons.Run, *, early: bool = False) -> int:
    """Remove the identities that no access stands for, but those by which something in the cluster still reads.

    `early` says that the stores are not brought yet: an access that signs in otherwise by now still reads by its own.
    """
    left = _leftover(run.cluster)
    kept = stores.still_read(run) if left else set()
    if early:
        kept |= {str(pk) for pk in run.cluster.accesses.values_list("pk", flat=True)}
    going = [one for one in left if str(one[0].access_id) not in kept]
    stay = {one.access_id for one, maker, but in going if not _taken_away(run, one, maker, but)}
    ended = {one.access_id for one, _, _ in going} - stay
    run.cluster.identities.filter(access_id__in=ended).delete()
    return len(ended)


def remove_former(run: addons.Run) -> int:
    """Remove what identities were before their accesses were edited: roles on another project, another issuer's trust."""
    removed = 0
    for identity, maker, kept in _former(run.cluster):
        if _taken_away(run, identity, maker, kept):
            _forget(identity)
            removed += 1
    return removed


def _leftover(cluster: Cluster) -> list[_Gone]:
    """Return the identities that no automatic access stands for any more, each at every place where it was."""
    wanted = {access.pk for access, _ in automatic(cluster)}
    gone = cluster.identities.exclude(access_id__in=wanted).select_related("credential")
    found: list[_Gone] = []
    for one in gone.order_by("made_at"):
        found += [(_at(one, facts), identities.MAKERS[one.cloud], frozenset()) for facts in places(one, {})]
    return found


def _former(cluster: Cluster) -> list[_Gone]:
    """Return each other place where the identity of an access of today was or still is, as rows that are never saved."""
    found: list[_Gone] = []
    rows = {row.access_id: row for row in cluster.identities.select_related("credential")}
    for access, maker in automatic(cluster):
        row = rows.get(access.pk)
        elsewhere = places(row, maker.facts(access)) if row else []
        if row is None or not elsewhere:
            continue
        with contextlib.suppress(errors.ProviderError):
            wanted = frozenset(addons.key_of(one) for one in maker.wanted(access))
            found += [(_at(row, facts), maker, wanted) for facts in elsewhere]
    return found


def places(identity: Identity, facts: dict[str, str]) -> list[dict[str, Any]]:
    """Return where an identity was, oldest first, but not where `facts` say that it is."""
    last = {name: value for name, value in identity.facts.items() if name not in (FORMER, MADE)}
    return [one for one in [*identity.facts.get(FORMER, []), last] if one != facts]


def _at(identity: Identity, facts: dict[str, Any]) -> Identity:
    was = copy.copy(identity)
    was.facts = facts
    return was


def _forget(former: Identity) -> None:
    """Keep no longer that an identity was somewhere, which nothing is left of."""
    row = Identity.objects.get(access_id=former.access_id)
    row.facts[FORMER] = [one for one in row.facts.get(FORMER, []) if one != former.facts]
    row.save()


def _region(identity: Identity) -> str:
    return str(identity.facts.get("region", ""))


def _taken_away(run: addons.Run, identity: Identity, maker: Maker, kept: frozenset[addons.Key]) -> bool:
    """Remove what is left of an identity, but what is kept, and tell whether nothing else is."""
    try:
        way = maker.open(identity.credential, _region(identity))
        for left in maker.left(way, identity):
            if addons.key_of(left) in kept:
                continue
            run.checkpoint()
            change = applying.deletion(left["kind"], left["metadata"]["name"])
            run.record.intend([change])
            why = maker.remove(way, left)
            if why:
                run.log("warning", why)
                return False
            run.record.done([change])
            run.log("info", f"Removed the {change.path}.")
    except errors.ProviderError as error:
        run.log(
            "warning", f"The identity of {identity.access_name} stays for now: {error.reason} {error.remedy}"
        )
        return False
    return True
