"""Whom an identity provider's word means in its organization, and what comes of a refused sign-in."""

from dataclasses import dataclass

from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.audit import services as audit
from accounts.invitations import services as invitations
from accounts.invitations.models import Invitation
from accounts.organizations.models import Membership, User
from accounts.single_sign_on.models import Identity, IdentityProvider
from accounts.single_sign_on.oidc import Claims
from accounts.single_sign_on.reasons import Reason, Refused

# So many refusals are written down for an organization in an hour: an attempt costs a stranger nothing.
WRITTEN, SECONDS = 60, 3600
BY = {"by": "single sign-on"}


@dataclass(frozen=True, slots=True)
class Found:
    """Who it is: a member, or somebody new whom an invitation or the default role lets in."""

    user: User | None
    invitation: Invitation | None = None
    known: bool = False


def who(provider: IdentityProvider, claims: Claims) -> Found:
    """Return whom a provider means. Nothing is written.

    An existing person is meant only where that person is a member of the provider's organization: what the provider of
    one organization says can't reach the people of another.

    :raises Refused: nobody who may come in
    """
    _check_domain(provider, claims)
    identity = Identity.objects.filter(
        organization=provider.organization_id, issuer=claims.issuer, subject=claims.subject
    )
    known = identity.select_related("user").first()
    if known is not None:
        return Found(_member(provider, known.user), known=True)
    if not claims.email:
        raise Refused(Reason.NO_EMAIL)
    if not claims.email_verified:
        raise Refused(Reason.EMAIL_UNVERIFIED)
    user = User.objects.filter(email=claims.email).first()
    if user is None:
        return Found(None, invitation=_invited(provider, claims))
    member = _member(provider, user)
    if Identity.objects.filter(organization=provider.organization_id, user=user).exists():
        # The address was given to somebody else, or the account was made anew: an owner decides.
        raise Refused(Reason.OTHER_SUBJECT)
    return Found(member)


def _check_domain(provider: IdentityProvider, claims: Claims) -> None:
    domain = claims.email.rpartition("@")[2]
    if claims.email and not provider.domains.filter(name=domain).exists():
        raise Refused(Reason.EMAIL_OUTSIDE)


def _member(provider: IdentityProvider, user: User) -> User:
    if user.is_machine or not user.memberships.filter(organization=provider.organization_id).exists():
        raise Refused(Reason.NOT_A_MEMBER)
    if not user.is_active:
        raise Refused(Reason.DEACTIVATED)
    return user


def _invited(provider: IdentityProvider, claims: Claims) -> Invitation | None:
    """Return the invitation of somebody new, or None where the default role lets in.

    :raises Refused: neither
    """
    sent = Invitation.objects.owned_by(provider.organization).open()
    invitation = sent.filter(email__iexact=claims.email).order_by("created_at").last()
    if invitation is None and not provider.default_role:
        raise Refused(Reason.NOT_A_MEMBER)
    return invitation


@transaction.atomic
def admit(provider: IdentityProvider, claims: Claims) -> User:
    """Return the person that a provider means, who is remembered, and made a member where that is due.

    :raises Refused: nobody who may come in
    """
    found = who(provider, claims)
    user = found.user or _newcomer(provider, claims, found.invitation)
    now = timezone.now()
    try:
        with transaction.atomic():
            Identity.objects.update_or_create(
                organization=provider.organization,
                issuer=claims.issuer,
                subject=claims.subject,
                defaults={"last_used_at": now},
                create_defaults={"user": user, "last_used_at": now},
            )
    except IntegrityError:
        raise Refused(Reason.OTHER_SUBJECT) from None
    audit.record(
        organization=provider.organization,
        by=user,
        action="sign_in.succeeded",
        target=user,
        details=BY | {"issuer": claims.issuer, "second_factor": claims.factor, "first_time": not found.known},
    )
    return user


def _newcomer(provider: IdentityProvider, claims: Claims, invitation: Invitation | None) -> User:
    """Make a person and a member of the organization."""
    try:
        with transaction.atomic():
            user = User.objects.create_user(email=claims.email, name=claims.name or claims.email[:120])
    except IntegrityError:
        raise Refused(Reason.NOT_A_MEMBER) from None
    if invitation is not None:
        try:
            invitations.accept(wanted=invitation.digest, user=user)
        except (invitations.Gone, invitations.NotPossible):
            raise Refused(Reason.NOT_A_MEMBER) from None
        return user
    roles = [provider.default_role]
    membership = Membership.objects.create(organization=provider.organization, user=user, roles=roles)
    audit.record(
        organization=provider.organization,
        by=user,
        action="member.added",
        target=membership,
        details=BY | {"email": user.email, "roles": roles},
    )
    return user


def refused(provider: IdentityProvider, reason: Reason) -> None:
    """Write down that somebody was refused, at most sixty times an hour."""
    key = f"sso-refused:{provider.organization_id}"
    cache.add(key, 0, SECONDS)
    try:
        times = cache.incr(key)
    except ValueError:
        times = 1
    if times <= WRITTEN:
        audit.record(
            organization=provider.organization,
            by=None,
            action="sign_in.refused",
            target=provider.organization,
            details=BY | {"reason": reason.value},
        )
