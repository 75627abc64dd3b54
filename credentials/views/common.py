"""What the pages of credentials have in common."""

from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import NoReverseMatch, reverse
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.access import OrgRequest
from accounts.roles import Permission, who_may
from credentials import clouds, consequences, issuer
from credentials.clouds.base import Facts, Helped
from credentials.models import CloudCredential

# What is said where the users are not all for the one who asks to know.
IN_USE = (
    "The new values are of another account, and it is used in its own, partly where your roles do not reach."
)


def find(request: OrgRequest, name: str) -> CloudCredential:
    """Return one of the organization's credentials by its name, or answer 404."""
    owned = CloudCredential.objects.within(
        request.organization, request.authority, Permission.CREDENTIAL_VIEW
    )
    return get_object_or_404(owned, name=name)


def url(request: OrgRequest, credential: CloudCredential, page: str = "detail") -> str:
    """Return the address of a page of a credential."""
    kwargs = {"org": request.organization.slug, "credential": credential.name}
    return reverse(f"credentials:{page}", kwargs=kwargs)


def rotate_url(request: OrgRequest, name: str) -> str:
    """Return the address of the guided rotation, or nothing where there is none."""
    try:
        return reverse("clusters:rotate", kwargs={"org": request.organization.slug, "credential": name})
    except NoReverseMatch:
        return ""


def rights(request: OrgRequest) -> dict[str, Any]:
    return {
        "can_manage": request.allows(Permission.CREDENTIAL_MANAGE),
        "who_may_manage": who_may(Permission.CREDENTIAL_MANAGE),
    }


def described(credential: CloudCredential) -> dict[str, Any]:
    """Return what all pages of one credential show."""
    cloud = clouds.CLOUDS.get(credential.cloud)
    return {
        "credential": credential,
        "cloud": cloud,
        "method": cloud.method(credential.method) if cloud else None,
        "facts": cloud.describe(credential.facts) if cloud else [],
    }


def asker(request: OrgRequest) -> consequences.Asker:
    return consequences.Asker(request.organization, request.authority)


def helped(request: OrgRequest, facts: Facts) -> Helped:
    """Return what set-up help of this organization is filled in with."""
    return Helped(
        subject=issuer.subject(request.organization),
        issuer=issuer.address(),
        base_url=issuer.address(),
        facts=facts,
    )


def sent(request: HttpRequest) -> tuple[Any, Any]:
    """Return what a form was sent with, or nothing when it was not."""
    return (request.POST, request.FILES) if request.method == "POST" else (None, None)


def own_path(request: HttpRequest) -> str:
    """Return the page of this console that `next` names, or nothing."""
    back = request.GET.get("next", "")
    here = back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    return back if here else ""
