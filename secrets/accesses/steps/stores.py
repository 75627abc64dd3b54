"""The step that makes a store of each access, with what it signs in by, and removes those of accesses that are gone."""

import contextlib
from collections.abc import Iterator
from typing import Any

from django.utils import timezone

from accesses import manifests
from accesses.models import Access, AccessQuerySet
from clusters import addons, applying, kubernetes
from clusters.models import Cluster

STORE = "ClusterSecretStore"
# The operator puts it on the Secrets that it writes, whose labels are otherwise like ours.
SYNCED = "reconcile.external-secrets.io/managed"


def accesses_of(run: addons.Run) -> list[Access]:
    """Return the cluster's accesses; their cluster is the run's, which knows the operator's namespace."""
    found = list(run.cluster.accesses.select_related("cloud_credential").order_by("name"))
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
        accesses = cluster.accesses.select_related("cluster").order_by("name")
        return [manifest for access in accesses for manifest in manifests.preview(access)]

    def plan(self, run: addons.Run) -> list[addons.Change]:
        accesses = accesses_of(run)
        live = _live(run)
        wanted = [one for access in accesses for one in [*_signing_in(access), manifests.store(access)]]
        stores, behind = _gone(run, live, accesses)
        used = _used(run) if stores else set()
        return [
            *applying.plan(run, wanted, live),
            *(applying.deletion(STORE, name) for name in stores if name not in used),
            *(applying.deletion(kind, name, space) for kind, space, name in behind if name not in used),
        ]

    def apply(self, run: addons.Run) -> str:
        accesses = accesses_of(run)
        if accesses:
            _namespace(run)
        live = _live(run)
        # First what it signs in by: a store whose credential is not there is refused by the operator.
        refused: dict[str, addons.StepFailed] = {}
        _bring(run, accesses, [one for access in accesses for one in _signing_in(access)], live, refused)
        stores = [manifests.store(access) for access in accesses if access.store_name not in refused]
        _bring(run, accesses, stores, live, refused)
        for access in accesses:
            if access.store_name not in refused:
                _accepted(access)
        if refused:
            raise together(list(refused.values()))
        removed = _prune(run, live, accesses)
        count = f"{len(accesses)} store{'' if len(accesses) == 1 else 's'} in place"
        return count + (f", {removed} removed" if removed else "")


def _signing_in(access: Access) -> list[addons.Manifest]:
    """Return the Secret or the ServiceAccount that an access's store refers to."""
    return [one for one in (manifests.secret(access), manifests.service_account(access)) if one]


def together(failures: list[addons.StepFailed]) -> addons.StepFailed:
    """Return the first of several failures, which says how many there are."""
    first, more = failures[0], len(failures) - 1
    return addons.StepFailed(first.cause + (f" And {more} more, in the log." if more else ""), first.remedy)


def _namespace(run: addons.Run) -> None:
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
    """Apply objects of accesses, which are named as their store; what was refused is kept on the access."""
    by_name = {access.store_name: access for access in accesses}
    for outcome in applying.bring(run, wanted, live):
        access = by_name[outcome.change.name]
        if outcome.error is not None:
            failure = _refused(access, outcome.error)
            run.log("error", failure.cause)
            refused[access.store_name] = failure
        elif outcome.change.kind == STORE:
            done = {"create": "made", "change": "changed"}.get(outcome.change.action, "unchanged")
            run.log("info", f"The store of {access.name} is {done}.")


def _same(access: Access) -> AccessQuerySet:
    """Return the access as it was applied: a change meanwhile is the next deploy's."""
    return Access.objects.filter(pk=access.pk, version=access.version)


def _refused(access: Access, error: kubernetes.ClusterError) -> addons.StepFailed:
    _same(access).update(accepted_error=error.reason, accepted_checked_at=timezone.now())
    return addons.StepFailed(f"The store of {access.name} was refused: {error.reason}", error.remedy)


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


def _used(run: addons.Run) -> set[str]:
    """Return the names of the stores that an external secret reads from, whoever made it."""
    return {name for item in run.door.list_all(manifests.API, "ExternalSecret") for name in _stores_in(item)}


def _gone(run: addons.Run, live: applying.Live, accesses: list[Access]) -> tuple[list[str], list[addons.Key]]:
    """Return our stores, and what our stores signed in by, that no access stands for."""
    wanted = {
        addons.key_of(one) for access in accesses for one in [*_signing_in(access), manifests.store(access)]
    }
    # What somebody is just setting up has a ServiceAccount already.
    begun = {str(pk) for pk in run.cluster.access_drafts.values_list("pk", flat=True)}
    gone = sorted(
        key for key, one in live.items()
        if key not in wanted and (one["metadata"].get("labels") or {}).get(manifests.OWNER) not in begun
    )  # fmt: skip
    return [name for kind, _, name in gone if kind == STORE], [key for key in gone if key[0] != STORE]


def _prune(run: addons.Run, live: applying.Live, accesses: list[Access]) -> int:
    """Remove our stores that are not configured any more, except those that an external secret still names.

    Of those the external secrets step takes the users away, later in this deploy; the store goes with the next.
    """
    stores, behind = _gone(run, live, accesses)
    kept = _used(run) if stores else set()
    for name in stores:
        if name in kept:
            run.log(
                "warning", f"The store {name} stays until nothing reads from it; a later deploy removes it."
            )
            continue
        applying.remove(run, manifests.API, STORE, name)
        run.log("info", f"Removed the store {name}.")
    for kind, namespace, name in behind:
        if name not in kept and applying.remove(run, "v1", kind, name, namespace):
            run.log("info", f"Removed the {'credential' if kind == 'Secret' else kind} {name}.")
    return len(set(stores) - kept)
