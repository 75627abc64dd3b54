"""Writing every encrypted value anew with the newest key while the console runs, and dropping a key that nothing needs."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.fernet import InvalidToken
from django.db import connection, transaction
from django.utils import timezone

from accounts.encryption import columns, keys, outside
from accounts.encryption.columns import Column
from accounts.models import EncryptionKey

BATCH = 500
# The key of a value that none of the given keys opens.
UNKNOWN = "unknown"
# So many seconds are others waited for, who may be writing.
PATIENCE = 60.0
BUSY = "Somebody has been writing to the database for a minute and is not done. Nothing was dropped; try again later."


class StillNeeded(ValueError):
    """Values are stored under the key that was to be dropped, or it is the newest."""


@dataclass(slots=True)
class Report:
    """What was found: for each column the number of its texts by key; how many were written anew."""

    found: dict[str, Counter[str]] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    # Places outside of the database that do not answer
    unreached: list[str] = field(default_factory=list)
    written: int = 0
    stopped: bool = False

    def under(self, key: str) -> dict[str, int]:
        """Return how many texts of each column are under a key."""
        return {name: counts[key] for name, counts in self.found.items() if counts[key]}


def run(
    *, write: bool, go_on: Callable[[], bool] = lambda: True, tell: Callable[[str], None] = lambda _: None
) -> Report:
    """Look at every encrypted text and, if asked to, write those anew that are not under the newest key.

    It holds no lock: a row that is changed meanwhile is under the newest key by that change. Broken off at any point,
    the next run goes on where there is something to do.
    """
    report = Report()
    for column in columns.every():
        name = f"{column.label}.{column.name}"
        counts = report.found.setdefault(name, Counter())
        if not _through(column, counts, report, write, go_on):
            report.stopped = True
            return report
        if total := counts.total():
            tell(f"{name}: {total}")
    for place in outside.every():
        if not go_on():
            report.stopped = True
            return report
        _outside(place, report, write)
    return report


def _outside(place: outside.Place, report: Report, write: bool) -> None:
    """Go through one place outside of the database."""
    counts = report.found.setdefault(place.label, Counter())

    def is_old(texts: list[str]) -> bool:
        names = [_key_of(text) for text in texts]
        if UNKNOWN in names:
            report.unreadable.append(place.label)
            counts.update(names)
            return False
        old = write and set(names) != {keys.newest()} and bool(names)
        counts.update([keys.newest()] * len(names) if old else names)
        return old

    try:
        report.written += place.go_through(is_old, lambda text: keys.every().rotate(text.encode()).decode())
    except outside.NotReached:
        report.unreached.append(place.label)


def _through(
    column: Column, counts: Counter[str], report: Report, write: bool, go_on: Callable[[], bool]
) -> bool:
    """Go through one column; tell whether its end was reached."""
    last = None
    while rows := column.after(last, BATCH):
        if not go_on():
            return False
        old = []
        for pk, value in rows:
            names = [_key_of(text) for text in column.texts(value)]
            if UNKNOWN in names:
                report.unreadable.append(f"{column.label}.{column.name} of {pk}")
            elif set(names) - {keys.newest()}:
                old.append((pk, value))
            counts.update(names)
        if write and old:
            _write(column, old, counts, report)
        last = rows[-1][0]
    return True


def _write(column: Column, old: list[tuple[object, object]], counts: Counter[str], report: Report) -> None:
    every = keys.every()

    def turn(text: str) -> str:
        return every.rotate(text.encode()).decode()

    with transaction.atomic():
        column.replace([(column.turned(value, turn), pk, value) for pk, value in old])
    for _, value in old:
        for text in column.texts(value):
            counts[_key_of(text)] -= 1
            counts[keys.newest()] += 1
            report.written += 1


def _key_of(text: str) -> str:
    """Return the name of the key that a text is under."""
    for name, fernet in keys.given().items():
        try:
            fernet.decrypt(text.encode())
        except InvalidToken:
            continue
        return name
    return UNKNOWN


def drop(name: str) -> None:
    """Note that a key is not needed any more: then a console starts without it, and none writes with it.

    :raises StillNeeded: it is the newest, it is not known, or values are under it
    """
    if name == keys.newest():
        raise StillNeeded(f"The key {name} is the newest: values are written with it.")
    if not EncryptionKey.objects.filter(pk=name).exists():
        raise StillNeeded(f"There is no key {name}.")
    # First nobody may write with it any more, then it is looked for.
    EncryptionKey.objects.filter(pk=name).update(retired_at=timezone.now())
    time.sleep(2 * keys.TRUSTED)
    held = _held(name) if _others_are_over() else BUSY
    if held:
        EncryptionKey.objects.filter(pk=name).update(retired_at=None)
        raise StillNeeded(held)


def _others_are_over() -> bool:
    """Wait until every transaction that is open now is over: it may have written a value that nobody sees yet."""
    waited, end = _others(), time.monotonic() + PATIENCE
    while waited and time.monotonic() < end:
        time.sleep(0.2)
        waited &= _others()
    return not waited


def _others() -> set[str]:
    """Return the transactions that are open and have written something, without our own and those of other databases."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_snapshot_xip(pg_current_snapshot())::text EXCEPT SELECT backend_xid::text FROM pg_stat_activity "
            "WHERE datname <> current_database() AND backend_xid IS NOT NULL"
        )
        return {row[0] for row in cursor.fetchall()}


def _held(name: str) -> str:
    """Return what keeps a key from being dropped, or an empty string."""
    report = run(write=False)
    if report.unreached:
        return (
            f"Whether the key {name} is needed cannot be told: {', '.join(report.unreached)} cannot be read now. "
            "Try again once it answers, or delete that access."
        )
    known = name in keys.given()
    under = report.under(name) if known else {}
    if under:
        places = ", ".join(f"{count} of {place}" for place, count in under.items())
        return f"The key {name} is still needed: {places}. Run manage.py rotate_encryption_keys first."
    if report.unreadable and not known:
        return (
            f"{len(report.unreadable)} values are under no key that was given, perhaps under {name}. "
            "Put it back in FIELD_ENCRYPTION_KEY and run manage.py rotate_encryption_keys first."
        )
    return ""
