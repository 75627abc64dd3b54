"""Sudo mode: before what is dangerous, a person proves again who it is, at most fifteen minutes before.

Signing in is a proof. The rule is the same for GET and POST, there is no grace, and nothing that was typed is ever put
aside by the server: with JavaScript a dialog asks before the form is sent, without it the page asks when it is opened.
"""

import time

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

from accounts.organizations.models import User
from accounts.sign_in import records
from accounts.single_sign_on import sessions

SECONDS = 15 * 60


def until(request: HttpRequest) -> int:
    """Return until when the last proof holds, in seconds since 1970; 0 without one."""
    proved: float = request.session.get("proved_at", 0)
    return int(proved + SECONDS) if proved else 0


def is_on(request: HttpRequest) -> bool:
    """Tell whether the person proved who it is a short while ago; a token of the API never can.

    Where an identity provider made the session, a fresh sign-in there is the proof.
    """
    if getattr(request, "token", None) is not None:
        return False
    if sessions.is_confined(request):
        organization = getattr(request, "organization", None)
        return organization is not None and sessions.is_fresh(request, organization)
    return time.time() < until(request)


def grant(request: HttpRequest, *, user: User, method: str) -> None:
    """Note that a person has just proved who it is."""
    records.everywhere(user=user, action="sudo.granted", by=user, details={"method": method})
    request.session["proved_at"] = time.time()


def ask(request: HttpRequest, back: str) -> HttpResponse:
    """Lead to the page that asks for a proof, and from there to `back`."""
    if sessions.is_confined(request):
        return sessions.lead(request, "sso_again", back, slug=request.organization.slug)  # type: ignore[attr-defined]
    url = f"{reverse('account_reauthenticate')}?{urlencode({'next': back})}"
    if request.htmx:  # type: ignore[attr-defined]
        return HttpResponse(status=401, headers={"HX-Redirect": url})
    return redirect(url)
