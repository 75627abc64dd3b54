"""What the operator says of the stores, kept on the accesses: after a deploy and at each look between deploys."""

from typing import Any

from django.utils import timezone

from accesses import causes, manifests, telling, variants
from accesses.models import Access
from clusters import addons, kubernetes
from clusters.kubernetes import conditions
from clusters.kubernetes.events import WARNING

STORE = "ClusterSecretStore"


def ready(store: addons.Manifest | None) -> dict[str, Any]:
    """Return a store's Ready condition, empty when the operator has not looked at it."""
    found = conditions.ready(store)
    return found | {"message": causes.clean(str(found.get("message") or ""))} if found else {}


def stores(run: addons.Run) -> dict[str, addons.Manifest]:
    """Return our stores in the cluster by name; none while the operator is not installed."""
    try:
        listed = run.door.list_all(manifests.API, STORE, label_selector=manifests.selector(run.cluster))
    except kubernetes.KindMissing:
        return {}
    return {item["metadata"]["name"]: item for item in listed}


def warnings(run: addons.Run) -> dict[str, str]:
    """Return the operator's last warning of each store: the condition alone only says that something failed."""
    try:
        said = run.door.events_of(STORE)
    except kubernetes.Forbidden:
        return {}
    return {event.name: event.message for event in said if event.type == WARNING}


def keep(access: Access, condition: dict[str, Any], warning: str) -> causes.Cause | None:
    """Keep on an access what the operator says of its store; return the cause when it does not accept it."""
    well, message = condition.get("status") == "True", str(condition.get("message") or "")
    cause = None if well or not condition else causes.translate(f"{message} {warning}".strip(), access)
    Access.objects.filter(pk=access.pk, version=access.version).update(
        validated=well if condition else None,
        validated_reason=cause.reason[:300] if cause else causes.clean(message),
        validated_remedy=cause.remedy[:300] if cause else "",
        validated_at=timezone.now(),
    )
    return cause


def keep_elsewhere(
    access: Access, found: dict[str, dict[str, Any]], warnings: dict[str, str]
) -> list[tuple[causes.Cause, str]]:
    """Return why the operator does not accept stores of an access's variants, as (cause, which); keep it on the access.

    `found` are conditions by the store's name. The access's own store is not concerned.
    """
    refused = []
    for one in variants.used(access):
        said = found.get(one.store_name, {})
        if said.get("status") == "False":
            cause = causes.translate(f"{said.get('message')} {warnings.get(one.store_name, '')}".strip())
            refused.append((cause, f"the store of {access.name} for {one}"))
    if refused:
        cause, what = refused[0]
        Access.objects.filter(pk=access.pk, version=access.version).update(
            validated_reason=f"{what[:1].upper()}{what[1:]}: {cause.reason}"[:300],
            validated_remedy=cause.remedy,
        )
    return refused


def watch(run: addons.Run) -> None:
    """Keep what is so now, for the accesses that were deployed."""
    rows = run.cluster.accesses.filter(accepted_at__isnull=False)
    deployed = list(rows.prefetch_related(variants.prefetch()))
    if not deployed:
        return
    found, said = stores(run), warnings(run)
    states_of = {name: ready(store) for name, store in found.items()}
    states = []
    for access in deployed:
        if states_of.get(access.store_name):
            cause = keep(access, states_of[access.store_name], said.get(access.store_name, ""))
            elsewhere = keep_elsewhere(access, states_of, said)
            causes_found = [one for one in (cause, *(one for one, _ in elsewhere)) if one]
            states.append((access, not causes_found, causes_found[0].reason if causes_found else ""))
    telling.turned(run.cluster.organization, states)
