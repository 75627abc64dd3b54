"""Reading the names that a secret manager has into the inventory. Values are never asked for."""

import datetime
import logging
import time
from typing import Any

import tenacity
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accesses import providers
from accesses import services as access_services
from accesses.models import Access
from external_secrets.inventory_staging import FACTS, Staging, facts_of, is_legal
from external_secrets.inventory_staging import LONGEST_NAME as LONGEST_NAME
from external_secrets.models import InventoryEntry, InventoryState

logger = logging.getLogger(__name__)

# A reader that has not been heard of for this long is taken for dead.
STALE = datetime.timedelta(minutes=2)
# How often a reader says how far it is, in seconds.
SAID = 0.5
# Of a throttled reading, in seconds: the first pause at most, and how long one page is asked for.
FIRST_PAUSE = 0.5
PATIENCE = 90
# A manager's lists may be late: AWS says five minutes. What changed so long before the last look is asked for again.
OVERLAP = datetime.timedelta(minutes=10)
# After so many pages of changes the whole list is the cheaper question.
MOST_CHANGES = 20

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


class _TooMany(Exception):
    """More has changed than is worth asking for page by page."""


def is_being_read(state: InventoryState) -> bool:
    """Tell whether a reader is at work."""
    return state.started_at is not None and state.started_at > timezone.now() - STALE


def is_pending(state: InventoryState) -> bool:
    """Tell whether a reading is at work or was asked for a moment ago."""
    asked = state.asked_at is not None and state.asked_at > timezone.now() - STALE
    return asked or is_being_read(state)


def answers(state: InventoryState, prefix: str = "") -> bool:
    """Tell whether the inventory can say what begins with a prefix; else the manager itself is asked.

    An inventory that was cut off knows the beginning of the whole list, and no prefix for sure.
    """
    return settings.INVENTORY and state.read_at is not None and not (state.truncated and prefix)


class _Turn:
    """The right to read one access's names: one reader at a time, known by the time of its last sign of life."""

    def __init__(self, access: Access, mark: datetime.datetime) -> None:
        self.access, self.mark = access, mark
        self.began = mark
        self._said = 0.0

    @classmethod
    @transaction.atomic
    def take(cls, access: Access) -> "_Turn | None":
        """Become the reader, or return None while another one is at work."""
        InventoryState.objects.get_or_create(access=access)
        state = InventoryState.objects.select_for_update().get(access=access)
        if is_being_read(state):
            return None
        state.started_at = state.tried_at = timezone.now()
        state.seen = 0
        state.save(update_fields=["started_at", "tried_at", "seen"])
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

    def tell(self, seen: int) -> None:
        """Say how many names were seen, which is a sign of life; not so often that it costs."""
        if time.monotonic() - self._said >= SAID:
            self.update(started_at=timezone.now(), seen=seen)
            self._said = time.monotonic()


class _Pace:
    """Lets at most so many pages a second be asked for."""

    def __init__(self) -> None:
        self._step, self._next = 1 / settings.INVENTORY_PAGES_PER_SECOND, 0.0

    def wait(self) -> None:
        now = time.monotonic()
        if now < self._next:
            time.sleep(self._next - now)
        self._next = max(now, self._next) + self._step


def read_all(access: Access) -> bool:
    """Read every name of an access; return False when another reader is at work, or nothing is to be kept.

    A failure is kept on the state with its reason, and the names that were known before stay.
    """
    turn = _Turn.take(access) if settings.INVENTORY else None
    if turn is None:
        return False
    try:
        with Staging(access, settings.INVENTORY_MAX) as found:
            _read(turn, found)
    except Superseded:
        logger.warning("The reading of the inventory of access %s was taken over.", access.pk)
        return False
    return True


def _read(turn: _Turn, found: Staging) -> None:
    try:
        _all_pages(turn, found)
    except Superseded:
        raise
    except providers.ProviderError as error:
        _end(
            turn,
            error=error.reason,
            remedy=error.remedy,
            cause=cause_of(error),
            permission=getattr(error, "permission", ""),
        )
        return
    except Exception:
        _end(
            turn,
            error="The names could not be read.",
            remedy="The worker's log says what went wrong.",
            cause=InventoryState.Cause.FAILED,
        )
        raise
    _keep(turn, found)


def _end(turn: _Turn, **values: Any) -> None:
    """Say how the reading ended; without an error it went well."""
    said = {"error": "", "remedy": "", "cause": "", "permission": ""} | values
    turn.update(asked_at=None, started_at=None, **said)


@transaction.atomic
def _keep(turn: _Turn, found: Staging) -> None:
    """Make the inventory what was found."""
    # The state first: whoever else writes the names waits for it, and so does a reader that takes over.
    _end(turn, read_at=timezone.now(), refreshed_at=turn.began, truncated=found.truncated, seen=found.seen)
    InventoryState.objects.filter(access=turn.access).update(entries=found.merge())


def _all_pages(turn: _Turn, found: Staging) -> None:
    """Bring every upstream name to the place where it waits."""
    manager, pace, cursor = access_services.connect(turn.access), _Pace(), ""
    while True:
        pace.wait()
        page = _patiently(manager, cursor, turn)
        found.add(page.entries)
        if not page.cursor or found.truncated:
            return
        cursor = page.cursor
        turn.tell(found.seen)


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
    organization = access.cluster.organization_id
    return InventoryEntry(access=access, organization_id=organization, name=entry.name, **facts_of(entry))


def refresh(access: Access) -> bool:
    """Bring in what is new or changed upstream since the last look; return whether that could be told.

    Nothing is removed: what is gone shows with the next whole reading. A refusal is left to that one as well, which
    follows at once; a manager that asks to slow down, or does not answer, is asked again when it is due.
    """
    known = InventoryState.objects.filter(access=access).first()
    if known is None or not answers(known) or is_being_read(known):
        return False
    began = timezone.now()
    InventoryState.objects.filter(access=access).update(tried_at=began)
    try:
        found = _changes(access, (known.refreshed_at or known.read_at or began) - OVERLAP)
    except (providers.Throttled, providers.NotReachable) as error:
        logger.info("What changed in access %s could not be asked: %s", access.pk, type(error).__name__)
        return False
    except (providers.ProviderError, _TooMany):
        return read_all(access)
    return _bring_in(known, found, began)


def _changes(access: Access, since: datetime.datetime) -> dict[str, providers.Entry]:
    """Return what was made or changed since, by name.

    :raises _TooMany: it is a lot
    """
    manager = access_services.connect(access)
    found: dict[str, providers.Entry] = {}
    if not isinstance(manager, providers.TellsChanges):
        return found
    pace, cursor = _Pace(), ""
    for _ in range(MOST_CHANGES):
        pace.wait()
        page = manager.changes(since, cursor)
        # The newest come first, and one that is changed meanwhile comes again as it was.
        found = {entry.name: entry for entry in page.entries if is_legal(entry.name)} | found
        cursor = page.cursor
        if not cursor:
            return found
    raise _TooMany


@transaction.atomic
def _bring_in(known: InventoryState, found: dict[str, providers.Entry], began: datetime.datetime) -> bool:
    """Write what differs, unless somebody else has read meanwhile."""
    state = InventoryState.objects.select_for_update().get(pk=known.pk)
    if (state.read_at, state.refreshed_at) != (known.read_at, known.refreshed_at) or is_being_read(state):
        return False
    state.refreshed_at = began
    if found:
        _write(state, found)
    state.save(update_fields=["refreshed_at", "entries", "truncated"])
    return True


def bring_in_one(state: InventoryState, entry: providers.Entry) -> None:
    """Write one name that was just made; the caller holds the state's lock, and saves its count."""
    _write(state, {entry.name: entry})


def _write(state: InventoryState, found: dict[str, providers.Entry]) -> None:
    """Write what differs; of new names as many as there is room for."""
    rows = InventoryEntry.objects.filter(access=state.access, name__in=found)
    kept = {row[0]: row[1:] for row in rows.values_list("name", *FACTS)}
    facts = {name: tuple(facts_of(entry).values()) for name, entry in found.items()}
    changed = [entry for name, entry in found.items() if name in kept and kept[name] != facts[name]]
    new = [entry for name, entry in found.items() if name not in kept]
    room = 0 if state.truncated else max(0, settings.INVENTORY_MAX - state.entries)
    InventoryEntry.objects.bulk_create(
        [as_row(state.access, entry) for entry in (*changed, *new[:room])],
        update_conflicts=True,
        unique_fields=["access", "name"],
        update_fields=list(FACTS),
    )
    state.entries += min(len(new), room)
    state.truncated = state.truncated or len(new) > room
