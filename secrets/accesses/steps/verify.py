"""The step that asks both sides: does the operator accept the store, and does the identity list names."""

from typing import Any

from django.conf import settings
from django.utils import timezone

from accesses import manifests, services
from accesses.models import Access
from accesses.steps import waiting
from clusters import addons


class Verify:
    """Waits for each store's Ready condition, then lists names with the access's own identity."""

    slug = "verify"
    label = "Verify"
    order = 50

    def plan(self, run: addons.Run) -> list[addons.Change]:
        return []

    def apply(self, run: addons.Run) -> str:
        accesses = list(run.cluster.accesses.order_by("name"))
        for access in accesses:
            run.checkpoint()
            _validated(run, access)
            _verified(run, access)
        return f"{len(accesses)} stores ready"


def _ready(store: dict[str, Any] | None) -> dict[str, Any] | None:
    conditions = ((store or {}).get("status") or {}).get("conditions") or []
    return next((one for one in conditions if one.get("type") == "Ready"), None)


def _validated(run: addons.Run, access: Access) -> None:
    found: dict[str, Any] = {}

    def ready() -> bool:
        condition = _ready(run.door.get(manifests.API, "ClusterSecretStore", access.store_name))
        found.update(condition or {})
        return found.get("status") == "True"

    well = waiting.until(run, settings.SYNC_TIMEOUT, ready)
    reason = found.get("message") or "The operator has not looked at it yet."
    Access.objects.filter(pk=access.pk).update(
        validated=well, validated_reason=str(reason)[:300], validated_at=timezone.now()
    )
    if not well:
        raise addons.StepFailed(
            f"The operator does not accept the store of {access.name}: {reason}.",
            "Test the access, correct it, then deploy again.",
        )
    run.log("info", f"{access.name}: the operator says “{reason}”.")


def _verified(run: addons.Run, access: Access) -> None:
    result = services.verify(access)
    if result.listed:
        run.log("info", f"{access.name}: names are listed with its own identity.")
    elif result.usable:
        run.log("warning", f"{access.name}: {result.reason}")
    else:
        raise addons.StepFailed(f"{access.name}: {result.reason}", result.remedy)
