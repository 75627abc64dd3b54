"""Making, finding and revoking API tokens."""

import hashlib
import logging
import secrets
from datetime import timedelta

from django.core.cache import cache
from django.db import transaction
from django.utils import timezone
from redis import RedisError

from accounts.audit import services as audit
from accounts.tokens.models import ApiToken

PERSONAL, MACHINE = "khp_", "kho_"
SHOWN = 10
LONGEST = 100
USED_SECONDS = 60
TOLD_SECONDS = 60 * 60
logger = logging.getLogger(__name__)


def digest_of(value: str) -> str:
    """Return what is kept of a value; it is random, so that neither salt nor stretching would add anything."""
    return hashlib.sha256(value.encode()).hexdigest()


def new_value(prefix: str) -> str:
    """Return a value that nobody can guess: 256 bits, 43 characters after its prefix."""
    return prefix + secrets.token_urlsafe(32)


def find(value: str) -> ApiToken | None:
    """Return the usable token with a value, its member and its organization, or None; an unknown one is only logged."""
    if len(value) > LONGEST or not value.isascii() or not value.startswith((PERSONAL, MACHINE)):
        return None
    token = (
        ApiToken.objects.usable()
        .filter(digest=digest_of(value), membership__user__is_active=True)
        .select_related("membership__user", "membership__organization")
        .first()
    )
    if token is None:
        # The beginning is what the list of tokens shows: enough to tell a forgotten one from a guessed one.
        logger.warning("An API token was refused: %s… is not known, or revoked or expired.", value[:SHOWN])
    return token


def used(*, token: ApiToken, address: str) -> None:
    """Note that a token was shown: when and where at most once a minute, in the audit log once an hour and address."""
    now, last = timezone.now(), token.last_used_at
    if last is not None and now - last < timedelta(seconds=USED_SECONDS) and token.last_used_from == address:
        return
    with transaction.atomic():
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now, last_used_from=address)
        if _is_news(token, address):
            audit.record(
                organization=token.membership.organization,
                by=token.membership.user,
                action="token.used",
                target=token,
                details={"prefix": token.prefix},
            )


def _is_news(token: ApiToken, address: str) -> bool:
    """Tell whether the token was not seen from an address for an hour; while Redis is away, always."""
    try:
        return bool(cache.add(f"token-used:{token.pk}:{address}", 1, TOLD_SECONDS))
    except RedisError:
        return True
