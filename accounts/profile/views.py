"""The pages of a person's own account: name, password, sessions."""

from typing import Any

from allauth.usersessions.models import UserSession
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from accounts.organizations.models import Organization
from accounts.profile import services
from accounts.profile.door import PersonalRequest, personal_view
from accounts.profile.forms import NameForm, PasswordForm
from accounts.sign_in import devices, sessions, sudo
from config import pages


def answer(
    request: PersonalRequest, template: str, context: dict[str, Any], form: Any = None
) -> HttpResponse:
    status = 422 if form is not None and form.is_bound and form.errors else 200
    return render(request, f"account/{template}.html", context | {"form": form}, status=status)


@personal_view(methods=("GET", "HEAD", "POST"))
def profile(request: PersonalRequest) -> HttpResponse:
    """Show who one is, and change the name."""
    form = (
        NameForm(request.POST) if request.method == "POST" else NameForm(initial={"name": request.user.name})
    )
    if form.is_bound and form.is_valid():
        services.change_name(user=request.user, name=form.cleaned_data["name"], by=request.user)
        pages.toast(request, "Name changed")
        return redirect("account_profile")
    return answer(request, "profile", {"mine": Organization.objects.of(request.user)}, form)


@personal_view(methods=("GET", "HEAD", "POST"))
@sensitive_post_parameters()
@sensitive_variables()
def password(request: PersonalRequest) -> HttpResponse:
    """Change the password; the first one of somebody who had none asks for a fresh proof instead of the old one."""
    user = request.user
    if not user.has_usable_password() and not sudo.is_on(request):
        return sudo.ask(request, request.get_full_path())
    form = PasswordForm(request.POST, user=user) if request.method == "POST" else PasswordForm(user=user)
    if not (form.is_bound and form.is_valid()):
        return answer(request, "password", {}, form)
    ended = services.change_password(request=request, user=user, password=form.cleaned_data["new"], by=user)
    pages.toast(request, f"Password changed. {ended} other session{'s' if ended != 1 else ''} ended.")
    response = redirect("account_profile")
    devices.remember(request, response, user)
    return response


@personal_view()
def list_sessions(request: PersonalRequest) -> HttpResponse:
    """Show where one is signed in."""
    mine = sessions.of(request.user)
    return answer(request, "sessions", {"sessions": mine, "current": request.session.session_key})


@personal_view(methods=("POST",))
def end_session(request: PersonalRequest, session: int) -> HttpResponse:
    """End one session; ending one's own is signing out."""
    found = get_object_or_404(UserSession.objects.filter(user=request.user), pk=session)
    sessions.end(session=found, by=request.user)
    pages.toast(request, "Session ended")
    return redirect("account_sessions")


@personal_view(methods=("POST",))
def end_other_sessions(request: PersonalRequest) -> HttpResponse:
    """End all sessions but this one."""
    ended = sessions.end_others(user=request.user, kept=request.session.session_key, by=request.user)
    pages.toast(request, f"{ended} session{'s' if ended != 1 else ''} ended")
    return redirect("account_sessions")
