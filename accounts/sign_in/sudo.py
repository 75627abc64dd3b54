"""Sudo mode: before what is dangerous, a person proves again who it is, at most fifteen minutes before."""

from allauth.account.internal.flows.reauthentication import did_recently_reauthenticate
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

from accounts.single_sign_on import sessions


def is_on(request: HttpRequest) -> bool:
    """Tell whether the person proved who it is a short while ago; a token of the API never can.

    Where an identity provider made the session, a fresh sign-in there is the proof. (For somebody without a password
    django-allauth would take any session for one.)
    """
    if sessions.is_confined(request):
        organization = getattr(request, "organization", None)
        return organization is not None and sessions.is_fresh(request, organization)
    return bool(did_recently_reauthenticate(request))


def ask(request: HttpRequest, back: str) -> HttpResponse:
    """Lead to the page that asks for a proof, and from there to `back`."""
    if sessions.is_confined(request):
        return sessions.lead(request, "sso_again", back, slug=request.organization.slug)  # type: ignore[attr-defined]
    url = f"{reverse('account_reauthenticate')}?{urlencode({'next': back})}"
    if request.htmx:  # type: ignore[attr-defined]
        return HttpResponse(status=401, headers={"HX-Redirect": url})
    return redirect(url)
