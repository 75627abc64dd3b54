"""Azure's separate clouds: where one signs in, asks, and looks. An identity is good in its own one only."""

from dataclasses import dataclass

from django.conf import settings

from credentials.clouds import errors
from credentials.clouds.base import Facts


@dataclass(frozen=True, slots=True)
class Place:
    """One of Azure's clouds; `slug` is what `az cloud` calls it. `audience` is whom a token of ours is for, to be exchanged there."""

    slug: str
    label: str
    login: str
    arm: str
    portal: str
    audience: str

    @property
    def sign_in_url(self) -> str:
        return str(settings.AZURE_ENDPOINT_URL) or self.login

    @property
    def arm_url(self) -> str:
        return str(settings.AZURE_ENDPOINT_URL) or self.arm


GLOBAL = Place(
    slug="AzureCloud",
    label="Azure",
    login="https://login.microsoftonline.com",
    arm="https://management.azure.com",
    portal="https://portal.azure.com",
    audience="api://AzureADTokenExchange",
)
PLACES: dict[str, Place] = {
    place.slug: place
    for place in (
        GLOBAL,
        Place(
            slug="AzureUSGovernment",
            label="Azure US Government",
            login="https://login.microsoftonline.us",
            arm="https://management.usgovcloudapi.net",
            portal="https://portal.azure.us",
            audience="api://AzureADTokenExchangeUSGov",
        ),
        Place(
            slug="AzureChinaCloud",
            label="Azure operated by 21Vianet (China)",
            login="https://login.partner.microsoftonline.cn",
            arm="https://management.chinacloudapi.cn",
            portal="https://portal.azure.cn",
            audience="api://AzureADTokenExchangeChina",
        ),
    )
}


def of(facts: Facts) -> Place:
    """Return the cloud of an identity with these facts.

    :raises NotPossibleHere: this version of the console does not know it
    """
    found = PLACES.get(facts.get("environment") or GLOBAL.slug)
    if found is None:
        raise errors.NotPossibleHere(
            "This version of Keyhaven does not know this Azure cloud.", "Update Keyhaven."
        )
    return found
