"""Reading the names that a secret manager has into the inventory. Values are never asked for."""

import datetime
import logging
from typing import Any

import tenacity
from django.db import transaction
from django.utils import timezone

from accesses import providers
from accesses import services as access_services
from accesses.models import Access
from external_secrets.models import InventoryEntry, InventoryState

logger = logging.getLogger(__name__)

# A reader that has not been heard of for this long is taken for dead.
STALE = datetime.timedelta(minutes=2)
BATCH = 2000
# Of a throttled reading, in seconds: the first pause at most, and how long one page is asked for.
FIRST_PAUSE = 0.5
PATIENCE = 90
# An entry of PostgreSQL's index holds about 2,700 bytes; no secret manager has names that long.
LONGEST_NAME = 2048
_FACTS = ("reference", "description", "tags", "changed_at")

_CAUSES: tuple[tuple[type[providers.ProviderError], InventoryState.Cause], ...] = (
    (providers.NotPossibleHere, InventoryState.Cause.ELSEWHERE),
    (providers.PermissionMissing, InventoryState.Cause.REFUSED),
    (providers.CredentialRefused, InventoryState.Cause.REFUSED),
    (providers.Throttled, InventoryState.Cause.THROTTLED),
    (providers.NotReachable, InventoryState.Cause.UNREACHABLE),
)


class Superseded(Exception):
    """Another reader has taken over, or the access is gone; nothing of this reading may be written."""


def cause_of(error: providers.ProviderError) -> InventoryState.Cause:
    """Return the kind of failure that decides what a page offers instead of the list."""
    return next((cause for kind, cause in _CAUSES if isinstance(error, kind)), InventoryState.Cause.FAILED)


def is_being_read(state: InventoryState) -> bool:
    """Tell whether a reader is at work."""
    return state.started_at is not None and state.started_at > timezone.now() - STALE


def is_pending(state: InventoryState) -> bool:
    """Tell whether a reading is at work or was asked for a moment ago."""
    asked = state.asked_at is not None and state.asked_at > timezone.now() - STALE
    return asked or is_being_read(state)


class _Turn:
    """The right to read one access's names: one reader at a time, known by the time of its last sign of life."""

    def __init__(self, access: Access, mark: datetime.datetime) -> None:
        self.access, self.mark = access, mark

    @classmethod
    @transaction.atomic
    def take(cls, access: Access) -> "_Turn | None":
        """Become the reader, or return None while another one is at work."""
        InventoryState.objects.get_or_create(access=access)
        state = InventoryState.objects.select_for_update().get(access=access)
        if is_being_read(state):
            return None
        state.started_at = timezone.now()
        state.save(update_fields=["started_at"])
        return cls(access, state.started_at)

    def update(self, **values: Any) -> None:
        """Write on the state.

        :raises Superseded: another reader has taken over meanwhile
        """
        mine = InventoryState.objects.filter(access=self.access, started_at=self.mark)
        if not mine.update(**values):
            raise Superseded
        self.mark = values.get("started_at", self.mark)

    def renew(self) -> None:
        """Give a sign of life."""
        self.update(started_at=timezone.now())


def read_all(access: Access) -> bool:
    """Read every name of an access; return False when another reader is at work.

    A failure is kept on the state with its reason, and the names that were known before stay.
    """
    turn = _Turn.take(access)
    if turn is None:
        return False
    try:
        _read(turn)
    except Superseded:
        logger.warning("The reading of the inventory of access %s was taken over.", access.pk)
        return False
    return True


def _read(turn: _Turn) -> None:
    try:
        found = _all_pages(turn)
    except providers.ProviderError as error:
        turn.update(
            asked_at=None,
            started_at=None,
            error=error.reason,
            remedy=error.remedy,
            cause=cause_of(error),
            permission=getattr(error, "permission", ""),
        )
        return
    except Exception:
        turn.update(
            asked_at=None,
            started_at=None,
            error="The names could not be read.",
            remedy="The worker's log says what went wrong.",
            cause=InventoryState.Cause.FAILED,
            permission="",
        )
        raise
    _replace(turn, found)


def _all_pages(turn: _Turn) -> dict[str, InventoryEntry]:
    """Return every upstream name as an unsaved row, by name."""
    manager = access_services.connect(turn.access)
    found: dict[str, InventoryEntry] = {}
    cursor = ""
    while True:
        page = _patiently(manager, cursor, turn)
        for entry in page.entries:
            if len(entry.name.encode()) <= LONGEST_NAME:
                found[entry.name] = as_row(turn.access, entry)
        if not page.cursor:
            return found
        cursor = page.cursor
        turn.renew()


def _patiently(manager: providers.SecretManager, cursor: str, turn: _Turn) -> providers.Page:
    """Return a page; when the manager asks to slow down, ask less and less often, for PATIENCE seconds at most."""
    asking = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(providers.Throttled),
        wait=tenacity.wait_random_exponential(multiplier=FIRST_PAUSE, max=20),
        stop=tenacity.stop_after_delay(PATIENCE),
        before_sleep=lambda _: turn.renew(),
        reraise=True,
    )
    return asking(manager.page, cursor=cursor)


def as_row(access: Access, entry: providers.Entry) -> InventoryEntry:
    """Return an upstream entry as an unsaved row."""
    return InventoryEntry(
        access=access,
        organization_id=access.cluster.organization_id,
        name=entry.name,
        reference=entry.reference,
        description=entry.description or "",
        tags=dict(entry.tags),
        changed_at=entry.changed_at,
    )


def _facts(row: InventoryEntry) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in _FACTS)


@transaction.atomic
def _replace(turn: _Turn, found: dict[str, InventoryEntry]) -> None:
    """Make the inventory exactly what was found; only what differs is written."""
    turn.update(
        asked_at=None,
        started_at=None,
        read_at=timezone.now(),
        entries=len(found),
        error="",
        remedy="",
        cause="",
        permission="",
    )
    rows = InventoryEntry.objects.filter(access=turn.access)
    known = {row[0]: row[1:] for row in rows.values_list("name", *_FACTS).iterator(BATCH)}
    changed = [row for name, row in found.items() if known.get(name) != _facts(row)]
    InventoryEntry.objects.bulk_create(
        changed,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["access", "name"],
        update_fields=list(_FACTS),
    )
    vanished = [name for name in known if name not in found]
    for start in range(0, len(vanished), BATCH):
        rows.filter(name__in=vanished[start : start + BATCH]).delete()
