"""Where lists of links lead to: the place of a link, and the secret that it takes."""

from collections.abc import Mapping

from django.urls import reverse
from django.utils.http import urlencode

from accounts.access import OrgRequest
from accounts.roles import Permission
from external_secrets import browsing_uses
from external_secrets.browsing_search import Tag
from external_secrets.browsing_uses import Key
from external_secrets.models import ExternalSecret

# What rows of links need; nobody decrypts credentials for a list.
RELATED = ("cluster", "service", "access", "variant", "alias_of")
SEALED = ("cluster__kubeconfig", "access__credential")


def of_link(org: str, link: ExternalSecret) -> str:
    """Return the link's row on the page of its service or its namespace."""
    kwargs = {"org": org, "cluster": link.cluster.name}
    if link.service_id is not None:
        page = reverse("external_secrets:service", kwargs=kwargs | {"service": link.service_id})
    else:
        page = reverse("external_secrets:namespace", kwargs=kwargs | {"namespace": link.namespace})
    return f"{page}#link-{link.pk}"


def of_secret(org: str, link: ExternalSecret, names: Mapping[Key, str]) -> str:
    """Return the page of what a link takes: a secret's, or the names that several are taken from.

    `names` are those of the references that inventories know. What is read elsewhere than the access lists is nowhere.
    """
    access = {"access": str(link.access_id)}
    browse = reverse("external_secrets:browse", kwargs={"org": org})
    if link.takes == ExternalSecret.Takes.PATH:
        return f"{browse}?{urlencode(access | {'q': link.key})}"
    if link.takes == ExternalSecret.Takes.TAGS:
        tags = [Tag(name, str(value)).parameter for name, value in sorted(link.tags.items())]
        return f"{browse}?{urlencode(access | {'tag': tags}, doseq=True)}"
    name = names.get((link.access_id, link.key), link.key)
    moved = link.variant is not None and bool(link.variant.region or link.variant.role_arn)
    if (moved and name == link.key) or (name == link.key and browsing_uses.is_reference(name)):
        return ""
    show = reverse("external_secrets:secret", kwargs={"org": org})
    return f"{show}?{urlencode(access | {'name': name})}"


def browsed(request: OrgRequest, links: list[ExternalSecret]) -> list[ExternalSecret]:
    """Return the links whose secrets may be looked at; those are asked for that a page has."""
    if request.authority.everywhere(Permission.SECRET_BROWSE):
        return links
    return [
        link
        for link in links
        if request.allows(
            Permission.SECRET_BROWSE,
            cluster=link.cluster.name,
            namespace=link.namespace,
            secret=link.key or None,
        )
    ]


def names_of(links: list[ExternalSecret]) -> dict[Key, str]:
    """Return the names of the links' references, by one query at most."""
    return browsing_uses.names_of(
        (link.access_id, link.key) for link in links if browsing_uses.is_reference(link.key)
    )
