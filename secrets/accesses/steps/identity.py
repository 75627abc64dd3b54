"""The step that makes the identities of automatic mode, and removes those of accesses that are gone."""

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any

from accesses import identities, installed, manifests, trials
from accesses.identities import Maker, automatic
from accesses.models import Access, Identity
from accesses.steps import former, stores
from clusters import addons, applying, kubernetes, waiting
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
        for access, maker in automatic(cluster):
            with contextlib.suppress(errors.ProviderError):
                found += maker.wanted(access)
        return found

    def plan(self, run: addons.Run) -> list[addons.Change]:
        changes = {}
        for access, maker in automatic(run.cluster):
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
        changes |= {change.key: change for change in former.plan(run)}
        return list(changes.values())

    def apply(self, run: addons.Run) -> str:
        installed.settle_namespace(run.cluster, run.door)
        made = 0
        first: addons.StepFailed | None = None
        for access, maker in automatic(run.cluster):
            try:
                _bring(run, access, maker)
                made += 1
            except errors.ProviderError as error:
                cause = f"The identity of {access.name}: {error.reason}"
                if identities.are_made(access):
                    # It was there after an earlier deploy: what does not need it must not wait.
                    run.log("warning", f"{cause} {error.remedy} It stays as the last deploy left it.")
                    continue
                first = first or addons.StepFailed(cause, error.remedy)
                run.log("error", cause)
        removed = former.remove_leftovers(run, early=True)
        if first is not None:
            raise first
        if not made and not removed:
            return "No access is automatic"
        return f"{made} identit{'y' if made == 1 else 'ies'} in place" + (
            f", {removed} removed" if removed else ""
        )


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
    _keep(run.cluster, access, maker, made=True)
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


def _keep(cluster: Cluster, access: Access, maker: Maker, *, made: bool = False) -> None:
    """Keep what is made, and with which credential; whoever comes after a lost worker removes it by that.

    `made` says that all of it is there; once it was, it stays so.
    """
    if cluster.credential is None:
        return
    facts: dict[str, Any] = dict(maker.facts(access))
    known = Identity.objects.filter(access_id=access.pk).first()
    if known is not None and (places := former.places(known, facts)):
        facts[former.FORMER] = places
    if made or (known is not None and known.facts.get(former.MADE)):
        facts[former.MADE] = True
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
