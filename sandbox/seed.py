"""The demo's people: one organization, one person of each role, and one of a role of its own; and its built-in store.

Run by `manage.py shell` of the demo's console.
"""

from accounts.custom_roles import rules
from accounts.custom_roles import services as custom_roles
from accounts.models import CustomRole, Organization, User
from accounts.organizations import services, tags
from accounts.roles import Role
from built_in import services as built_in
from built_in import switching
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
# What is put on every secret that is made from the console.
TAGS = {"team": "platform", "made-by": "keyhaven"}
# In the built-in store: name → what it is.
STORED = {
    "shop/smtp-password": "Signs in to the mail relay",
    "shop/stripe-webhook": "Signs what Stripe sends to the shop",
    "billing/pdf-signing-key": "Signs invoices",
}


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


def _built_in_store(acme: Organization, owner: User) -> None:
    """Turn the built-in store on and put a few secrets in it; what is made from now on gets default tags."""
    switching.turn(organization=acme, on=True, by=owner)
    for name, description in STORED.items():
        built_in.create(
            organization=acme,
            name=name,
            value=world.value(name),
            tags=TAGS,
            by=str(owner),
            description=description,
        )
    tags.change(organization=acme, wanted=TAGS, by=owner)


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
    _built_in_store(acme, owner)
