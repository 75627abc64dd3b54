"""The steps at Azure, as numbered cards, for each way to sign in."""

from credentials.clouds.azure import Place, of, roles, script
from credentials.clouds.base import Card, Helped, Listing


def federation(helped: Helped) -> tuple[Card, ...]:
    """Return the steps to an app registration that trusts this console's tokens."""
    place = of(helped.facts)
    trust = roles.federated_credential(helped.issuer, helped.subject, place.audience)
    return (
        _run(script.FEDERATION, helped, place, "a federated credential, so that no secret is needed"),
        _copy("Tenant ID, Client ID and Subscription ID"),
        Card(
            "Or do the same without the script",
            "By az, or in the app registration, under Certificates & secrets, Federated credentials, Other issuer. All "
            "three are compared letter by letter. They let nobody in but this organization of this console.",
            (
                _commands(script.FEDERATION, helped),
                Listing("the issuer", helped.issuer),
                Listing("the subject", helped.subject),
                Listing("the audience", place.audience),
                Listing("the federated credential", trust, "keyhaven-federation.json"),
            ),
            ("Open app registrations", _apps(place)),
            beside=True,
        ),
    )


def secret(helped: Helped) -> tuple[Card, ...]:
    """Return the steps to an app registration with a client secret, and to the next secret."""
    place, client = of(helped.facts), helped.facts.get("client", "CLIENT_ID")
    return (
        _run(script.SECRET, helped, place, "a client secret that is good for a year"),
        _copy(
            "Tenant ID, Client ID, Subscription ID and the secret's value, with the day on which it expires"
        ),
        Card(
            "Or do the same without the script",
            "By az, or in the app registration, under Certificates & secrets. Azure shows the secret's value once.",
            (_commands(script.SECRET, helped),),
            ("Open app registrations", _apps(place)),
            beside=True,
        ),
        Card(
            "Later: replace the secret without a gap",
            "An app registration may have several secrets. Make a second one, test and save it here, and when "
            "everything that uses this credential has moved, delete the first in Azure, under Certificates & secrets.",
            (Listing("the command for a second secret", script.secret_line(client)),),
            beside=True,
        ),
    )


def _run(way: str, helped: Helped, place: Place, what: str) -> Card:
    return Card(
        "Run this in Azure Cloud Shell",
        f"As an owner of the subscription who may register apps. It makes an app registration named {roles.APP}, "
        f"{what}, and a custom role of {len(roles.ACTIONS)} actions, assigned on the subscription. It may be run again.",
        (
            Listing("the command", script.command(way, helped)),
            Listing("the script", script.SCRIPT.text, script.FILE),
        ),
        ("Open Cloud Shell", f"{place.portal}/#cloudshell/"),
    )


def _commands(way: str, helped: Helped) -> Listing:
    return Listing("the az commands", script.listing(way, helped))


def _copy(what: str) -> Card:
    return Card(
        "Copy what it prints",
        f"Enter {what} below. They stand on the app registration's overview too, and the subscription's on its own.",
    )


def _apps(place: Place) -> str:
    return f"{place.portal}/#view/Microsoft_AAD_RegisteredApps/ApplicationsListBlade"
