"""The pages of a person's second factors: the app for codes, passkeys, recovery codes."""

from typing import Any

import qrcode
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import generate_totp_secret
from allauth.mfa.webauthn.internal import auth as webauthn
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.safestring import mark_safe
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from qrcode.image.svg import SvgPathImage

from accounts.profile import services
from accounts.profile.door import PersonalRequest, personal_view
from accounts.profile.forms import AddPasskeyForm, AppForm, PasskeyNameForm
from accounts.profile.views import answer
from accounts.sign_in import factors
from config import pages

# The secret of an app that is being set up, encrypted.
PENDING = "app_being_set_up"


@personal_view()
def index(request: PersonalRequest) -> HttpResponse:
    """Show the second factors."""
    mine = factors.of(request.user)
    context = {
        "app": next((factor for factor in mine if factor.type == factors.Type.TOTP), None),
        "passkeys": [factor for factor in mine if factor.type == factors.Type.WEBAUTHN],
        "has_second": factors.has_second(request.user),
        "codes_left": factors.codes_left(request.user),
    }
    return answer(request, "factors", context)


def _done(request: PersonalRequest, codes: list[str], what: str) -> HttpResponse:
    """Show recovery codes, once, if there are new ones; else go to the factors."""
    if codes:
        return answer(request, "recovery_codes", {"codes": codes, "what": what})
    pages.toast(request, what)
    return redirect("account_factors")


def _drawing(url: str) -> str:
    """Return a QR code as SVG that takes its colours from the page's stylesheet."""
    image = qrcode.make(url, image_factory=SvgPathImage, border=2)
    svg: str = image.to_string(encoding="unicode")
    return svg


@personal_view(methods=("GET", "HEAD", "POST"), dangerous=True)
@sensitive_post_parameters()
@sensitive_variables()
def add_app(request: PersonalRequest) -> HttpResponse:
    """Show a new secret to an app, and take its first code."""
    if any(factor.type == factors.Type.TOTP for factor in factors.of(request.user)):
        return redirect("account_factors")
    adapter, user = factors.Adapter(), request.user
    stored = request.session.get(PENDING)
    secret = adapter.decrypt(stored) if stored else generate_totp_secret()
    if not stored:
        request.session[PENDING] = adapter.encrypt(secret)
    form = AppForm(request.POST if request.method == "POST" else None, user=user, secret=secret)
    if form.is_bound and form.is_valid():
        del request.session[PENDING]
        codes = services.add_app(user=user, secret=secret, by=user)
        factors.shown(request, factors.newest(user))
        return _done(request, codes, "The app was added")
    url = adapter.build_totp_url(user, secret)
    groups = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    # Ours from end to end: the drawing of an address that we made.
    context: dict[str, Any] = {"qr": mark_safe(_drawing(url)), "secret": groups, "url": url}  # noqa: S308
    return answer(request, "add_app", context, form)


def _mine(request: PersonalRequest, factor: int, *types: str) -> Authenticator:
    return get_object_or_404(Authenticator.objects.filter(user=request.user, type__in=types), pk=factor)


@personal_view(methods=("POST",), dangerous=True)
def remove(request: PersonalRequest, factor: int) -> HttpResponse:
    """Remove the app or a passkey."""
    found = _mine(request, factor, factors.Type.TOTP, factors.Type.WEBAUTHN)
    services.remove(factor=found, by=request.user)
    pages.toast(request, "Passkey removed" if found.type == factors.Type.WEBAUTHN else "The app was removed")
    return redirect("account_factors")


@personal_view(methods=("POST",), dangerous=True)
def make_codes(request: PersonalRequest) -> HttpResponse:
    """Make new recovery codes and show them, once."""
    if not factors.has_second(request.user):
        return redirect("account_factors")
    codes = services.make_recovery_codes(user=request.user, by=request.user)
    return _done(request, codes, "New recovery codes were made")


@personal_view(methods=("POST",), dangerous=True)
def passkey_options(request: PersonalRequest) -> HttpResponse:
    """Answer what the browser needs to make a passkey; the challenge is kept in the session."""
    return JsonResponse(webauthn.begin_registration(request.user, passwordless=True))


@personal_view(methods=("GET", "HEAD", "POST"), dangerous=True)
def add_passkey(request: PersonalRequest) -> HttpResponse:
    """Name a passkey and take what the browser made."""
    user = request.user
    form = AddPasskeyForm(request.POST if request.method == "POST" else None, user=user)
    if form.is_bound and form.is_valid():
        credential = form.cleaned_data["credential"]
        codes = services.add_passkey(
            user=user, name=form.cleaned_data["name"], credential=credential, by=user
        )
        factors.shown(request, factors.newest(user))
        return _done(request, codes, "Passkey added")
    return answer(request, "add_passkey", {}, form)


@personal_view(methods=("GET", "HEAD", "POST"), dangerous=True)
def rename_passkey(request: PersonalRequest, factor: int) -> HttpResponse:
    """Give a passkey another name."""
    found = _mine(request, factor, factors.Type.WEBAUTHN)
    posted = request.POST if request.method == "POST" else None
    form = PasskeyNameForm(posted, initial={"name": found.data["name"]})
    if form.is_bound and form.is_valid():
        services.rename_passkey(passkey=found, name=form.cleaned_data["name"], by=request.user)
        pages.toast(request, "Passkey renamed")
        return redirect("account_factors")
    return answer(request, "rename_passkey", {"passkey": found}, form)
