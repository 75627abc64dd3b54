"""The demo's people: one organization, one person of each role, and one of a role of its own. Run by `manage.py shell` of the demo's console."""

from accounts.custom_roles import rules
from accounts.custom_roles import services as custom_roles
from accounts.models import CustomRole, Organization, User
from accounts.organizations import services
from accounts.roles import Role
from credentials.models import Subject
from sandbox import world

PEOPLE = {
    Role.OWNER: "Marie Rey",
    Role.ADMIN: "Jo Lindqvist",
    Role.DEVOPS: "Sam Okafor",
    Role.AUDITOR: "Ines Duarte",
    Role.VIEWER: "Kim Tran",
}
DEVELOPER = "Robin Vale"


def _shop_developer(acme: Organization, owner: User) -> CustomRole:
    """Make the example of a role that is limited: the shop, on staging."""
    wanted = rules.Wanted(
        name="Shop developer",
        description="Links secrets in the shop's namespaces on staging",
        permissions=rules.complete(["secret:browse", "external_secret:manage"]),
        clusters=("staging", "staging-*"),
        namespaces=("shop", "shop-*"),
    )
    authority = owner.memberships.get(organization=acme).authority
    return custom_roles.create(organization=acme, wanted=wanted, by=owner, authority=authority)


def seed(subject: str) -> None:
    """Make what is not there yet; `subject` is by what name the clouds know the organization."""
    if Organization.objects.filter(slug="acme").exists():
        return
    people = {
        role: User.objects.create_user(f"{role}@example.com", world.PASSWORD, name=name)
        for role, name in PEOPLE.items()
    }
    owner = people.pop(Role.OWNER)
    acme = services.create(name="Acme Platform", slug="acme", by=owner)
    Subject.objects.filter(organization=acme).update(name=subject)
    for role, person in people.items():
        services.add_member(organization=acme, user=person, role=role, by=owner)
    developer = User.objects.create_user("developer@example.com", world.PASSWORD, name=DEVELOPER)
    shop = _shop_developer(acme, owner)
    services.add_member(organization=acme, user=developer, custom_roles=(shop,), by=owner)
