"""Trying stored credentials in the background, a few at a time, and telling once of what turns and of what ends."""

import datetime
import logging
import uuid

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerAway

from accounts.audit import origin
from accounts.audit import services as audit
from accounts.outgoing import turning
from credentials import services, tasks
from credentials.clouds.errors import ProviderError
from credentials.models import SOON, CloudCredential

logger = logging.getLogger(__name__)

KIND = "credential"
EXPIRY = "credential-expiry"
# So many are sent at one beat: after a long rest they come one after the other, and not all at once.
AT_ONCE = 4
# One that was sent is not sent again for so long, in seconds, so that two workers do not try the same.
HELD = 120
# What fails is tried so many times as often.
SOONER = 6
HOUR = 3600


def sweep() -> int:
    """Send the credentials that are due for a check, and tell of those that end; return how many were sent."""
    if cache.add("credential-expiry", 1, timeout=HOUR):
        with origin.of_worker("credentials"):
            tell_of_ends()
    due = [pk for pk in _due(timezone.now()) if cache.add(f"credential-check:{pk}", 1, timeout=HELD)]
    for pk in due[:AT_ONCE]:
        _send(str(pk))
    for pk in due[AT_ONCE:]:
        cache.delete(f"credential-check:{pk}")
    return len(due[:AT_ONCE])


def _due(now: datetime.datetime) -> list[uuid.UUID]:
    """Return those whose last check is old, the oldest first; each has its own delay, so that they do not bunch up."""
    every = datetime.timedelta(seconds=settings.CREDENTIAL_SECONDS)
    again = Q(checked_at__lt=now - every) | (~Q(check_error="") & Q(checked_at__lt=now - every / SOONER))
    rows = CloudCredential.objects.filter(Q(checked_at=None) | again).order_by("checked_at", "pk")
    found = rows.values_list("pk", "checked_at", "check_error")[: AT_ONCE * 8]
    return [pk for pk, at, error in found if at is None or error or now - at > every + _jitter(pk, every)]


def _jitter(pk: uuid.UUID, every: datetime.timedelta) -> datetime.timedelta:
    """Return up to a tenth of the time between two checks, always the same for one credential."""
    return every * (pk.int % 100) / 1000


def _send(credential_id: str) -> None:
    try:
        tasks.check.delay(credential_id=credential_id)
    except BrokerAway:
        logger.warning("The broker is away; the check of credential %s waits.", credential_id)


def take(credential_id: str) -> None:
    """Try one credential now, and tell of it where it has turned."""
    credential = CloudCredential.objects.filter(pk=credential_id).select_related("organization").first()
    if credential is None:
        return
    wrong = services.check(credential)
    with origin.of_worker(credential_id):
        _observe(credential, wrong)


@transaction.atomic
def _observe(credential: CloudCredential, wrong: ProviderError | None) -> None:
    """Tell once that it fails, and once that it works again.

    A refusal is told at once. A cloud that does not answer may at the next look, which it is waited for.
    """
    same = CloudCredential.objects.filter(pk=credential.pk, version=credential.version)
    # FOR UPDATE: what was found of the old values is not told of the new.
    if not same.select_for_update(of=("self",)).exists():
        return
    flickers = wrong is not None and wrong.retryable
    subjects = {credential.pk}
    turns = turning.observe(
        organization=credential.organization,
        kind=KIND,
        bad=subjects if wrong else (),
        good=() if wrong else subjects,
        hold=turning.HOLD if flickers else datetime.timedelta(0),
    )
    if turns.failing and wrong is not None:
        _tell(credential, "credential.failing", {"cause": wrong.reason[:300]})
    if turns.recovered:
        _tell(credential, "credential.works_again", {})


def _tell(credential: CloudCredential, action: str, details: dict[str, object]) -> None:
    audit.record(
        organization=credential.organization, by=None, action=action, target=credential, details=details
    )


def tell_of_ends() -> int:
    """Tell of each credential that ends in 30, 14, 7 or 1 days or has ended, once each; return how many."""
    rows = CloudCredential.objects.filter(expires_at__lt=timezone.now() + SOON)
    return sum(_tell_of_end(one) for one in rows.select_related("organization").defer("secret"))


@transaction.atomic
def _tell_of_end(credential: CloudCredential) -> bool:
    at = credential.expires_at
    if at is None:
        return False
    left = turning.ending(organization=credential.organization, subject=credential.pk, kind=EXPIRY, at=at)
    if left is None:
        return False
    details: dict[str, object] = {"ends": at.isoformat(timespec="seconds")}
    if left:
        _tell(credential, "credential.expiring", details | {"days": left})
    else:
        _tell(credential, "credential.expired", details)
    return True
