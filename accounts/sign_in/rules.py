"""What an organization asks of its members' signing in, looked at with each request."""

from typing import Any

from allauth.account.internal.flows.login import get_authentication_records
from django.apps import apps
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import urlencode

from accounts.organizations.models import Membership, Organization
from accounts.single_sign_on import sessions

# What counts as a second factor of one's own; recovery codes only stand in for one.
FACTORS = ("totp", "webauthn")


def unmet(request: HttpRequest, membership: Membership) -> HttpResponse | None:
    """Return the answer that leads to what is missing, a second factor or single sign-on, or None.

    A session that an identity provider made is let into its own organization alone. API tokens don't come here.
    """
    organization, proof = membership.organization, sessions.proof(request, membership.organization)
    if sessions.is_confined(request) and proof is None:
        return sessions.lead(request, "sso_elsewhere", _back(request))
    if organization.sso_required and proof is None and not (membership.is_owner and showed_factor(request)):
        return sessions.lead(request, "sso_needed", _back(request), slug=organization.slug)
    if organization.second_factor_required and not has_factor(request, organization):
        return _to_factor(request, organization)
    return None


def _back(request: HttpRequest) -> str:
    if request.htmx:  # type: ignore[attr-defined]
        return request.htmx.current_url_abs_path or "/"  # type: ignore[attr-defined]
    return request.get_full_path() if request.method in ("GET", "HEAD") else "/"


def showed_factor(request: HttpRequest) -> bool:
    """Tell whether the person showed a second factor, or a passkey, to this console in this session, and has one still:
    who removes it has none, whatever was shown before."""
    records = get_authentication_records(request, request.user)
    return any(record.get("method") == "mfa" for record in records) and _has_any(request)


def has_factor(request: HttpRequest, organization: Organization) -> bool:
    """Tell whether the session counts as one with a second factor in an organization: its own, or its provider's."""
    proof = sessions.proof(request, organization)
    return bool(proof and proof["factor"]) or (not sessions.is_confined(request) and showed_factor(request))


def _to_factor(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Lead to where a second factor is shown or set up; single sign-on has its own page for it."""
    if sessions.is_confined(request):
        return sessions.lead(request, "sso_needed", _back(request), slug=organization.slug)
    url = f"{factor_page(request)}?{urlencode({'next': _back(request)})}"
    if request.htmx:  # type: ignore[attr-defined]
        return HttpResponse(status=401, headers={"HX-Redirect": url})
    if request.method == "GET":
        messages.info(request, f"{organization.name} asks its members for a second factor.")
    return HttpResponse(status=302, headers={"Location": url})


def factor_page(request: HttpRequest) -> str:
    """Return the page where the person shows the second factor that is there, or sets one up."""
    return reverse("account_show_factor" if _has_any(request) else "account_factors")


def _has_any(request: HttpRequest) -> bool:
    return bool(factors(Membership.objects.filter(user=request.user.pk)).exists())


def factors(members: QuerySet[Membership]) -> QuerySet[Any]:
    """Return the second factors of some members."""
    if not apps.is_installed("allauth.mfa"):
        return members.none()
    from allauth.mfa.models import Authenticator  # noqa: PLC0415  where it is installed

    found: QuerySet[Any] = Authenticator.objects.filter(user__in=members.values("user"), type__in=FACTORS)
    return found


def without_factor(members: QuerySet[Membership]) -> QuerySet[Membership]:
    """Keep the members who have no second factor of their own."""
    if not apps.is_installed("allauth.mfa"):
        return members
    return members.exclude(user__in=factors(members).values("user"))
