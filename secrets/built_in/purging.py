"""Deleted secrets are kept for BUILT_IN_DELETED_DAYS, then erased with all their versions."""

import datetime
import uuid

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from accounts.audit import services as audit
from built_in.models import StoredSecret

HOUR = 3600
AT_ONCE = 200


def sweep() -> int:
    """Erase what was deleted long enough ago, at most once an hour and some at a time; return how many."""
    if not cache.add("built-in-purge", 1, timeout=HOUR):
        return 0
    before = timezone.now() - datetime.timedelta(days=settings.BUILT_IN_DELETED_DAYS)
    old = StoredSecret.objects.filter(deleted_at__lt=before).order_by("deleted_at")
    return sum(_erase(pk, before) for pk in list(old.values_list("pk", flat=True)[:AT_ONCE]))


@transaction.atomic
def _erase(pk: uuid.UUID, before: datetime.datetime) -> int:
    """Erase one, unless somebody has just brought it back."""
    found = StoredSecret.objects.select_for_update(of=("self",)).select_related("organization")
    secret = found.filter(pk=pk, deleted_at__lt=before).first()
    if secret is None:
        return 0
    details = {"secret": secret.name, "versions": secret.versions.count()}
    audit.record(
        organization=secret.organization,
        by=None,
        action="built_in_store.purged",
        target=secret,
        details=details,
    )
    secret.delete()
    return 1
