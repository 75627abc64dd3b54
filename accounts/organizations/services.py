"""Making organizations, naming them anew, and bringing people in."""

from django.db import IntegrityError, transaction

from accounts.audit import services as audit
from accounts.organizations.models import CustomRole, Membership, Organization, User
from accounts.roles import Role, in_order


class SlugTaken(Exception):
    """Another organization has that address."""

    def __init__(self, slug: str) -> None:
        super().__init__(f"The address {slug} is taken. Choose another.")


@transaction.atomic
def create(*, name: str, slug: str, by: User) -> Organization:
    """Create an organization and make its creator the owner.

    :raises SlugTaken: another one has that address
    """
    try:
        with transaction.atomic():
            organization = Organization.objects.create(name=name, slug=slug)
    except IntegrityError as error:
        raise SlugTaken(slug) from error
    Membership.objects.create(organization=organization, user=by, roles=[Role.OWNER])
    audit.record(
        organization=organization,
        by=by,
        action="organization.created",
        target=organization,
        details={"name": name, "slug": slug},
    )
    return organization


@transaction.atomic
def rename(*, organization: Organization, name: str, slug: str, by: User) -> bool:
    """Give an organization another name or address, and return whether either differs.

    :raises SlugTaken: another one has that address
    """
    found = Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    before = {"name": found.name, "slug": found.slug}
    after = {"name": name, "slug": slug}
    changes = {field: [before[field], after[field]] for field in after if before[field] != after[field]}
    if not changes:
        return False
    found.name, found.slug = name, slug
    try:
        with transaction.atomic():
            found.save(update_fields=list(changes))
    except IntegrityError as error:
        raise SlugTaken(slug) from error
    audit.record(
        organization=found,
        by=by,
        action="organization.renamed",
        target=found,
        details={"changes": changes},
    )
    organization.name, organization.slug = name, slug
    return True


@transaction.atomic
def add_member(
    *,
    organization: Organization,
    user: User,
    role: Role | None = None,
    roles: tuple[str, ...] = (),
    custom_roles: tuple[CustomRole, ...] = (),
    by: User,
) -> Membership:
    """Add a person to an organization, with one role or several.

    :raises IntegrityError: that person is a member already
    """
    given = in_order([*roles, *([role] if role else [])])
    membership = Membership.objects.create(
        organization=organization, user=user, roles=[one.value for one in given]
    )
    membership.custom_roles.set(custom_roles)
    audit.record(
        organization=organization,
        by=by,
        action="member.added",
        target=membership,
        details={"email": user.email, "roles": membership.role_list},
    )
    return membership
