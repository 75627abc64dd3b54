"""Inviting people: a link, good once and for some days, of which only a hash is kept."""

import datetime
import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db import transaction
from django.utils import timezone

from accounts import delegation
from accounts.audit import services as audit
from accounts.authority import Authority
from accounts.invitations.models import Invitation
from accounts.members import services as members
from accounts.organizations.models import CustomRole, Membership, Organization, User
from accounts.roles import in_order
from accounts.sign_in import limits

# Mails are sent to whom a member names; so many may wait for an answer at a time, and so many are sent in an hour: of
# an organization, and by one person to one address, in whatever organization.
MOST_PENDING = 200
MAILS = limits.Limit("invitation-mails", 100, 3600)
MAILS_TO_ONE = limits.Limit("invitation-mails-to-one", 5, 3600)


class NotPossible(Exception):
    """Why somebody cannot be invited, in words."""


class NotForYou(NotPossible):
    """Somebody tries to accept what is for another address."""

    def __init__(self, invitation: Invitation, user: User) -> None:
        self.invitation = invitation
        super().__init__(f"This invitation is for {invitation.email}; you are signed in as {user.email}.")


class Gone(Exception):
    """No invitation can be accepted by that link: it was used, revoked or replaced, or its time is over."""


@dataclass(frozen=True, slots=True)
class Made:
    """An invitation and its token, which is nowhere else."""

    invitation: Invitation
    token: str = field(repr=False)


def digest(token: str) -> str:
    """Return what is kept of a token, which is random: no salt, no stretching."""
    return hashlib.sha256(token.encode()).hexdigest()


def _renewed(invitation: Invitation) -> str:
    """Give an invitation another token and its whole time, and return the token; the old one is dead."""
    token = secrets.token_urlsafe(32)
    invitation.digest = digest(token)
    invitation.expires_at = timezone.now() + datetime.timedelta(days=invitation.days)
    invitation.sent_at = None
    return token


@transaction.atomic
def invite(
    *,
    organization: Organization,
    email: str,
    roles: Iterable[str],
    custom_roles: Iterable[CustomRole],
    days: int,
    by: User,
    authority: Authority,
) -> Made:
    """Make an invitation, for an address or (blank) for whoever gets the link. Whether an address has an account is
    not looked at.

    :raises NotPossible: a member already, invited already, or too many are
    :raises members.NoRole: no role is given
    :raises delegation.MoreThanHeld: `authority` does not cover the roles
    """
    members.lock(organization)
    given, custom = in_order(roles), list(custom_roles)
    grants = members.grants(given, custom)
    if not grants:
        raise members.NoRole
    delegation.check(authority, grants)
    _possible(organization, email)
    _may_be_mailed(organization, email, by)
    invitation = Invitation(
        organization=organization,
        email=email,
        roles=[role.value for role in given],
        invited_by=str(by),
        inviter=by,
        days=days,
    )
    token = _renewed(invitation)
    invitation.save()
    invitation.custom_roles.set(custom)
    _record(invitation, "invitation.sent", by, roles=[grant.role for grant in grants], days=days)
    return Made(invitation, token)


def _possible(organization: Organization, email: str) -> None:
    if email and Membership.objects.owned_by(organization).filter(user__email=email).exists():
        raise NotPossible(f"{email} is a member already.")
    pending = Invitation.objects.owned_by(organization).pending()
    if email and pending.filter(email=email).exists():
        raise NotPossible(f"{email} is invited already. Send that invitation again, or revoke it.")
    if pending.count() >= MOST_PENDING:
        raise NotPossible(f"{MOST_PENDING} invitations wait for an answer. Revoke some first.")


def _may_be_mailed(organization: Organization, email: str, by: User) -> None:
    """Count a mail.

    :raises NotPossible: too many were sent
    """
    if email and (MAILS_TO_ONE.take(by.pk, email) or MAILS.take(organization.pk)):
        raise NotPossible("Too many invitations were mailed in this hour. Try again later.")


def _record(invitation: Invitation, action: str, by: User | None, **details: object) -> None:
    audit.record(
        organization=invitation.organization,
        by=by,
        action=action,
        target=invitation,
        details={"email": invitation.email, **details},
    )


def _pending(invitation: Invitation) -> Invitation:
    """Return an invitation anew, locked.

    :raises Gone: it was accepted or revoked
    """
    members.lock(invitation.organization)
    found = Invitation.objects.pending().select_for_update().filter(pk=invitation.pk).first()
    if found is None:
        raise Gone
    return found


@transaction.atomic
def resend(*, invitation: Invitation, by: User, authority: Authority) -> Made:
    """Make another link for an invitation; the old one is dead.

    :raises Gone: it was accepted or revoked
    :raises NotPossible: too many mails were sent
    :raises delegation.MoreThanHeld: `authority` does not cover its roles
    """
    found = _pending(invitation)
    delegation.check(authority, found.grants)
    _may_be_mailed(found.organization, found.email, by)
    # Who sends it again vouches for it.
    found.invited_by, found.inviter = str(by), by
    token = _renewed(found)
    found.save()
    _record(found, "invitation.resent", by, days=found.days)
    return Made(found, token)


@transaction.atomic
def revoke(*, invitation: Invitation, by: User, authority: Authority) -> None:
    """Let nobody in by an invitation any more.

    :raises Gone: it was accepted or revoked
    :raises delegation.MoreThanHeld: `authority` does not cover its roles
    """
    found = _pending(invitation)
    delegation.check(authority, found.grants)
    found.revoke()
    _record(found, "invitation.revoked", by)


def find(wanted: str) -> Invitation | None:
    """Return the invitation that can be accepted by a token's digest, or None."""
    found = Invitation.objects.open().filter(digest=wanted, organization__deleted_at=None)
    return found.select_related("organization").prefetch_related("custom_roles").first() if wanted else None


def _held(wanted: str) -> Invitation:
    """Return the invitation of a digest, locked, so that of several who accept it one does.

    :raises Gone: there is none that can be accepted
    """
    found = find(wanted)
    if found is None:
        raise Gone
    members.lock(found.organization)
    locked = Invitation.objects.open().select_for_update().filter(pk=found.pk, digest=wanted).first()
    if locked is None or Organization.objects.open().filter(pk=found.organization_id).first() is None:
        raise Gone
    return locked


@transaction.atomic
def accept(*, wanted: str, user: User) -> Membership:
    """Let a person in, and use the invitation up.

    :raises Gone: it cannot be accepted any more
    :raises NotPossible: it is for another address (`NotForYou`), or the person is a member already
    """
    found = _held(wanted)
    organization = found.organization
    if found.email and found.email != user.email:
        raise NotForYou(found, user)
    if Membership.objects.owned_by(organization).filter(user=user).exists():
        raise NotPossible(f"You are a member of {organization.name} already.")
    membership = Membership.objects.create(organization=organization, user=user, roles=found.roles)
    membership.custom_roles.set(found.custom_roles.all())
    found.accepted_at, found.accepted_by = timezone.now(), user.email[:160]
    found.save(update_fields=["accepted_at", "accepted_by"])
    _record(found, "invitation.accepted", user, accepted_by=user.email, roles=membership.role_list)
    audit.record(
        organization=organization,
        by=user,
        action="member.added",
        target=membership,
        details={"email": user.email, "roles": membership.role_list, "invited_by": found.invited_by},
    )
    return membership


def refused(error: NotForYou, user: User) -> None:
    """Write down that somebody tried what is for another address; call it outside of what was undone."""
    _record(error.invitation, "invitation.refused", user, reason="another address", tried_by=user.email)


@transaction.atomic
def decline(*, wanted: str, user: User | None) -> None:
    """Say no to an invitation; it is used up.

    :raises Gone: it cannot be accepted any more
    """
    found = _held(wanted)
    found.revoke()
    _record(found, "invitation.declined", user)


@transaction.atomic
def bind(*, wanted: str, email: str) -> Made:
    """Turn a link that anybody may use into an invitation for an address, with a token of its own.

    Whoever opens a link without being signed in does not prove an address; the mail that this is for does.

    :raises Gone: there is no such link any more
    """
    found = _held(wanted)
    if found.email:
        raise Gone
    days, found.email = found.days, email
    until = found.expires_at
    token = _renewed(found)
    found.days, found.expires_at = days, until
    found.save()
    _record(found, "invitation.sent", None, through="link")
    return Made(found, token)


@transaction.atomic
def unbind(*, made: Made, wanted: str) -> None:
    """Make a link good again whose mail could not be sent."""
    bound = Invitation.objects.pending().filter(pk=made.invitation.pk, digest=made.invitation.digest)
    bound.update(email="", digest=wanted)
