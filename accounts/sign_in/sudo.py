"""Sudo mode: before what is dangerous, a person proves again who it is, at most fifteen minutes before."""

from allauth.account.internal.flows.reauthentication import did_recently_reauthenticate
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode


def is_on(request: HttpRequest) -> bool:
    """Tell whether the person proved who it is a short while ago; a token of the API never can."""
    return bool(did_recently_reauthenticate(request))


def ask(request: HttpRequest, back: str) -> HttpResponse:
    """Lead to the page that asks for a proof, and from there to `back`."""
    url = f"{reverse('account_reauthenticate')}?{urlencode({'next': back})}"
    if request.htmx:  # type: ignore[attr-defined]
        return HttpResponse(status=401, headers={"HX-Redirect": url})
    return redirect(url)
