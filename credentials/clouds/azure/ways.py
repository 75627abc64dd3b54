"""The ways to sign in to Azure with a stored credential, and whose it is."""

import ipaddress
from urllib.parse import urlsplit

from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from credentials.clouds import azure, errors
from credentials.clouds.azure import wire
from credentials.clouds.base import Facts, Obstacle, Secret

_READ = "Microsoft.Resources/subscriptions/read"
_VERSION = "2022-12-01"
# Names that only an inside network knows.
_INSIDE = (".local", ".internal", ".localhost", ".lan", ".home.arpa", ".test", ".svc")


@sensitive_variables()
def by_secret(secret: Secret, facts: Facts) -> azure.Identity:
    """Return the service principal of a stored client secret.

    :raises CredentialRefused: there is none
    """
    if not secret.get("client_secret"):
        raise errors.CredentialRefused("There is no client secret.", "Enter it.")
    return azure.by_secret(azure.of(facts), facts["tenant"], facts["client"], secret["client_secret"])


def by_federation(secret: Secret, facts: Facts) -> azure.Identity:
    """Return the service principal whose federated credential trusts the organization's tokens."""
    # Its rows are there once Django is; what a cloud is can be asked before.
    from credentials import issuer

    place, subject = azure.of(facts), facts["subject"]
    return azure.by_assertion(
        place,
        facts["tenant"],
        facts["client"],
        facts["issuer"],
        subject,
        lambda: issuer.token(place.audience, subject),
    )


@sensitive_variables()
def identify_secret(secret: Secret, given: Facts) -> Facts:
    return _identified(by_secret(secret, given), given)


def identify_federation(secret: Secret, given: Facts) -> Facts:
    return _identified(by_federation(secret, given), given)


def _identified(identity: azure.Identity, given: Facts) -> Facts:
    """Sign in, look at the subscription, and return both."""
    api, subscription = azure.arm(identity), given["subscription"]
    with wire.budget():
        found = api.call("GET", f"/subscriptions/{subscription}", _READ, _VERSION)
        of = azure.object_of(identity.token(api.scope))
    if str(found.get("subscriptionId")).lower() != subscription:
        raise wire.not_azure()
    return {
        "environment": identity.place.slug,
        "tenant": given["tenant"],
        "client": given["client"],
        "object": of,
        "subscription": subscription,
        "subscription_name": str(found.get("displayName") or "")[:128],
    }


def obstacle() -> Obstacle | None:
    """Return why Entra cannot trust this console: it reads the issuer's keys over the internet, and takes no others."""
    if settings.AZURE_ENDPOINT_URL or _is_public(settings.BASE_URL):
        return None
    return Obstacle(
        "Entra fetches the keys of this console over the internet, by HTTPS, and its address (BASE_URL) is "
        f"{settings.BASE_URL}.",
        "Give the console a public HTTPS address, of which /.well-known/ is enough, and set BASE_URL to it; or use "
        "a client secret.",
    )


def _is_public(url: str) -> bool:
    """Tell whether an address is likely to be reached from the internet; its name is not looked up."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme != "https":
        return False
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith(_INSIDE)
