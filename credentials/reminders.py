"""When somebody is reminded of a credential: by the age of its keys, and before they end."""

import datetime
from typing import Any

from django.db import transaction

from accounts.audit import services as audit
from accounts.models import User
from credentials import services
from credentials.models import CloudCredential


@transaction.atomic
def remind(
    *, credential: CloudCredential, rotate_days: int | None, until: datetime.datetime | None, by: User
) -> bool:
    """Set after how many days its keys are due, and when they end where the cloud does not tell; return whether that
    is new."""
    live = CloudCredential.objects.select_for_update(of=("self",)).get(pk=credential.pk)
    if live.facts.get("expires"):
        until = live.expires_at
    if (live.rotate_days, live.expires_at) == (rotate_days, until):
        return False
    before, after = (live.rotate_days, live.expires_at), (rotate_days, until)
    CloudCredential.objects.filter(pk=live.pk).update(rotate_days=rotate_days, expires_at=until)
    names = {"rotate_days": "rotate after days", "expires_at": "ends"}
    told = audit.changes(_spoken(*before), _spoken(*after), names)
    services.record(live, "credential.reminders_changed", by, told)
    return True


def _spoken(rotate_days: int | None, until: datetime.datetime | None) -> dict[str, Any]:
    return {"rotate_days": rotate_days, "expires_at": until.isoformat(timespec="seconds") if until else None}
