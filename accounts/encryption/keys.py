"""The keys of FIELD_ENCRYPTION_KEY by name, which of them the database needs, and refusing to go on without one."""

import hashlib
import logging
import time

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import DatabaseError, connection, transaction

# So long a process trusts what it was told about its own newest key.
TRUSTED = 1.0
_told: dict[str, float] = {}

logger = logging.getLogger(__name__)


class KeyRetired(RuntimeError):
    """This process writes with a key that was dropped: it was started before. Its values would be lost."""


class KeyMissing(RuntimeError):
    """Values are stored under a key that was not given."""


def name(key: str) -> str:
    """Return how a key is called: the beginning of its SHA-256, which tells nothing of it."""
    return hashlib.sha256(key.encode()).hexdigest()[:8]


def given() -> dict[str, Fernet]:
    """Return the keys of FIELD_ENCRYPTION_KEY by name, the newest first."""
    return {name(key): Fernet(key) for key in settings.FIELD_ENCRYPTION_KEY}


def newest() -> str:
    """Return the name of the key that values are written with."""
    return name(settings.FIELD_ENCRYPTION_KEY[0])


def every() -> MultiFernet:
    """Return all keys as one: the newest writes, each reads."""
    return MultiFernet(list(given().values()))


def may_write() -> None:
    """Go on, if the newest key of this process is good; a new one is noted.

    :raises KeyRetired: it was dropped
    """
    from accounts.models import EncryptionKey

    own = newest()
    if time.monotonic() - _told.get(own, -TRUSTED) < TRUSTED:
        return
    with transaction.atomic():
        key, _ = EncryptionKey.objects.get_or_create(pk=own)
    if key.retired_at is not None:
        raise KeyRetired(
            f"The key {own} was dropped, and this process still writes with it. Start it again with the newest key."
        )
    _told[own] = time.monotonic()


def missing() -> list[str]:
    """Return the names of the keys that are needed and were not given."""
    from accounts.models import EncryptionKey

    needed = EncryptionKey.objects.filter(retired_at=None)
    return list(needed.exclude(pk__in=given()).values_list("pk", flat=True))


def check() -> None:
    """Go on, if every needed key was given; those that are given for the first time are noted.

    Before there is a database, or its tables, nothing is checked.

    :raises KeyMissing: with the names of the missing keys
    :raises KeyRetired: the newest key was dropped
    """
    from accounts.models import EncryptionKey

    try:
        if EncryptionKey._meta.db_table not in connection.introspection.table_names():
            return
        lacking = missing()
        if not (lacking or EncryptionKey.objects.exists()):
            _check_sample()
        if not lacking:
            EncryptionKey.objects.bulk_create(
                [EncryptionKey(pk=key) for key in given()], ignore_conflicts=True
            )
            may_write()
    except DatabaseError as error:
        logger.warning("The keys could not be compared with the database: %s", type(error).__name__)
        return
    finally:
        connection.close()
    if lacking:
        raise KeyMissing(
            f"FIELD_ENCRYPTION_KEY lacks {_listed(lacking)}, under which values are stored. Put it back behind the "
            "newest one; `manage.py rotate_encryption_keys` writes everything anew, and then it can be dropped."
        )


def _check_sample() -> None:
    """Open one value of each column: nobody has noted yet which keys are needed.

    :raises KeyMissing: one cannot be opened
    """
    from accounts.encryption import columns

    for column in columns.every():
        for _, value in column.after(None, 1):
            for text in column.texts(value):
                try:
                    every().decrypt(text.encode())
                except InvalidToken:
                    raise KeyMissing(
                        f"{column.label}.{column.name} cannot be read with {_listed(list(given()))} of "
                        "FIELD_ENCRYPTION_KEY. Put the key back under which it is stored."
                    ) from None


def _listed(names: list[str]) -> str:
    return f"the key{'s' if len(names) > 1 else ''} {', '.join(names)}"
