"""When inventories are read: those that somebody looks at often, those that are linked now and then, others never."""

import datetime
import logging
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerAway

from accesses import providers
from accesses.models import Access
from accounts.models import Organization
from external_secrets import inventory, tasks
from external_secrets.models import ExternalSecret, InventoryEntry, InventoryState

logger = logging.getLogger(__name__)

# An access is in use for so long after somebody looked at its organization's names.
IN_USE = datetime.timedelta(hours=1)
# What is linked is read so often whoever looks, so that what vanished is known.
LINKED = datetime.timedelta(days=1)
# After a whole reading that failed, and a message that got lost.
AGAIN = datetime.timedelta(minutes=10)
# In seconds: how often what is due is looked up, by whichever worker; how long a message may take.
EVERY, SENT = 5, 60
# At a time: whole readings that this asks for, and looks at what changed with each sweep.
READERS, LOOKS = 2, 20


def looked_at(organization: Organization) -> None:
    """Note that somebody looks at an organization's names: from now on they are kept fresh for a while."""
    cache.set(_key(organization.pk), 1, timeout=int(IN_USE.total_seconds()))


def _key(organization_id: object) -> str:
    return f"inventory-in-use:{organization_id}"


def in_use() -> list[Any]:
    """Return the ids of the organizations whose names somebody looked at not long ago."""
    keys = {_key(pk): pk for pk in Organization.objects.values_list("pk", flat=True)}
    return [keys[key] for key in cache.get_many(keys)]


def sweep() -> int:
    """Ask workers for what is due, the oldest first; return how many were asked for."""
    if not cache.add("inventory-sweep", 1, timeout=EVERY):
        return 0
    if not settings.INVENTORY:
        _forget()
        return 0
    organizations = in_use()
    _begin(organizations)
    busy = InventoryState.objects.filter(started_at__gt=timezone.now() - inventory.STALE).count()
    whole = due_whole(organizations).values_list("pk", flat=True)[: max(0, READERS - busy)]
    asked = [pk for pk in whole if _send(tasks.read_inventory, pk)]
    changes = due_changes(organizations).exclude(pk__in=asked).values_list("pk", flat=True)[:LOOKS]
    return len(asked) + sum(_send(tasks.refresh_inventory, pk) for pk in changes)


def _begin(organizations: list[Any]) -> None:
    """Give a state to accesses that were never asked for."""
    new = Access.objects.filter(cluster__organization__in=organizations, inventory_state=None)
    states = [InventoryState(access=access) for access in new]
    InventoryState.objects.bulk_create(states, ignore_conflicts=True)


def _older(field: str, than: datetime.timedelta) -> Q:
    return Q(**{f"{field}__isnull": True}) | Q(**{f"{field}__lt": timezone.now() - than})


def _idle() -> QuerySet[InventoryState]:
    return InventoryState.objects.filter(_older("started_at", inventory.STALE))


def due_whole(organizations: list[Any]) -> QuerySet[InventoryState]:
    """Return the states of accesses whose whole list is to be read now; those organizations are in use."""
    expires = datetime.timedelta(seconds=settings.INVENTORY_EXPIRE)
    used = Q(access__cluster__organization__in=organizations)
    linked = Exists(ExternalSecret.objects.filter(access=OuterRef("access")))
    old = (used & _older("read_at", expires)) | (Q(linked) & _older("read_at", max(expires, LINKED)))
    failed = ~Q(error="") & ~_older("tried_at", AGAIN)
    lost = Q(asked_at__lt=timezone.now() - inventory.STALE)
    return _idle().filter((old | lost) & ~failed).order_by(F("read_at").asc(nulls_first=True))


def due_changes(organizations: list[Any]) -> QuerySet[InventoryState]:
    """Return the states of accesses of which it is to be asked now what changed; those organizations are in use."""
    able = [slug for slug, provider in providers.PROVIDERS.items() if provider.tells_changes]
    interval = datetime.timedelta(seconds=settings.INVENTORY_REFRESH)
    fresh = Q(read_at__gt=timezone.now() - datetime.timedelta(seconds=settings.INVENTORY_EXPIRE))
    used = Q(access__cluster__organization__in=organizations, access__provider__in=able)
    old = _older("refreshed_at", interval) & _older("tried_at", interval)
    return (
        _idle()
        .filter(fresh, used, old, error="", asked_at=None)
        .order_by(F("refreshed_at").asc(nulls_first=True))
    )


def _send(task: Any, pk: object) -> bool:
    """Send a message, unless one is on its way already."""
    if not cache.add(f"inventory-sent:{task.name}:{pk}", 1, timeout=min(SENT, settings.INVENTORY_REFRESH)):
        return False
    try:
        task.delay(access_id=str(pk))
    except BrokerAway:
        logger.warning("The broker is away; the inventory of access %s waits.", pk)
        return False
    return True


def _forget() -> None:
    """Keep nothing, since nothing is to be kept."""
    if InventoryState.objects.filter(read_at__isnull=False).exists() or InventoryEntry.objects.exists():
        InventoryEntry.objects.all().delete()
        InventoryState.objects.update(read_at=None, refreshed_at=None, entries=0, truncated=False)
