"""Making, finding and revoking API tokens."""

import contextlib
import hashlib
import logging
import secrets
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.utils import timezone
from redis import RedisError

from accounts import delegation
from accounts.audit import origin
from accounts.audit import services as audit
from accounts.authority import Authority, Grant, built_in
from accounts.organizations.models import CustomRole, Membership, Organization, User
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


@dataclass(frozen=True, slots=True)
class Wish:
    """What a token is to be: its name, its roles, and when it ends."""

    name: str
    roles: tuple[str, ...]
    custom_roles: tuple[CustomRole, ...] = ()
    expires_at: datetime | None = None

    @property
    def grants(self) -> list[Grant]:
        return [*map(built_in, self.roles), *(role.grant for role in self.custom_roles)]


@dataclass(frozen=True, slots=True)
class Made:
    """A token and its value, which is shown once and kept nowhere."""

    token: ApiToken
    value: str = field(repr=False)


@transaction.atomic
def create(*, membership: Membership, wish: Wish, authority: Authority, by: User) -> Made:
    """Make a token of a person, which acts as that member within the token's roles.

    :raises delegation.MoreThanHeld: a role is more than `authority` holds
    """
    delegation.check(authority, wish.grants)
    made = _made(membership, wish, by, PERSONAL)
    made.token.roles = list(wish.roles)
    made.token.save(update_fields=["roles"])
    made.token.custom_roles.set(wish.custom_roles)
    _record("token.created", made.token, by, _facts(made.token, wish))
    return made


@transaction.atomic
def create_for_organization(
    *, organization: Organization, wish: Wish, authority: Authority, by: User
) -> Made:
    """Make a token of the organization: a machine becomes a member, with the token's roles.

    :raises delegation.MoreThanHeld: a role is more than `authority` holds
    """
    delegation.check(authority, wish.grants)
    machine = User.objects.create_user(
        email=f"{uuid.uuid4().hex}@machine.invalid", name=wish.name, is_machine=True
    )
    membership = Membership.objects.create(organization=organization, user=machine, roles=list(wish.roles))
    membership.custom_roles.set(wish.custom_roles)
    made = _made(membership, wish, by, MACHINE)
    _record("token.created", made.token, by, _facts(made.token, wish))
    return made


@transaction.atomic
def rename(*, token: ApiToken, name: str, by: User) -> None:
    """Give a token another name, and its machine."""
    before, token.name = token.name, name
    token.save(update_fields=["name"])
    if token.is_of_the_organization:
        User.objects.filter(pk=token.membership.user_id).update(name=name)
    if name != before:
        _record("token.changed", token, by, {"changes": {"name": [before, name]}})


@transaction.atomic
def rotate(*, token: ApiToken, expires_at: datetime | None, authority: Authority, by: User) -> Made:
    """Give a token a new value and a new end; the old value is refused from now on.

    :raises delegation.MoreThanHeld: the token may more than `authority`
    """
    delegation.check(authority, token.grants)
    value = new_value(MACHINE if token.is_of_the_organization else PERSONAL)
    before = {"prefix": token.prefix, "expires": token.expires_at}
    token.prefix, token.digest, token.expires_at = value[:SHOWN], digest_of(value), expires_at
    token.save(update_fields=["prefix", "digest", "expires_at"])
    after = {"prefix": token.prefix, "expires": token.expires_at}
    _record(
        "token.changed", token, by, audit.changes(before, after, {"prefix": "prefix", "expires": "expires"})
    )
    return Made(token, value)


@transaction.atomic
def revoke(*, token: ApiToken, by: User) -> None:
    """End a token for good; revoked twice, it was revoked once."""
    token = (
        ApiToken.objects.select_for_update(of=("self",)).select_related("membership__user").get(pk=token.pk)
    )
    if token.revoked_at is not None:
        return
    token.revoked_at, token.revoked_by = timezone.now(), str(by)
    token.save(update_fields=["revoked_at", "revoked_by"])
    if token.is_of_the_organization:
        User.objects.filter(pk=token.membership.user_id).update(is_active=False)
    _record("token.revoked", token, by, {"prefix": token.prefix})


def _made(membership: Membership, wish: Wish, by: User, prefix: str) -> Made:
    value = new_value(prefix)
    token = ApiToken.objects.create(
        membership=membership,
        name=wish.name,
        prefix=value[:SHOWN],
        digest=digest_of(value),
        expires_at=wish.expires_at,
        created_by=str(by),
    )
    return Made(token, value)


def _facts(token: ApiToken, wish: Wish) -> dict[str, Any]:
    return {
        "prefix": token.prefix,
        "kind": "organization" if token.is_of_the_organization else "personal",
        "roles": [grant.role for grant in wish.grants],
        "expires": wish.expires_at.isoformat() if wish.expires_at else "never",
    }


def _record(action: str, token: ApiToken, by: User, details: dict[str, Any]) -> None:
    audit.record(
        organization=token.membership.organization, by=by, action=action, target=token, details=details
    )


def find(value: str, *, address: str) -> ApiToken | None:
    """Return the usable token with a value, its member and its organization, or None.

    That one was shown which is over is written down; one that is unknown is only logged.
    """
    if len(value) > LONGEST or not value.isascii() or not value.startswith((PERSONAL, MACHINE)):
        return None
    found = ApiToken.objects.select_related("membership__user", "membership__organization")
    token = found.filter(digest=digest_of(value)).first()
    if token is None:
        # The beginning is what the list of tokens shows: enough to tell a forgotten one from a guessed one.
        logger.warning("An API token was refused: %s… is not known.", value[:SHOWN])
    elif token.state != "active" or not token.membership.user.is_active:
        _refused(token, address)
        token = None
    return token


def _refused(token: ApiToken, address: str) -> None:
    """Note that a token was shown that is over, once an hour and address."""
    member = token.membership
    logger.warning("An API token was refused: %s… is %s.", token.prefix, _why(token))
    with _once("refused", token, address, otherwise=False) as first:
        if first:
            origin.entered(
                organization_id=member.organization_id,
                user_id=member.user_id,
                roles=member.role_names,
                token=token.label,
            )
            _record("token.refused", token, member.user, {"prefix": token.prefix, "reason": _why(token)})


def _why(token: ApiToken) -> str:
    return token.state if token.state != "active" else "of somebody who is switched off"


def used(*, token: ApiToken, address: str) -> None:
    """Note that a token was shown: when and where at most once a minute, in the audit log once an hour and address."""
    last = token.last_used_at
    stale = last is None or timezone.now() - last >= timedelta(seconds=USED_SECONDS)
    if not stale and token.last_used_from == address:
        return
    with _once("used", token, address, otherwise=stale) as first:
        if first or stale:
            _seen(token, address, first=first)


@transaction.atomic
def _seen(token: ApiToken, address: str, *, first: bool) -> None:
    ApiToken.objects.filter(pk=token.pk).update(last_used_at=timezone.now(), last_used_from=address)
    if first:
        _record("token.used", token, token.membership.user, {"prefix": token.prefix})


@contextlib.contextmanager
def _once(what: str, token: ApiToken, address: str, *, otherwise: bool) -> Iterator[bool]:
    """Tell whether something is news for an hour; `otherwise` while Redis is away. What fails stays news."""
    key = f"token-{what}:{token.pk}:{address}"
    try:
        first = bool(cache.add(key, 1, TOLD_SECONDS))
    except RedisError:
        first, key = otherwise, ""
    try:
        yield first
    except BaseException:
        if first and key:
            cache.delete(key)
        raise
