"""Changing what members may do, and taking them out. Whoever does it holds what they give and what they take."""

from collections.abc import Iterable

from django.db import transaction

from accounts import delegation
from accounts.audit import services as audit
from accounts.authority import Authority, Grant, built_in
from accounts.invitations.models import Invitation
from accounts.organizations.models import CustomRole, Membership, Organization, User
from accounts.roles import Role, in_order


class LastOwner(Exception):
    """An organization keeps an owner."""

    def __init__(self, organization: Organization) -> None:
        super().__init__(f"{organization.name} needs an owner. Make somebody else an owner first.")


class NoRole(Exception):
    """A member has at least one role."""

    def __init__(self) -> None:
        super().__init__("Choose at least one role; to take every role away, remove the person.")


def grants(roles: Iterable[str], custom_roles: Iterable[CustomRole]) -> list[Grant]:
    """Return what built-in and custom roles allow, strongest first."""
    return [*(built_in(role) for role in in_order(roles)), *(role.grant for role in custom_roles)]


def lock(organization: Organization) -> None:
    """Let no other transaction change who is in an organization; FOR NO KEY UPDATE leaves foreign keys free."""
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)


def locked(membership: Membership) -> Membership:
    """Return a member anew, as nobody else can change it until the transaction ends.

    :raises Membership.DoesNotExist: somebody removed it meanwhile
    """
    lock(membership.organization)
    found = Membership.objects.select_related("user", "organization").select_for_update(of=("self",))
    return found.get(pk=membership.pk, organization=membership.organization_id)


def keep_an_owner(membership: Membership) -> None:
    """Refuse to go on without another owner.

    :raises LastOwner: there is no other
    """
    others = Membership.objects.owned_by(membership.organization).owners().exclude(pk=membership.pk)
    if membership.is_owner and not others.exists():
        raise LastOwner(membership.organization)


@transaction.atomic
def change_roles(
    *,
    membership: Membership,
    roles: Iterable[str],
    custom_roles: Iterable[CustomRole],
    by: User,
    authority: Authority,
) -> bool:
    """Give a member other roles, and return whether they differ; it holds from the member's next request on.

    :raises NoRole: none is given
    :raises LastOwner: nobody would own the organization
    :raises delegation.MoreThanHeld: `authority` does not cover what the member had, or what is given
    """
    found = locked(membership)
    wanted, custom = in_order(roles), list(custom_roles)
    if not wanted and not custom:
        raise NoRole
    before, after = grants(found.roles, found.custom_roles.all()), grants(wanted, custom)
    if before == after:
        return False
    delegation.check(authority, [*before, *after])
    if Role.OWNER not in wanted:
        keep_an_owner(found)
    write(found, wanted, custom)
    no_longer_given([found], by=by)
    changes = {"roles": [[grant.role for grant in before], [grant.role for grant in after]]}
    audit.record(
        organization=found.organization,
        by=by,
        action="member.changed",
        target=found,
        details={"email": found.user.email, "changes": changes},
    )
    return True


def write(membership: Membership, roles: list[Role], custom_roles: list[CustomRole]) -> None:
    """Store roles, and forget what was read of the old ones."""
    membership.roles = [role.value for role in roles]
    membership.save(update_fields=["roles"])
    membership.custom_roles.set(custom_roles)
    membership.__dict__.pop("authority", None)


@transaction.atomic
def remove(*, membership: Membership, by: User, authority: Authority) -> None:
    """Take a member out, with their API tokens here and the invitations they sent that are still open.

    :raises LastOwner: nobody would own the organization
    :raises delegation.MoreThanHeld: `authority` does not cover the member's roles
    """
    found = locked(membership)
    delegation.check(authority, found.authority.layers[0])
    _take_out(found, "member.removed", by)


@transaction.atomic
def leave(*, membership: Membership) -> None:
    """Take oneself out.

    :raises LastOwner: nobody would own the organization
    """
    found = locked(membership)
    _take_out(found, "member.left", found.user)


def _take_out(membership: Membership, action: str, by: User) -> None:
    keep_an_owner(membership)
    details = {
        "email": membership.user.email,
        "roles": membership.role_list,
        "api_tokens": membership.tokens.usable().count(),
        "invitations": _revoke(_sent_by(membership), by),
    }
    audit.record(
        organization=membership.organization, by=by, action=action, target=membership, details=details
    )
    if membership.user.is_machine:
        membership.user.delete()
    else:
        membership.delete()


def _sent_by(membership: Membership) -> list[Invitation]:
    sent = Invitation.objects.owned_by(membership.organization).pending().filter(inviter=membership.user)
    return list(sent.prefetch_related("custom_roles"))


def no_longer_given(memberships: Iterable[Membership], *, by: User) -> None:
    """Revoke the invitations of members to roles that these could not give any more."""
    for member in memberships:
        sent = _sent_by(member)
        _revoke([one for one in sent if delegation.may_give(member.authority, one.grants)], by)


def _revoke(invitations: list[Invitation], by: User) -> int:
    """Revoke invitations whose sender lost what they give, and return how many."""
    for one in invitations:
        one.revoke()
        audit.record(
            organization=one.organization,
            by=by,
            action="invitation.revoked",
            target=one,
            details={"email": one.email, "reason": f"{one.invited_by} may no longer give these roles"},
        )
    return len(invitations)


@transaction.atomic
def hand_over(*, membership: Membership, to: Membership) -> None:
    """Make another member the owner and the one who was an admin, both or neither.

    :raises ValueError: the one is no owner, or the other is nobody to whom it can be handed over
    """
    lock(membership.organization)
    old, new = locked(membership), locked(to)
    if not old.is_owner or old.pk == new.pk or new.user.is_machine or not new.user.is_active:
        raise ValueError("An owner hands an organization over to another person who can sign in.")
    before = {"new": new.role_list, "old": old.role_list}
    write(new, in_order([*new.roles, Role.OWNER]), list(new.custom_roles.all()))
    rest = [role for role in old.roles if role != Role.OWNER]
    write(old, in_order([*rest, Role.ADMIN]), list(old.custom_roles.all()))
    no_longer_given([old], by=old.user)
    audit.record(
        organization=old.organization,
        by=old.user,
        action="organization.transferred",
        target=new,
        details={
            "from": old.user.email,
            "to": new.user.email,
            "changes": {
                f"roles of {new.user.email}": [before["new"], new.role_list],
                f"roles of {old.user.email}": [before["old"], old.role_list],
            },
        },
    )
