"""Making organizations and bringing people in."""

from django.db import transaction

from accounts.audit import services as audit
from accounts.organizations.models import Membership, Organization, User
from accounts.roles import Role


@transaction.atomic
def create(*, name: str, slug: str, by: User) -> Organization:
    """Create an organization and make its creator the owner."""
    organization = Organization.objects.create(name=name, slug=slug)
    Membership.objects.create(organization=organization, user=by, roles=[Role.OWNER])
    audit.record(organization=organization, by=by, action="organization.created", target=organization)
    return organization


@transaction.atomic
def add_member(*, organization: Organization, user: User, role: Role, by: User) -> Membership:
    """Add a person to an organization.

    :raises IntegrityError: that person is a member already
    """
    membership = Membership.objects.create(organization=organization, user=user, roles=[role])
    audit.record(
        organization=organization,
        by=by,
        action="member.added",
        target=membership,
        details={"email": user.email, "roles": [role.value]},
    )
    return membership
