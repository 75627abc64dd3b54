"""One JSON object a line, appended to a file below the folder that the operator of the console allows."""

import errno
import json
import os
from pathlib import Path

from django.conf import settings
from django.core.validators import RegexValidator

from accounts.outgoing.causes import NotSent
from accounts.outgoing.senders.base import Accepted, Parcel

name_rule = RegexValidator(
    r"^[a-z0-9][a-z0-9_-]{0,39}\.jsonl\Z",
    "Use a name such as audit.jsonl: lower-case letters, digits, _ and -, at most 40, then .jsonl.",
)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def path_of(organization_id: int, name: str) -> Path:
    """Return where an organization's file is: a folder of its own, by a number that never changes."""
    return Path(settings.AUDIT_FILES_DIR) / f"organization-{organization_id}" / name


def send(parcel: Parcel) -> Accepted:
    """Append the events and return once the disk has them; opened each time, so that it may be rotated.

    :raises NotSent: not all of them could be written; then none of them is there
    """
    if not settings.AUDIT_FILES_DIR:
        raise NotSent("no_files")
    name_rule(parcel.address)
    lines = b"".join(json.dumps(event, ensure_ascii=False).encode() + b"\n" for event in parcel.events)
    try:
        _append(path_of(parcel.organization_id, parcel.address), lines)
    except OSError as error:
        raise NotSent("full" if error.errno in _FULL else "file") from error
    return Accepted()


def _append(path: Path, lines: bytes) -> None:
    """Write all or nothing; a line that a lost worker left half is ended first."""
    path.parent.mkdir(mode=0o750, exist_ok=True)
    # O_NOFOLLOW: a link in the folder must not lead elsewhere. Reading is for the last byte.
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(path, flags, 0o640)
    try:
        size = os.fstat(handle).st_size
        half = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        try:
            _write(handle, (b"\n" if half else b"") + lines)
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, size)
            raise
    finally:
        os.close(handle)


def _write(handle: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(handle, left) :]
