"""The step that makes a store of each access, with what it signs in by, and removes those of accesses that are gone."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from django.utils import timezone

from accesses import manifests, variants
from accesses.models import Access, AccessQuerySet, StoreVariant
from clusters import addons, applying, kubernetes
from clusters.models import Cluster

STORE = "ClusterSecretStore"
# Of a run's facts: the stores that no access stands for and that something reads from.
KEPT = "accesses.kept"
_WORDS = {STORE: "store", "Secret": "credential", "ServiceAccount": "ServiceAccount"}
# The operator puts it on the Secrets that it writes, whose labels are otherwise like ours.
SYNCED = "reconcile.external-secrets.io/managed"


def accesses_of(run: addons.Run) -> list[Access]:
    """Return the cluster's accesses; their cluster is the run's, which knows the operator's namespace."""
    rows = run.cluster.accesses.select_related("cloud_credential").prefetch_related(variants.prefetch())
    found = list(rows.order_by("name"))
    # Read here: who asks secret managers side by side must not touch the database.
    _ = run.cluster.credential
    for access in found:
        access.cluster = run.cluster
    return found


class Stores(addons.Step):
    """Applies each access's Secret, ServiceAccount and ClusterSecretStore, and prunes those that are not configured."""

    slug = "stores"
    label = "Stores"
    order = 40

    def wanted(self, cluster: Cluster, facts: addons.Facts) -> list[addons.Manifest]:
        rows = cluster.accesses.select_related("cluster", "cloud_credential")
        accesses = rows.prefetch_related(variants.prefetch()).order_by("name")
        return [manifest for access in accesses for manifest in manifests.preview(access)]

    def plan(self, run: addons.Run) -> list[addons.Change]:
        accesses = accesses_of(run)
        live = _live(run)
        wanted = [
            one for access in accesses for one in [*manifests.signing_in(access), *manifests.stores(access)]
        ]
        going, run.facts[KEPT] = _gone(run, live, accesses, _used(run))
        return [*applying.plan(run, wanted, live), *_deletions(going)]

    def apply(self, run: addons.Run) -> str:
        accesses = accesses_of(run)
        if accesses:
            make_namespace(run)
        live = _live(run)
        # First what it signs in by: a store whose credential is not there is refused by the operator.
        refused: dict[str, addons.StepFailed] = {}
        signing_in = [one for access in accesses for one in manifests.signing_in(access)]
        _bring(run, accesses, signing_in, live, refused)
        stores = [one for access in accesses for one in manifests.stores(access)]
        stores = [one for one in stores if one["metadata"]["name"] not in refused]
        _bring(run, accesses, stores, live, refused)
        for access in accesses:
            if refused.keys().isdisjoint(names_of(access)):
                _accepted(access)
        if refused:
            raise together(list(refused.values()))
        going, run.facts[KEPT] = _gone(run, live, accesses, _used(run))
        for name in run.facts[KEPT]:
            run.log("info", f"The store {name} stays while something reads from it; the end looks again.")
        removed = _remove(run, going)
        count = f"{len(accesses)} store{'' if len(accesses) == 1 else 's'} in place"
        return count + (f", {removed} removed" if removed else "")


def names_of(access: Access) -> list[str]:
    """Return the names of an access's stores, its own first."""
    return [access.store_name, *(one.store_name for one in variants.used(access))]


def title(access: Access, store: str) -> str:
    """Return how a log names one of an access's stores."""
    told = next((str(one) for one in variants.used(access) if one.store_name == store), "")
    return f"the store of {access.name} for {told}" if told else f"the store of {access.name}"


def together(failures: list[addons.StepFailed]) -> addons.StepFailed:
    """Return the first of several failures, which says how many there are."""
    first, more = failures[0], len(failures) - 1
    return addons.StepFailed(first.cause + (f" And {more} more, in the log." if more else ""), first.remedy)


def make_namespace(run: addons.Run) -> None:
    """Make the operator's namespace where it is not there yet."""
    name = run.cluster.operator_namespace
    if run.door.get("v1", "Namespace", name) is None:
        run.door.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        run.log("info", f"Made the namespace {name}.")


def _live(run: addons.Run) -> applying.Live:
    """Return our stores and credentials in the cluster; those that we may not list seem not to be there."""
    selector, namespace = manifests.selector(run.cluster), run.cluster.operator_namespace
    found: list[addons.Manifest] = []
    with contextlib.suppress(kubernetes.KindMissing):
        found += run.door.list_all(manifests.API, STORE, label_selector=selector)
    with contextlib.suppress(kubernetes.Forbidden):
        accounts = run.door.list_all("v1", "ServiceAccount", namespace, selector)
        found += [one for one in accounts if manifests.OWNER in one["metadata"]["labels"]]
    try:
        found += [one for one in run.door.list_all("v1", "Secret", namespace, selector) if not _synced(one)]
    except kubernetes.Forbidden:
        run.log(
            "info", f"Not allowed to list Secrets in {namespace}; leftover credentials are not looked for."
        )
        names = run.cluster.accesses.all()
        found += filter(
            None, applying.gather(run, lambda name: _one(run, name), [a.store_name for a in names])
        )
    return applying.by_key(found)


def _one(run: addons.Run, name: str) -> addons.Manifest | None:
    """Return one of our credentials; where even that is not allowed, as it would be if it were there."""
    namespace = run.cluster.operator_namespace
    try:
        return run.door.get("v1", "Secret", name, namespace)
    except kubernetes.Forbidden:
        return None


def _synced(secret: addons.Manifest) -> bool:
    """Tell whether the operator wrote a Secret: it copies our labels."""
    metadata = secret["metadata"]
    return bool(metadata.get("ownerReferences") or (metadata.get("labels") or {}).get(SYNCED))


def _bring(
    run: addons.Run,
    accesses: list[Access],
    wanted: list[addons.Manifest],
    live: applying.Live,
    refused: dict[str, addons.StepFailed],
) -> None:
    """Apply objects of accesses; what was refused is kept on the access."""
    by_name: dict[str, tuple[Access, str]] = {}
    for access in accesses:
        of_access: list[Access | StoreVariant] = [access, *variants.used(access)]
        for one in of_access:
            by_name |= dict.fromkeys((one.store_name, one.service_account), (access, one.store_name))
    for outcome in applying.bring(run, wanted, live):
        access, store = by_name[outcome.change.name]
        what = title(access, store).removeprefix("the ")
        if outcome.error is not None:
            failure = _refused(access, what, outcome.error)
            run.log("error", failure.cause)
            refused[store] = failure
            if outcome.change.kind == "Secret":
                # All of its stores read by it.
                refused |= dict.fromkeys(names_of(access)[1:], failure)
        elif outcome.change.kind == STORE:
            done = {"create": "made", "change": "changed"}.get(outcome.change.action, "unchanged")
            run.log("info", f"The {what} is {done}.")


def _same(access: Access) -> AccessQuerySet:
    """Return the access as it was applied: a change meanwhile is the next deploy's."""
    return Access.objects.filter(pk=access.pk, version=access.version)


def _refused(access: Access, what: str, error: kubernetes.ClusterError) -> addons.StepFailed:
    _same(access).update(accepted_error=error.reason, accepted_checked_at=timezone.now())
    return addons.StepFailed(f"The {what} was refused: {error.reason}", error.remedy)


def _accepted(access: Access) -> None:
    now = timezone.now()
    _same(access).update(accepted_at=now, accepted_checked_at=now, accepted_error="")


def _stores_in(item: dict[str, Any]) -> Iterator[str]:
    """Yield the names of the cluster-wide stores that an ExternalSecret reads from."""
    spec = item.get("spec") or {}
    references = [spec.get("secretStoreRef")]
    for entry in (spec.get("data") or []) + (spec.get("dataFrom") or []):
        references.append((entry.get("sourceRef") or {}).get("storeRef"))
    for reference in references:
        if reference and reference.get("kind") == STORE:
            yield str(reference.get("name"))


def _used(run: addons.Run, *, but: str = "") -> Callable[[], set[str]]:
    """Return what tells the stores that an external secret reads from, whoever made it; it asks only when called.

    `but` leaves out those that this console made for the cluster of that id.
    """

    def names() -> set[str]:
        found = run.door.list_all(manifests.API, "ExternalSecret")
        kept = [one for one in found if not but or _label(one, manifests.CLUSTER) != but]
        return {name for item in kept for name in _stores_in(item)}

    return names


def _label(manifest: addons.Manifest, name: str) -> str:
    return str((manifest["metadata"].get("labels") or {}).get(name))


def _gone(
    run: addons.Run, live: applying.Live, accesses: list[Access], used: Callable[[], set[str]]
) -> tuple[list[addons.Key], list[str]]:
    """Return what no access stands for, stores first, and the stores among it that stay: they are still read from."""
    wanted = {
        addons.key_of(one)
        for access in accesses
        for one in [*manifests.signing_in(access), *manifests.stores(access)]
    }
    # What somebody is just setting up has a ServiceAccount already.
    begun = {str(pk) for pk in run.cluster.access_drafts.values_list("pk", flat=True)}
    gone = {
        key: one for key, one in live.items()
        if key not in wanted and _label(one, manifests.OWNER) not in begun
    }  # fmt: skip
    stores = {key[2]: _label(one, manifests.OWNER) for key, one in gone.items() if key[0] == STORE}
    kept = stores.keys() & used() if stores else set()
    owners = {stores[name] for name in kept}
    going = (key for key, one in gone.items() if _label(one, manifests.OWNER) not in owners)
    return sorted(going, key=_stores_first), sorted(kept)


def _stores_first(key: addons.Key) -> tuple[bool, addons.Key]:
    return key[0] != STORE, key


def _deletions(going: list[addons.Key]) -> list[addons.Change]:
    return [applying.deletion(kind, name, namespace) for kind, namespace, name in going]


def _remove(run: addons.Run, going: list[addons.Key]) -> int:
    for kind, namespace, name in going:
        version = manifests.API if kind == STORE else "v1"
        if applying.remove(run, version, kind, name, namespace):
            run.log("info", f"Removed the {_WORDS[kind]} {name}.")
    return sum(kind == STORE for kind, _, _ in going)


# -- at a deploy's end -----------------------------------------------------------------------------------
def goes_later(run: addons.Run) -> list[addons.Change]:
    """Return what the deploy's end removes: this deploy itself takes away what still reads from it."""
    if not run.facts.get(KEPT, True):
        return []
    accesses, live = accesses_of(run), _live(run)
    now, _ = _gone(run, live, accesses, _used(run))
    later, _ = _gone(run, live, accesses, _used(run, but=str(run.cluster.pk)))
    return _deletions([key for key in later if key not in now])


def prune(run: addons.Run) -> int:
    """Remove the stores that stayed because something read from them, as far as nothing does by now."""
    if not run.facts.get(KEPT, True):
        return 0
    going, kept = _gone(run, _live(run), accesses_of(run), _used(run))
    for name in kept:
        run.log("warning", f"The store {name} stays until nothing reads from it; a later deploy removes it.")
    return _remove(run, going)


def still_read(run: addons.Run) -> set[str]:
    """Return the ids of the accesses that are gone while something reads from their stores."""
    accesses = accesses_of(run)
    with contextlib.suppress(kubernetes.KindMissing):
        found = run.door.list_all(manifests.API, STORE, label_selector=manifests.selector(run.cluster))
        names = {name for access in accesses for name in names_of(access)}
        gone = [one for one in found if one["metadata"]["name"] not in names]
        used = _used(run)() if gone else set()
        return {_label(one, manifests.OWNER) for one in gone if one["metadata"]["name"] in used}
    return set()
