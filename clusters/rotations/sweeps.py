"""What is due with rotations, whoever looks: moves to settle, keys to remove, uses to ask for, reminders."""

import datetime

from django.core.cache import cache
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.audit import origin
from accounts.audit import services as audit
from accounts.models import Noted
from clusters.models import Rotation
from clusters.rotations import making, moving, retiring
from credentials.models import CloudCredential

# Seconds between two looks at keys that are left, and between two questions for the old key's last use.
LEFT_EVERY, ASK_EVERY = 60, 300
HOUR = 3600
# A key that ends is better replaced some time before.
AHEAD = datetime.timedelta(days=14)
DUE = "rotation-due"


def sweep() -> int:
    """See to all of it; return how many rotations and credentials were seen to."""
    seen = moving.settle_all() + making.sweep_lost() + _ask_of_old_keys()
    if cache.add("rotations-left", 1, timeout=LEFT_EVERY):
        seen += making.sweep_left()
    if cache.add("rotations-due", 1, timeout=HOUR):
        with origin.of_worker("rotations"):
            seen += remind()
    return seen


def _ask_of_old_keys() -> int:
    """Ask when the old keys were used last, of those whose clusters have all moved, until that is told for sure."""
    waiting = Rotation.objects.filter(status=Rotation.Status.CONFIRMING)
    due = [
        row
        for row in waiting.select_related("credential__organization")
        if retiring.keyring_of(row) is not None
        and retiring.doubt(row)
        and cache.add(f"rotation-asked:{row.pk}", 1, timeout=ASK_EVERY)
    ]
    for rotation in due:
        retiring.ask(rotation)
    return len(due)


def remind() -> int:
    """Tell of each credential whose keys are due to be replaced, once for each due date; return how many."""
    rows = CloudCredential.objects.filter(Q(rotate_days__isnull=False) | Q(expires_at__isnull=False))
    rows = rows.filter(organization__deleted_at=None).select_related("organization").defer("secret")
    return sum(_remind(credential) for credential in rows)


def due_at(credential: CloudCredential) -> datetime.datetime | None:
    """Return from when on a credential's keys ought to be replaced: by age, or two weeks before they end."""
    at = credential.rotate_at
    return at - AHEAD if at is not None and at == credential.expires_at else at


@transaction.atomic
def _remind(credential: CloudCredential) -> bool:
    now, at = timezone.now(), due_at(credential)
    if at is None or at > now or credential.rotation is not None:
        return False
    _, fresh = Noted.objects.get_or_create(
        kind=f"{DUE}:{at:%Y%m%dT%H%M%S}",
        subject=credential.pk,
        defaults={"organization": credential.organization, "since": now, "seen_at": now, "told_at": now},
    )
    if fresh:
        days = (now - (credential.made_at or credential.set_at)).days
        details = {"due": at.isoformat(timespec="seconds"), "days": days}
        if credential.expires_at is not None:
            details["ends"] = credential.expires_at.isoformat(timespec="seconds")
        audit.record(
            organization=credential.organization,
            by=None,
            action="credential.rotation_due",
            target=credential,
            details=details,
        )
    return fresh
