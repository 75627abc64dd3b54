"""The step that asks both sides: does the operator accept the store, and does the identity list names."""

from typing import Any

from django.conf import settings
from django.utils import timezone

from accesses import manifests, services
from accesses.models import Access
from accesses.steps import stores, waiting
from clusters import addons

# Changing it makes the operator look again; it says by which deploy it was asked to.
LOOK_AGAIN = "keyhaven.io/look-again"


class Verify:
    """Waits for each store's Ready condition, then lists names with the access's own identity."""

    slug = "verify"
    label = "Verify"
    order = 50

    def plan(self, run: addons.Run) -> list[addons.Change]:
        return []

    def apply(self, run: addons.Run) -> str:
        accesses = stores.accesses_of(run)
        failures = []
        for access in accesses:
            run.checkpoint()
            try:
                _validated(run, access)
                _verified(run, access)
            except addons.StepFailed as failure:
                run.log("error", failure.cause)
                failures.append(failure)
        if failures:
            raise stores.together(failures)
        return f"{len(accesses)} store{'' if len(accesses) == 1 else 's'} ready"


def _ready(store: dict[str, Any] | None) -> dict[str, Any]:
    conditions = ((store or {}).get("status") or {}).get("conditions") or []
    return next((one for one in conditions if one.get("type") == "Ready"), {})


def _validated(run: addons.Run, access: Access) -> None:
    found: dict[str, Any] = {}
    nudged = False

    def ready() -> bool:
        nonlocal nudged
        found.clear()
        found.update(_ready(run.door.get(manifests.API, stores.STORE, access.store_name)))
        if found.get("status") == "False" and not nudged:
            # After a failure the operator waits longer each time, up to many minutes.
            nudged = True
            run.log(
                "info", f"{access.name}: the operator says “{found.get('message')}”; asking it to look again."
            )
            again = {LOOK_AGAIN: str(run.deploy.number)}
            run.door.annotate(manifests.API, stores.STORE, access.store_name, None, again)
        return found.get("status") == "True"

    well = waiting.until(run, settings.SYNC_TIMEOUT, ready)
    reason = found.get("message") or "The operator has not looked at the store yet."
    Access.objects.filter(pk=access.pk, version=access.version).update(
        validated=well if found else None, validated_reason=str(reason)[:300], validated_at=timezone.now()
    )
    if not well:
        raise addons.StepFailed(
            f"The operator does not accept the store of {access.name}: {reason}",
            "Test the access, correct it, then deploy again."
            if found
            else f"Look at the operator's pods in {run.cluster.operator_namespace}.",
        )
    run.log("info", f"{access.name}: the operator says “{reason}”.")


def _verified(run: addons.Run, access: Access) -> None:
    """List names from here; that the console is not allowed or not able to does not stop the operator."""
    result = services.verify(access)
    if result.listed:
        run.log("info", f"{access.name}: names are listed with its own identity.")
    elif result.refused:
        raise addons.StepFailed(f"{access.name}: {result.reason}", result.remedy)
    else:
        run.log("warning", f"{access.name}: {result.reason} {result.remedy}")
