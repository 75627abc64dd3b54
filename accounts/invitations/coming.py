"""The pages of somebody who was invited. They need no organization, and perhaps no account.

The link's token is exchanged for its digest in the session at once, so that no page has it in its address.
"""

from typing import Any

from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from accounts.invitations import forms, mailing, registering, services
from accounts.invitations.models import Invitation
from config import pages

KEY = "invitation"


@require_safe
@sensitive_variables("token")
def link(request: HttpRequest, token: str) -> HttpResponse:
    """Take a link's token, good or not, and go on without it in the address."""
    request.session[KEY] = services.digest(token)
    return redirect("invitation")


def _wanted(request: HttpRequest) -> str:
    return str(request.session.get(KEY, ""))


def _page(request: HttpRequest, *, status: int = 200, **context: Any) -> HttpResponse:
    """Show what one is invited to and the ways in; the same for a link that never was as for one that is over."""
    invitation = services.find(_wanted(request))
    if invitation is None:
        return pages.render_page(request, "accounts/invitation_over.html", {}, status=404)
    known = {"invitation": invitation, "register": forms.RegisterForm(), "address": forms.AddressForm()}
    known["other"] = _is_for_another(request, invitation)
    return pages.render_page(request, "accounts/invitation.html", known | context, status=status)


def _is_for_another(request: HttpRequest, invitation: Invitation) -> bool:
    user = request.user
    return user.is_authenticated and bool(invitation.email) and invitation.email != user.email


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show the invitation whose link was opened."""
    return _page(request)


def _over(request: HttpRequest) -> HttpResponse:
    request.session.pop(KEY, None)
    return _page(request)


@require_POST
def accept(request: HttpRequest) -> HttpResponse:
    """Let a person who is signed in into the organization."""
    if not request.user.is_authenticated:
        return redirect("invitation")
    try:
        membership = services.accept(wanted=_wanted(request), user=request.user)
    except services.Gone:
        return _over(request)
    except services.NotPossible as error:
        if isinstance(error, services.NotForYou):
            services.refused(error, request.user)
        return _page(request, status=422, wrong=str(error))
    return _entered(request, membership.organization.name, membership.organization.slug)


def _entered(request: HttpRequest, name: str, slug: str) -> HttpResponse:
    request.session.pop(KEY, None)
    pages.toast(request, f"You are a member of {name}.")
    return pages.go_to(request, reverse("clusters:index", kwargs={"org": slug}))


@require_POST
@sensitive_post_parameters("password")
@sensitive_variables()
def register(request: HttpRequest) -> HttpResponse:
    """Make an account for the address that was invited, let it in and sign it in."""
    if request.user.is_authenticated:
        return redirect("invitation")
    invitation = services.find(_wanted(request))
    form = forms.RegisterForm(request.POST, email=invitation.email if invitation else "")
    if form.is_valid():
        try:
            membership = registering.register(
                wanted=_wanted(request),
                name=form.cleaned_data["name"],
                password=form.cleaned_data["password"],
            )
        except services.Gone:
            return _over(request)
        except registering.NotNew as error:
            form.add_error(None, str(error))
        else:
            return _signed_in(request, membership)
    return _page(request, status=422, register=form)


def _signed_in(request: HttpRequest, membership: Any) -> HttpResponse:
    """Sign a new person in, by what they have just typed, and lead into the organization."""
    request.session.pop(KEY, None)
    organization = membership.organization
    url = reverse("clusters:index", kwargs={"org": organization.slug})
    login = Login(user=membership.user, redirect_url=url, email=membership.user.email)
    answer: HttpResponse = perform_password_login(request, {"email": membership.user.email}, login)
    return answer


@require_POST
def claim(request: HttpRequest) -> HttpResponse:
    """Send a link to the address that somebody without an account types; the same is said of every address."""
    form = forms.AddressForm(request.POST)
    wanted = _wanted(request)
    if not form.is_valid():
        return _page(request, status=422, address=form)
    try:
        made = services.bind(wanted=wanted, email=form.cleaned_data["email"])
    except services.Gone:
        return _over(request)
    if not mailing.send(made):
        services.unbind(made=made, wanted=wanted)
        form.add_error(
            None, "The mail could not be sent. Ask whoever invited you for an invitation by e-mail."
        )
        return _page(request, status=422, address=form)
    request.session.pop(KEY, None)
    context = {"email": form.cleaned_data["email"]}
    return pages.render_page(request, "accounts/invitation_mailed.html", context)


@require_POST
def decline(request: HttpRequest) -> HttpResponse:
    """Say no to the invitation, which is used up by that."""
    user = request.user if request.user.is_authenticated else None
    try:
        services.decline(wanted=_wanted(request), user=user)
    except services.Gone:
        return _over(request)
    request.session.pop(KEY, None)
    return pages.render_page(request, "accounts/invitation_declined.html", {})
