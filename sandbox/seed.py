"""The demo's people: one organization, one person of each role. Run by `manage.py shell` of the demo's console."""

from accounts.models import Organization, User
from accounts.organizations import services
from accounts.roles import Role
from sandbox import world

PEOPLE = {
    Role.OWNER: "Marie Rey",
    Role.ADMIN: "Jo Lindqvist",
    Role.DEVOPS: "Sam Okafor",
    Role.AUDITOR: "Ines Duarte",
    Role.VIEWER: "Kim Tran",
}


def seed() -> None:
    """Make what is not there yet."""
    if Organization.objects.filter(slug="acme").exists():
        return
    people = {
        role: User.objects.create_user(f"{role}@example.com", world.PASSWORD, name=name)
        for role, name in PEOPLE.items()
    }
    owner = people.pop(Role.OWNER)
    acme = services.create(name="Acme Platform", slug="acme", by=owner)
    for role, person in people.items():
        services.add_member(organization=acme, user=person, role=role, by=owner)
