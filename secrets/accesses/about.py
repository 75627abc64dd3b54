"""What is told of an access where it is shown: where its secrets are, and whose identity the cluster signs in with."""

from dataclasses import dataclass

from django.urls import NoReverseMatch, reverse

from accesses.models import Access, Identity
from accesses.providers import Method, Provider, tokens
from credentials.clouds.aws import regions as aws_regions
from credentials.clouds.google import regions as google_regions
from credentials.models import CloudCredential

# What a configuration and an `Identity` call the identity that is signed in to.
_NAMED = ("role_arn", "service_account", "email", "client")
_PROJECT = ("project", "project_id")
_AS = "As "


@dataclass(frozen=True, slots=True)
class Who:
    """An identity: its name as the cloud knows it, or empty, and what is to be said of it."""

    name: str = ""
    text: str = ""

    @property
    def account(self) -> str:
        """The AWS account or the Google project that it belongs to, as far as its name tells."""
        parts = self.name.split(":")
        if parts[0] == "arn" and len(parts) > 5:
            return parts[4]
        _, _, domain = self.name.partition("@")
        return (
            domain.removesuffix(".iam.gserviceaccount.com") if domain.endswith(".gserviceaccount.com") else ""
        )


def identities_of(accesses: list[Access]) -> dict[object, Identity]:
    """Return what automatic mode has made for these accesses, by their ids, with one query."""
    return {one.access_id: one for one in Identity.objects.filter(access_id__in=[a.pk for a in accesses])}


def place(access: Access, provider: Provider) -> tuple[str, str]:
    """Return where its secrets are as (label, text): a region with its city, a project, a vault, or an address; else two empty strings."""
    configuration = access.configuration
    region = configuration.get("region", "")
    if provider.cloud == "aws" and region:
        return "Region", aws_regions.city("secretsmanager", region)
    if provider.cloud == "azure":
        return "Key vault", configuration.get("vault", "")
    project = _first(configuration, _PROJECT)
    if project:
        return "Project", f"{project} · {google_regions.city(region)}" if region else project
    if provider.typed_address and configuration.get("address"):
        return "Address", configuration["address"]
    return ("Region", region) if region else ("", "")


def who(access: Access, method: Method | None, made: Identity | None) -> Who:
    """Return the identity that the cluster signs in with, as far as it is known by now."""
    if method is not None and method.slug == "ambient":
        return Who(text="The operator's own")
    if method is not None and method.rehearse is not None:
        name = _first(made.facts, _NAMED) if made else ""
        return Who(name) if name else Who(text="The next deploy makes it")
    named = _first(access.configuration, _NAMED)
    if not named and access.cloud_credential is not None:
        named = access.cloud_credential.identity
    named = named or _signed_in_as(access)
    return Who(named) if named else Who(text="Not signed in yet")


def _first(facts: dict[str, str], names: tuple[str, ...]) -> str:
    return next((str(facts[name]) for name in names if facts.get(name)), "")


def _signed_in_as(access: Access) -> str:
    """Return as whom the last test signed in, or an empty string."""
    for fact in access.result.get("facts", ()):
        text = str(fact.get("text", ""))
        if fact.get("label") == "Sign in" and fact.get("ok") and text.startswith(_AS):
            return text.removeprefix(_AS)
    return ""


def subject(access: Access, method: Method | None) -> str:
    """Return what a trust policy names, `system:serviceaccount:NAMESPACE:NAME`, or nothing when it has no ServiceAccount."""
    return tokens.subject(access) if method is not None and method.annotations is not None else ""


def account(access: Access, provider: Provider, known: Who) -> str:
    """Return the account or project of its identity; what a deploy makes, it makes in the cluster's own."""
    if known.account or access.method != "automatic":
        return known.account
    return access.cluster.account if access.cluster.cloud == provider.cloud else ""


def credential_url(organization: str, credential: CloudCredential | None) -> str:
    """Return the page of a cloud credential, or nothing when there is none."""
    if credential is None:
        return ""
    try:
        return reverse("credentials:detail", kwargs={"org": organization, "credential": credential.name})
    except NoReverseMatch:
        return ""
