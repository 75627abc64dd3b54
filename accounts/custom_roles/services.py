"""Making, changing and deleting custom roles. Whoever does it holds all that the role allows, before and after."""

from dataclasses import dataclass

from django.db import IntegrityError, transaction

from accounts import delegation
from accounts.audit import services as audit
from accounts.authority import Authority
from accounts.custom_roles import rules
from accounts.custom_roles.rules import Wanted
from accounts.invitations.models import Invitation
from accounts.members import services as members
from accounts.organizations.models import CustomRole, Membership, Organization, User
from accounts.tokens.models import ApiToken

FIELDS = ("name", "description", "permissions", "clusters", "namespaces", "prefixes")
MOST_ROLES = 100


class Invalid(Exception):
    """A role that cannot be; `problems` says by the field why."""

    def __init__(self, problems: dict[str, str]) -> None:
        self.problems = problems
        super().__init__(" ".join(problems.values()))


class NameTaken(Exception):
    """Another role of the organization has that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is a role {name} already.")


class Changed(Exception):
    """Somebody else changed the role meanwhile."""

    def __init__(self) -> None:
        super().__init__("Somebody changed this role while you edited it. Below is what it is now.")


@dataclass(frozen=True, slots=True)
class Holders:
    """Who has a role: members, API tokens, and open invitations."""

    members: list[Membership]
    tokens: list[ApiToken]
    invitations: list[Invitation]

    def __bool__(self) -> bool:
        return bool(self.members or self.tokens or self.invitations)


def holders(role: CustomRole) -> Holders:
    """Return who has a role, in three queries."""
    return Holders(
        list(role.memberships.select_related("user").order_by("user__name", "pk")),
        list(ApiToken.objects.usable().filter(custom_roles=role).select_related("membership__user")),
        list(Invitation.objects.open().filter(custom_roles=role)),
    )


def as_wanted(role: CustomRole) -> Wanted:
    """Return what a stored role is."""
    return Wanted(
        name=role.name,
        description=role.description,
        permissions=rules.complete(role.permissions),
        clusters=tuple(role.clusters),
        namespaces=tuple(role.namespaces),
        prefixes=tuple(role.prefixes),
    )


def _plain(wanted: Wanted) -> dict[str, object]:
    """Return the fields as they are stored and written into the audit log."""
    values = {name: getattr(wanted, name) for name in FIELDS}
    return {name: list(map(str, one)) if isinstance(one, tuple) else one for name, one in values.items()}


def _check(wanted: Wanted, authority: Authority) -> None:
    if problems := rules.problems(wanted):
        raise Invalid(problems)
    delegation.check(authority, [wanted.grant])


@transaction.atomic
def create(*, organization: Organization, wanted: Wanted, by: User, authority: Authority) -> CustomRole:
    """Make a role.

    :raises Invalid: it cannot be, or there are too many
    :raises NameTaken: another role has that name
    :raises delegation.MoreThanHeld: `authority` does not cover it
    """
    _check(wanted, authority)
    members.lock(organization)
    if CustomRole.objects.owned_by(organization).count() >= MOST_ROLES:
        raise Invalid({"name": f"There are {MOST_ROLES} roles already. Delete one that nobody has."})
    try:
        with transaction.atomic():
            role = CustomRole.objects.create(organization=organization, **_plain(wanted))
    except IntegrityError as error:
        raise NameTaken(wanted.name) from error
    audit.record(organization=organization, by=by, action="role.created", target=role, details=_plain(wanted))
    return role


@transaction.atomic
def change(*, role: CustomRole, wanted: Wanted, seen_version: int, by: User, authority: Authority) -> bool:
    """Change a role, for everybody who has it from their next request on; return whether it differs.

    :raises Changed: it is no longer the version that was seen
    :raises Invalid: it cannot be
    :raises NameTaken: another role has that name
    :raises delegation.MoreThanHeld: `authority` does not cover what it was, or what it becomes
    """
    found = _locked(role)
    if found.version != seen_version:
        raise Changed
    before, after = _plain(as_wanted(found)), _plain(wanted)
    changes = {name: [before[name], after[name]] for name in FIELDS if before[name] != after[name]}
    if not changes:
        return False
    delegation.check(authority, [found.grant])
    _check(wanted, authority)
    for name, value in after.items():
        setattr(found, name, value)
    found.version += 1
    try:
        with transaction.atomic():
            found.save()
    except IntegrityError as error:
        raise NameTaken(wanted.name) from error
    audit.record(
        organization=found.organization,
        by=by,
        action="role.changed",
        target=found,
        details={"changes": changes},
    )
    members.no_longer_given(_inviting(found), by=by)
    return True


def _inviting(role: CustomRole) -> list[Membership]:
    """Return those who have a role and sent invitations that are still open, as they are now."""
    pending = Invitation.objects.owned_by(role.organization).pending().exclude(inviter=None)
    having = role.memberships.filter(user__in=pending.values("inviter")).select_related(
        "user", "organization"
    )
    return list(having)


def _locked(role: CustomRole) -> CustomRole:
    """Return a role anew, locked.

    :raises CustomRole.DoesNotExist: somebody deleted it meanwhile
    """
    members.lock(role.organization)
    return CustomRole.objects.select_for_update().get(pk=role.pk, organization=role.organization_id)


@transaction.atomic
def delete(*, role: CustomRole, by: User, authority: Authority) -> None:
    """Delete a role and take it from everybody who has it.

    :raises delegation.MoreThanHeld: `authority` does not cover it
    """
    found = _locked(role)
    delegation.check(authority, [found.grant])
    held = holders(found)
    details = _plain(as_wanted(found)) | {
        "members": [one.user.email for one in held.members],
        "api_tokens": [one.name for one in held.tokens],
        "invitations": [str(one) for one in held.invitations],
    }
    audit.record(organization=found.organization, by=by, action="role.deleted", target=found, details=details)
    inviting = _inviting(found)
    found.delete()
    members.no_longer_given(inviting, by=by)
