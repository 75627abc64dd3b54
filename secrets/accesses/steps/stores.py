"""The step that makes a store of each access, and removes the stores of accesses that are gone."""

from typing import Any

from django.utils import timezone

from accesses import manifests
from accesses.models import Access
from clusters import addons, kubernetes


def _accesses(run: addons.Run) -> list[Access]:
    return list(run.cluster.accesses.order_by("name"))


class Stores:
    """Applies each access's Secret and ClusterSecretStore, and prunes those of ours that are not configured."""

    slug = "stores"
    label = "Stores"
    order = 40

    def plan(self, run: addons.Run) -> list[addons.Change]:
        changes = []
        for access in _accesses(run):
            access.cluster = run.cluster
            action: Any = "change" if run.door.changes(manifests.store(access)) else "unchanged"
            changes.append(addons.Change(action, "ClusterSecretStore", access.store_name))
        return changes

    def apply(self, run: addons.Run) -> str:
        accesses = _accesses(run)
        if accesses:
            _namespace(run)
        for access in accesses:
            run.checkpoint()
            # The operator's namespace was found by the step before.
            access.cluster = run.cluster
            _bring(run, access)
        removed = _prune(run, {access.store_name for access in accesses})
        return f"{len(accesses)} stores in place" + (f", {removed} removed" if removed else "")


def _namespace(run: addons.Run) -> None:
    name = run.cluster.operator_namespace
    if run.door.get("v1", "Namespace", name) is None:
        run.door.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


def _bring(run: addons.Run, access: Access) -> None:
    try:
        secret = manifests.secret(access)
        if secret is not None:
            # Applying what is there already writes nothing, and its data cannot be compared: it is never read.
            run.door.apply(secret)
        store = manifests.store(access)
        if run.door.changes(store):
            run.door.apply(store)
            run.log("info", f"Applied the store of {access.name}.")
        else:
            run.log("info", f"The store of {access.name} is unchanged.")
    except kubernetes.ClusterError as error:
        Access.objects.filter(pk=access.pk).update(accepted_error=error.reason)
        raise addons.StepFailed(
            f"The store of {access.name} was refused: {error.reason}", error.remedy
        ) from error
    Access.objects.filter(pk=access.pk).update(accepted_at=timezone.now(), accepted_error="")


def _prune(run: addons.Run, wanted: set[str]) -> int:
    """Remove our stores that are not configured any more, except those that an external secret still names."""
    selector = manifests.selector(run.cluster)
    used = {
        item["spec"].get("secretStoreRef", {}).get("name")
        for item in run.door.list_all(manifests.API, "ExternalSecret")
    }
    removed = 0
    for item in run.door.list_all(manifests.API, "ClusterSecretStore", label_selector=selector):
        name = item["metadata"]["name"]
        if name in wanted:
            continue
        if name in used:
            run.log(
                "info",
                f"The store {name} is not configured any more, but still used; the next deploy removes it.",
            )
            continue
        run.door.delete(manifests.API, "ClusterSecretStore", name)
        run.door.delete("v1", "Secret", name, run.cluster.operator_namespace)
        run.log("info", f"Removed the store {name}.")
        removed += 1
    return removed
