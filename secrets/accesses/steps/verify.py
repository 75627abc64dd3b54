"""The step that asks both sides: does the operator accept the store, and does the identity list names."""

import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone

from accesses import manifests, services
from accesses.models import Access
from accesses.steps import stores
from clusters import addons, applying, waiting
from clusters.models import Cluster

# Changing it makes the operator look again; it says by which deploy it was asked to.
LOOK_AGAIN = "keyhaven.io/look-again"
FRESH = datetime.timedelta(minutes=10)


class Verify:
    """Waits for each store's Ready condition, then lists names with the access's own identity."""

    slug = "verify"
    label = "Verify"
    order = 50

    def wanted(self, cluster: Cluster, facts: addons.Facts) -> list[addons.Manifest]:
        return []

    def plan(self, run: addons.Run) -> list[addons.Change]:
        return []

    def apply(self, run: addons.Run) -> str:
        accesses = stores.accesses_of(run)
        found = _settle(run, accesses)
        touched = run.record.changed(stores.STORE) | run.record.changed("Secret")
        due = [access for access in accesses if access.store_name in touched or not _fresh(access)]
        # The secret managers are asked side by side.
        results = dict(zip(due, applying.gather(run, services.try_access, due), strict=True))
        failures = []
        for access in accesses:
            try:
                _validated(run, access, _ready(found.get(access.store_name)))
                _verified(run, access, results.get(access))
            except addons.StepFailed as failure:
                run.log("error", failure.cause)
                failures.append(failure)
        if failures:
            raise stores.together(failures)
        return f"{len(accesses)} store{'' if len(accesses) == 1 else 's'} ready"


def _ready(store: dict[str, Any] | None) -> dict[str, Any]:
    conditions = ((store or {}).get("status") or {}).get("conditions") or []
    return next((one for one in conditions if one.get("type") == "Ready"), {})


def _settle(run: addons.Run, accesses: list[Access]) -> dict[str, dict[str, Any]]:
    """Wait until the operator has accepted every store, at most SYNC_TIMEOUT seconds; return them by name."""
    found: dict[str, dict[str, Any]] = {}
    nudged: set[str] = set()

    def settled() -> bool:
        listed = run.door.list_all(
            manifests.API, stores.STORE, label_selector=manifests.selector(run.cluster)
        )
        found.update({item["metadata"]["name"]: item for item in listed})
        for access in accesses:
            said = _ready(found.get(access.store_name))
            if said.get("status") == "False" and access.store_name not in nudged:
                nudged.add(access.store_name)
                _nudge(run, access, str(said.get("message")))
        return all(_ready(found.get(access.store_name)).get("status") == "True" for access in accesses)

    if accesses:
        waiting.until(run, settings.SYNC_TIMEOUT, settled)
    return found


def _nudge(run: addons.Run, access: Access, said: str) -> None:
    """Have the operator look again: after a failure it waits longer each time, up to many minutes."""
    run.log("info", f"{access.name}: the operator says “{said}”; asking it to look again.")
    run.door.annotate(manifests.API, stores.STORE, access.store_name, None, {LOOK_AGAIN: run.turn})


def _validated(run: addons.Run, access: Access, said: dict[str, Any]) -> None:
    well = said.get("status") == "True"
    reason = said.get("message") or "The operator has not looked at the store yet."
    Access.objects.filter(pk=access.pk, version=access.version).update(
        validated=well if said else None, validated_reason=str(reason)[:300], validated_at=timezone.now()
    )
    if not well:
        raise addons.StepFailed(
            f"The operator does not accept the store of {access.name}: {reason}",
            "Test the access, correct it, then deploy again."
            if said
            else f"Look at the operator's pods in {run.cluster.operator_namespace}.",
        )
    run.log("info", f"{access.name}: the operator says “{reason}”.")


def _verified(run: addons.Run, access: Access, result: services.Result | None) -> None:
    """Tell what listing names from here found; that the console is not allowed or not able to is no failure.

    Without a result names were listed a moment ago, with the same configuration.
    """
    if result is None:
        run.log(
            "info",
            f"{access.name}: names were listed with its own identity at {access.verified_at:%H:%M:%S}.",
        )
        return
    services.keep(access, result)
    if result.listed:
        run.log("info", f"{access.name}: names are listed with its own identity.")
    elif result.refused:
        raise addons.StepFailed(f"{access.name}: {result.reason}", result.remedy)
    else:
        run.log("warning", f"{access.name}: {result.reason} {result.remedy}")


def _fresh(access: Access) -> bool:
    at = access.verified_at
    if at is None or access.verified_error:
        return False
    return at > max(access.updated_at, timezone.now() - FRESH)
