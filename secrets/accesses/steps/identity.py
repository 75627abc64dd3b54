"""The step that makes the identities of automatic mode, and removes those of accesses that are gone."""

import contextlib
from collections.abc import Iterator
from typing import Any

from accesses import identities, installed, trials
from accesses.identities import Maker
from accesses.models import Access, Identity
from accesses.providers import PROVIDERS
from accesses.steps import stores
from clusters import addons, applying, waiting
from clusters.kubernetes import comparing
from clusters.models import Cluster
from credentials.clouds import errors

# So long a cloud takes at most to know everywhere what was just made.
SETTLING = 40


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
        for identity, maker in _leftover(run.cluster):
            with contextlib.suppress(errors.ProviderError):
                for left in maker.left(maker.open(identity.credential, _region(identity)), identity):
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
        removed = remove_leftovers(run)
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


def remove_leftovers(run: addons.Run) -> int:
    """Remove the identities that no access stands for, but those by which something in the cluster still reads."""
    left = _leftover(run.cluster)
    kept = stores.still_read(run) if left else set()
    return sum(_removed(run, one, maker) for one, maker in left if str(one.access_id) not in kept)


def _leftover(cluster: Cluster) -> list[tuple[Identity, Maker]]:
    """Return the identities that no automatic access stands for any more."""
    wanted = {access.pk for access, _ in _automatic(cluster)}
    gone = cluster.identities.exclude(access_id__in=wanted).select_related("credential")
    return [(one, identities.MAKERS[one.cloud]) for one in gone.order_by("made_at")]


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
        live = maker.live(way, wanted)
        change = _change(wanted, live)
        run.record.settle([change])
        if change.action == "unchanged":
            continue
        run.checkpoint()
        run.record.intend([change])
        # Before the cloud has it: whoever comes after a lost worker knows what to look for.
        _keep(run.cluster, access, maker)
        maker.bring(way, wanted, live)
        run.record.done([change])
        done = "Made" if change.action == "create" else "Changed"
        run.log("info", f"{access.name}: {done} the {change.path}.")
        touched = True
    _keep(run.cluster, access, maker)
    if touched:
        _settle(run, access)


def _keep(cluster: Cluster, access: Access, maker: Maker) -> None:
    """Keep what is made, and with which credential; whoever comes after a lost worker removes it by that."""
    if cluster.credential is None:
        return
    Identity.objects.update_or_create(
        access_id=access.pk,
        defaults={
            "cluster": cluster, "access_name": access.name, "cloud": maker.cloud,
            "credential": cluster.credential, "facts": maker.facts(access),
        },
    )  # fmt: skip


def _settle(run: addons.Run, access: Access) -> None:
    """Wait until the cloud lets the ServiceAccount in: what is made there is not known everywhere at once."""
    said: list[errors.ProviderError] = []

    def lets_in() -> bool:
        said.clear()
        try:
            trials.ensure_service_account(access)
            trials.connect(access)
        except errors.ProviderError as error:
            said.append(error)
        return not said or isinstance(said[0], errors.NotPossibleHere)

    if not waiting.until(run, SETTLING, lets_in):
        run.log("warning", f"{access.name}: {said[0].reason} Going on; the store's state will tell.")


def _removed(run: addons.Run, identity: Identity, maker: Maker) -> bool:
    """Remove what is left of an identity, and forget it when nothing is."""
    try:
        way = maker.open(identity.credential, _region(identity))
        for left in maker.left(way, identity):
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
    identity.delete()
    return True
