"""The step that asks both sides: does the operator accept the store, and does the identity list names."""

import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone

from accesses import manifests, outcomes, services, signals, trials, watching
from accesses.models import Access
from accesses.steps import stores
from clusters import addons, applying, waiting

# Changing it makes the operator look again; it says by which deploy it was asked to.
LOOK_AGAIN = "keyhaven.io/look-again"
FRESH = datetime.timedelta(minutes=10)


class Verify(addons.Step):
    """Waits for each store's Ready condition, then lists names with the access's own identity."""

    slug = "verify"
    label = "Verify"
    order = 50

    def apply(self, run: addons.Run) -> str:
        accesses = stores.accesses_of(run)
        found = _settle(run, accesses)
        touched = run.record.changed(stores.STORE, "Secret")
        due = [access for access in accesses if access.store_name in touched or not _fresh(access)]
        # The secret managers are asked side by side.
        results = dict(zip(due, applying.gather(run, outcomes.tried, due), strict=True))
        well = all(said.get("status") == "True" for said in found.values())
        warnings = {} if well else watching.warnings(run)
        failures = []
        for access in accesses:
            name = access.store_name
            try:
                _validated(run, access, found.get(name, {}), warnings.get(name, ""))
                _elsewhere(run, access, found, warnings)
                _verified(run, access, results.get(access))
            except addons.StepFailed as failure:
                run.log("error", failure.cause)
                failures.append(failure)
        if failures:
            raise stores.together(failures)
        return f"{len(accesses)} store{'' if len(accesses) == 1 else 's'} ready"


def _settle(run: addons.Run, accesses: list[Access]) -> dict[str, dict[str, Any]]:
    """Wait until the operator has accepted every store, at most SYNC_TIMEOUT seconds; return their conditions."""
    found: dict[str, dict[str, Any]] = {}
    nudged: set[str] = set()

    def settled() -> bool:
        found.update({name: watching.ready(store) for name, store in watching.stores(run).items()})
        for access in accesses:
            said = found.get(access.store_name, {})
            if said.get("status") == "False" and access.store_name not in nudged:
                nudged.add(access.store_name)
                _nudge(run, access, str(said.get("message")))
        names = [name for access in accesses for name in stores.names_of(access)]
        # Of a store for secrets that are read elsewhere, any answer will do: what it says is their own matter.
        looked = all(found.get(name) for name in names)
        return looked and all(found[access.store_name].get("status") == "True" for access in accesses)

    if accesses:
        waiting.until(run, settings.SYNC_TIMEOUT, settled)
    return found


def _nudge(run: addons.Run, access: Access, said: str) -> None:
    """Have the operator look again: after a failure it waits longer each time, up to many minutes."""
    run.log("info", f"{access.name}: the operator says “{said}”; asking it to look again.")
    run.door.annotate(manifests.API, stores.STORE, access.store_name, None, {LOOK_AGAIN: run.turn})


def _validated(run: addons.Run, access: Access, said: dict[str, Any], warning: str) -> None:
    cause = watching.keep(access, said, warning)
    if cause is not None:
        reason = f"{cause.reason} (“{said.get('message')}”)"
        raise addons.StepFailed(
            f"The operator does not accept the store of {access.name}: {reason}", cause.remedy
        )
    if not said:
        raise addons.StepFailed(
            f"The operator has not looked at the store of {access.name} yet.",
            f"Look at the operator's pods in {run.cluster.operator_namespace}.",
        )
    run.log("info", f"{access.name}: the operator says “{said.get('message')}”.")


def _elsewhere(run: addons.Run, access: Access, found: dict[str, Any], warnings: dict[str, str]) -> None:
    """Tell of the stores of secrets that are read elsewhere: a role that does not trust yet holds up nobody else."""
    for cause, what in watching.keep_elsewhere(access, found, warnings):
        run.log("warning", f"The operator does not accept {what}: {cause.reason} {cause.remedy}")


def _verified(run: addons.Run, access: Access, result: trials.Result | None) -> None:
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
        if access.verified_at is None or access.verified_error:
            signals.access_opened.send_robust(sender=Access, access=access)
        run.log("info", f"{access.name}: names are listed with its own identity.")
    elif result.untried:
        run.log("info", f"{access.name}: {result.reason}")
    elif result.refused:
        raise addons.StepFailed(f"{access.name}: {result.reason}", result.remedy)
    else:
        run.log("warning", f"{access.name}: {result.reason} {result.remedy}")


def _fresh(access: Access) -> bool:
    at = access.verified_at
    if at is None or access.verified_error:
        return False
    return at > max(access.updated_at, timezone.now() - FRESH)
