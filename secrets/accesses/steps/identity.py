"""The step that makes the identities of automatic mode, and removes those of accesses that are gone."""

import contextlib
import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from accesses import identities, installed, manifests, trials
from accesses.identities import Maker
from accesses.models import Access, Identity
from accesses.providers import PROVIDERS
from accesses.steps import stores
from clusters import addons, applying, kubernetes, waiting
from clusters.kubernetes import comparing
from clusters.models import Cluster
from credentials.clouds import errors

# So long a cloud takes at most to know everywhere what was just made.
SETTLING = 40
# Of an identity's facts: those that it had before its access was edited.
FORMER = "former"

# What is to be removed, and what of it stays because its access wants it today.
type _Gone = tuple[Identity, Maker, frozenset[addons.Key]]


class Identities(addons.Step):
    """Compares what each automatic access needs in its cloud with what is there, and brings it."""

    slug = "identity"
    label = "Identity"
    order = 20

    def wanted(self, cluster: Cluster, facts: addons.Facts) -> list[addons.Manifest]:
        found: list[addons.Manifest] = []
        for access, maker in _automatic(cluster):
            with contextlib.suppress(errors.ProviderError):
                found += maker.wanted(access)
        return found

    def plan(self, run: addons.Run) -> list[addons.Change]:
        changes = {}
        for access, maker in _automatic(run.cluster):
            try:
                way = _open(run.cluster, maker, access)
                for wanted in maker.wanted(access):
                    change = _change(wanted, maker.live(way, wanted))
                    changes[change.key] = change
            except errors.ProviderError as error:
                change = addons.Change(
                    "change", "Identity", access.store_name, problem=f"{error.reason} {error.remedy}"
                )
                changes[change.key] = change
        for identity, maker, kept in [*_leftover(run.cluster), *_former(run.cluster)]:
            with contextlib.suppress(errors.ProviderError):
                for left in maker.left(maker.open(identity.credential, _region(identity)), identity):
                    if addons.key_of(left) in kept:
                        continue
                    change = applying.deletion(left["kind"], left["metadata"]["name"])
                    changes[change.key] = change
        return list(changes.values())

    def apply(self, run: addons.Run) -> str:
        installed.settle_namespace(run.cluster, run.door)
        made = failures = 0
        first: addons.StepFailed | None = None
        for access, maker in _automatic(run.cluster):
            try:
                _bring(run, access, maker)
                made += 1
            except errors.ProviderError as error:
                failures += 1
                cause = f"The identity of {access.name}: {error.reason}"
                first = first or addons.StepFailed(cause, error.remedy)
                run.log("error", cause)
        removed = remove_leftovers(run, early=True)
        if first is not None:
            raise first
        if not made and not removed:
            return "No access is automatic"
        return f"{made} identit{'y' if made == 1 else 'ies'} in place" + (
            f", {removed} removed" if removed else ""
        )


def _automatic(cluster: Cluster) -> Iterator[tuple[Access, Maker]]:
    """Yield the accesses whose identity a deploy makes, and who makes it."""
    for access in cluster.accesses.order_by("name"):
        provider = PROVIDERS.get(access.provider)
        method = provider.method(access.method) if provider else None
        if provider and method and method.rehearse is not None:
            access.cluster = cluster
            yield access, identities.MAKERS[provider.cloud]


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


def _former(cluster: Cluster) -> list[_Gone]:
    """Return each other place where the identity of an access of today was or still is, as rows that are never saved."""
    found: list[_Gone] = []
    rows = {row.access_id: row for row in cluster.identities.select_related("credential")}
    for access, maker in _automatic(cluster):
        row = rows.get(access.pk)
        places = _places(row, maker.facts(access)) if row else []
        if row is None or not places:
            continue
        with contextlib.suppress(errors.ProviderError):
            wanted = frozenset(addons.key_of(one) for one in maker.wanted(access))
            found += [(_at(row, facts), maker, wanted) for facts in places]
    return found


def _at(identity: Identity, facts: dict[str, Any]) -> Identity:
    was = copy.copy(identity)
    was.facts = facts
    return was


def _places(identity: Identity, facts: dict[str, str]) -> list[dict[str, Any]]:
    """Return where an identity was, oldest first, but not where `facts` say that it is."""
    last = {name: value for name, value in identity.facts.items() if name != FORMER}
    return [one for one in [*identity.facts.get(FORMER, []), last] if one != facts]


def _forget(former: Identity) -> None:
    """Keep no longer that an identity was somewhere, which nothing is left of."""
    row = Identity.objects.get(access_id=former.access_id)
    row.facts[FORMER] = [one for one in row.facts.get(FORMER, []) if one != former.facts]
    row.save()


def _leftover(cluster: Cluster) -> list[_Gone]:
    """Return the identities that no automatic access stands for any more, each at every place where it was."""
    wanted = {access.pk for access, _ in _automatic(cluster)}
    gone = cluster.identities.exclude(access_id__in=wanted).select_related("credential")
    found: list[_Gone] = []
    for one in gone.order_by("made_at"):
        found += [(_at(one, facts), identities.MAKERS[one.cloud], frozenset()) for facts in _places(one, {})]
    return found


def _region(identity: Identity) -> str:
    return str(identity.facts.get("region", ""))


def _open(cluster: Cluster, maker: Maker, access: Access) -> Any:
    if cluster.credential is None:
        raise errors.CredentialRefused(
            f"{cluster} has no cloud credential any more.", "Choose one in the cluster's settings."
        )
    return maker.open(cluster.credential, access.configuration.get("region", ""))


def _change(wanted: addons.Manifest, live: addons.Manifest | None) -> addons.Change:
    """Return what bringing an object of a cloud would do."""
    if live is None:
        return applying.change_of(wanted, None)
    kind, namespace, name = addons.key_of(wanted)
    fields = tuple(comparing.between(live, wanted))
    return addons.Change("change" if fields else "unchanged", kind, name, namespace, fields)


def _bring(run: addons.Run, access: Access, maker: Maker) -> None:
    """Bring what an access needs; what was changed is waited for until the cluster can sign in by it."""
    way, touched = _open(run.cluster, maker, access), False
    for wanted in maker.wanted(access):
        act = partial(_bring_one, run, access, maker, way, wanted)
        # What comes next may name what was made a moment ago, and which the cloud does not know everywhere yet.
        touched = (_once_known(run, act) if touched else act()) or touched
    _keep(run.cluster, access, maker)
    if touched:
        _settle(run, access)


def _bring_one(run: addons.Run, access: Access, maker: Maker, way: Any, wanted: addons.Manifest) -> bool:
    """Bring one object and tell whether there was anything to do."""
    live = maker.live(way, wanted)
    change = _change(wanted, live)
    run.record.settle([change])
    if change.action == "unchanged":
        return False
    run.checkpoint()
    run.record.intend([change])
    # Before the cloud has it: whoever comes after a lost worker knows what to look for.
    _keep(run.cluster, access, maker)
    maker.bring(way, wanted, live)
    run.record.done([change])
    done = "Made" if change.action == "create" else "Changed"
    run.log("info", f"{access.name}: {done} the {change.path}.")
    return True


def _once_known(run: addons.Run, act: Callable[[], bool]) -> bool:
    """Return what `act` returns, which is called again while the cloud does not know what was just made.

    :raises ProviderError: it still does not, or something else is wrong
    """
    said: list[errors.ProviderError] = []
    found: list[bool] = []

    def went() -> bool:
        said.clear()
        try:
            found.append(act())
        except (errors.NotThere, errors.NotValid) as error:
            said.append(error)
        return not said

    if not waiting.until(run, SETTLING, went):
        raise said[0]
    return found[0]


def _keep(cluster: Cluster, access: Access, maker: Maker) -> None:
    """Keep what is made, and with which credential; whoever comes after a lost worker removes it by that."""
    if cluster.credential is None:
        return
    facts: dict[str, Any] = dict(maker.facts(access))
    known = Identity.objects.filter(access_id=access.pk).first()
    if known is not None and (places := _places(known, facts)):
        facts[FORMER] = places
    Identity.objects.update_or_create(
        access_id=access.pk,
        defaults={
            "cluster": cluster, "access_name": access.name, "cloud": maker.cloud,
            "credential": cluster.credential, "facts": facts,
        },
    )  # fmt: skip


def _settle(run: addons.Run, access: Access) -> None:
    """Wait until the cloud lets the ServiceAccount in: what is made there is not known everywhere at once."""
    said: list[errors.ProviderError] = []
    if not _service_account(run, access):
        return

    def lets_in() -> bool:
        said.clear()
        try:
            trials.connect(access)
        except errors.ProviderError as error:
            said.append(error)
        return not said or isinstance(said[0], errors.NotPossibleHere)

    if not waiting.until(run, SETTLING, lets_in):
        run.log("warning", f"{access.name}: {said[0].reason} Going on; the store's state will tell.")


def _service_account(run: addons.Run, access: Access) -> bool:
    """Bring whom the cloud is to let in, ahead of the stores; tell whether it is there to be tried."""
    wanted = manifests.service_account(access)
    if wanted is None:
        return False
    metadata = wanted["metadata"]
    try:
        stores.make_namespace(run)
        live = run.door.get("v1", "ServiceAccount", metadata["name"], metadata["namespace"])
        (outcome,) = applying.bring(run, [wanted], applying.by_key([live] if live else []))
    except kubernetes.Forbidden:
        # The stores step says what is missing.
        return False
    return outcome.error is None


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
