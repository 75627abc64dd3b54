"""The step that makes a store of each access, and removes the stores of accesses that are gone."""

from collections.abc import Iterator
from typing import Any

from django.utils import timezone

from accesses import manifests
from accesses.models import Access
from clusters import addons, kubernetes

STORE = "ClusterSecretStore"
# The operator puts it on the Secrets that it writes, whose labels are otherwise like ours.
SYNCED = "reconcile.external-secrets.io/managed"


def accesses_of(run: addons.Run) -> list[Access]:
    """Return the cluster's accesses; their cluster is the run's, which knows the operator's namespace."""
    found = list(run.cluster.accesses.order_by("name"))
    for access in found:
        access.cluster = run.cluster
    return found


class Stores:
    """Applies each access's Secret and ClusterSecretStore, and prunes those of ours that are not configured."""

    slug = "stores"
    label = "Stores"
    order = 40

    def plan(self, run: addons.Run) -> list[addons.Change]:
        changes = []
        accesses = accesses_of(run)
        for access in accesses:
            live = run.door.get(manifests.API, STORE, access.store_name)
            action: Any = "create" if live is None else "unchanged"
            if live is not None and run.door.changes(manifests.store(access)):
                action = "change"
            changes.append(addons.Change(action, STORE, access.store_name))
        try:
            gone = _gone(run, accesses)
        except kubernetes.KindMissing:
            gone = []
        return changes + [addons.Change("delete", STORE, name) for name in gone]

    def apply(self, run: addons.Run) -> str:
        accesses = accesses_of(run)
        if accesses:
            _namespace(run)
        failures = []
        for access in accesses:
            run.checkpoint()
            try:
                _bring(run, access)
            except addons.StepFailed as failure:
                run.log("error", failure.cause)
                failures.append(failure)
        if failures:
            raise together(failures)
        removed = _prune(run, accesses)
        count = f"{len(accesses)} store{'' if len(accesses) == 1 else 's'} in place"
        return count + (f", {removed} removed" if removed else "")


def together(failures: list[addons.StepFailed]) -> addons.StepFailed:
    """Return the first of several failures, which says how many there are."""
    first, more = failures[0], len(failures) - 1
    return addons.StepFailed(first.cause + (f" And {more} more, in the log." if more else ""), first.remedy)


def _namespace(run: addons.Run) -> None:
    name = run.cluster.operator_namespace
    if run.door.get("v1", "Namespace", name) is None:
        run.door.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        run.log("info", f"Made the namespace {name}.")


def _bring(run: addons.Run, access: Access) -> None:
    """Apply an access's objects and keep on it what the API server said.

    :raises StepFailed: it refused them; not being reached is no answer and raises `ClusterError`
    """
    # What was applied is this version's; a change meanwhile is the next deploy's.
    same = Access.objects.filter(pk=access.pk, version=access.version)
    try:
        secret = manifests.secret(access)
        if secret is not None:
            # Applying what is there already writes nothing, and its data cannot be compared: it is never read.
            run.door.apply(secret)
        store = manifests.store(access)
        changes = run.door.changes(store)
        if changes:
            run.door.apply(store)
    except (kubernetes.Unreachable, kubernetes.Unauthorized):
        raise
    except kubernetes.ClusterError as error:
        same.update(accepted_error=error.reason, accepted_checked_at=timezone.now())
        raise addons.StepFailed(
            f"The store of {access.name} was refused: {error.reason}", error.remedy
        ) from error
    now = timezone.now()
    same.update(accepted_at=now, accepted_checked_at=now, accepted_error="")
    run.log("info", f"The store of {access.name} is {'applied' if changes else 'unchanged'}.")


def _stores_in(item: dict[str, Any]) -> Iterator[str]:
    """Yield the names of the cluster-wide stores that an ExternalSecret reads from."""
    spec = item.get("spec") or {}
    references = [spec.get("secretStoreRef")]
    for entry in (spec.get("data") or []) + (spec.get("dataFrom") or []):
        references.append((entry.get("sourceRef") or {}).get("storeRef"))
    for reference in references:
        if reference and reference.get("kind") == STORE:
            yield str(reference.get("name"))


def _gone(run: addons.Run, accesses: list[Access]) -> list[str]:
    """Return the names of our stores in the cluster that no access stands for."""
    wanted = {access.store_name for access in accesses}
    listed = run.door.list_all(manifests.API, STORE, label_selector=manifests.selector(run.cluster))
    return sorted({item["metadata"]["name"] for item in listed} - wanted)


def _prune(run: addons.Run, accesses: list[Access]) -> int:
    """Remove our stores that are not configured any more, except those that an external secret still names.

    Of those the external secrets step takes the users away, later in this deploy; the store goes with the next.
    """
    gone, kept = _gone(run, accesses), {access.store_name for access in accesses}
    if gone:
        items = run.door.list_all(manifests.API, "ExternalSecret")
        kept |= {name for item in items for name in _stores_in(item)}
    for name in gone:
        run.checkpoint()
        if name in kept:
            run.log(
                "warning", f"The store {name} stays until nothing reads from it; a later deploy removes it."
            )
            continue
        run.door.delete(manifests.API, STORE, name)
        run.door.delete("v1", "Secret", name, run.cluster.operator_namespace)
        run.log("info", f"Removed the store {name}.")
    _prune_secrets(run, kept)
    return len(set(gone) - kept)


def _prune_secrets(run: addons.Run, wanted: set[str]) -> None:
    """Remove our credentials in the operator's namespace that no store needs, for example of a deploy that broke."""
    namespace = run.cluster.operator_namespace
    try:
        found = run.door.list_all("v1", "Secret", namespace, manifests.selector(run.cluster))
    except kubernetes.Forbidden:
        run.log(
            "info", f"Not allowed to list Secrets in {namespace}; leftover credentials are not looked for."
        )
        return
    for item in found:
        metadata = item["metadata"]
        synced = metadata.get("ownerReferences") or (metadata.get("labels") or {}).get(SYNCED)
        if metadata["name"] not in wanted and not synced:
            run.door.delete("v1", "Secret", metadata["name"], namespace)
            run.log("info", f"Removed the credential {metadata['name']}.")
