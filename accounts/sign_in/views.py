"""Signing in and out, by password and by passkey."""

from typing import Any

from allauth.account import views as allauth
from allauth.account.models import Login
from allauth.account.utils import get_next_redirect_url
from allauth.mfa.webauthn.internal import auth as webauthn
from allauth.mfa.webauthn.internal import flows
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST

from accounts.sign_in import limits, records, sessions
from accounts.sign_in.forms import PasskeySignInForm, SignInForm
from accounts.sign_in.limits import Limit

PASSKEYS = Limit("passkey", 30, 60)


class SignInView(allauth.LoginView):  # type: ignore[misc]
    def form_invalid(self, form: SignInForm) -> HttpResponse:
        """Answer 422, or 429 to the one who is slowed; the body is the same whether or not the account exists."""
        response: HttpResponse = super().form_invalid(form)
        response.status_code = 429 if form.limited else 422
        return response


class SignOutView(allauth.LogoutView):  # type: ignore[misc]
    def post(self, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """End the session, and have the browser forget what it kept of it."""
        with transaction.atomic():
            if self.request.user.is_authenticated:
                sessions.forget(self.request.session.session_key)
                records.everywhere(user=self.request.user, action="signed_out", by=self.request.user)
            response: HttpResponseBase = super().post(*args, **kwargs)
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response


class ResetFromKeyView(allauth.PasswordResetFromKeyView):  # type: ignore[misc]
    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponseBase:
        """Change the password, write it down and end every session, all or nothing (`signals`)."""
        response: HttpResponseBase = super().form_valid(form)
        return response


@require_POST
def passkey_options(request: HttpRequest) -> HttpResponse:
    """Answer what the browser needs to ask for a passkey: a challenge, kept in the session."""
    if PASSKEYS.take(limits.place(sessions.address(request))):
        return HttpResponse(status=429)
    return JsonResponse(webauthn.begin_authentication(None))


@require_POST
def passkey(request: HttpRequest) -> HttpResponseBase:
    """Sign in by passkey alone: it is something one has, opened by a finger, a face or a PIN."""
    back = get_next_redirect_url(request)
    if PASSKEYS.take("sign-in", limits.place(sessions.address(request))):
        return _refused(back)
    form = PasskeySignInForm(data=request.POST, user=None)
    if not form.is_valid():
        return _refused(back)
    factor = form.cleaned_data["credential"]
    login = Login(user=factor.user, redirect_url=back)
    response: HttpResponseBase = flows.perform_passwordless_login(request, factor, login)
    return response


def _refused(back: str | None) -> HttpResponse:
    query = {"passkey": "refused"} | ({"next": back} if back else {})
    return redirect(f"{reverse('account_login')}?{urlencode(query)}")
