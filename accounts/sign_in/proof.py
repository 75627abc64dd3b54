"""The page, and the dialog, that asks a person to prove who it is: by password, by a code, or by a passkey."""

from typing import Any, cast

from allauth.account.adapter import get_adapter
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.organizations.models import User
from accounts.sign_in import factors, records, sudo
from accounts.sign_in.forms import PasskeyForm, ProofForm

METHODS = ("password", "code", "passkey")


def _offered(user: User) -> list[str]:
    """Return the ways in which a person can prove it here, the quickest first."""
    types = {factor.type for factor in factors.of(user)}
    ways = {
        "passkey": factors.Type.WEBAUTHN in types,
        "password": user.has_usable_password(),
        "code": factors.Type.TOTP in types,
    }
    return [way for way, there in ways.items() if there]


def _is_dangerous(path: str) -> bool:
    """Tell whether what an address does asks for a proof."""
    try:
        return bool(getattr(resolve(path).func, "dangerous", False))
    except Resolver404:
        return False


@sensitive_post_parameters()
@login_required
@require_http_methods(["GET", "POST"])
def prove(request: HttpRequest, *, factor_only: bool = False) -> HttpResponse:
    """Ask for a proof and lead back to `next`; `factor_only` asks for a second factor.

    A page that is about to send a form asks for the dialog with `?for=` the form's address: 204 says that no proof is
    asked for there, or that the last one still holds.
    """
    user = cast(User, request.user)
    dialog = request.headers.get("X-Dialog") == "1"
    if (
        dialog
        and request.method == "GET"
        and (sudo.is_on(request) or not _is_dangerous(request.GET.get("for", "")))
    ):
        return _go_on(request)
    offered = [way for way in _offered(user) if not (factor_only and way == "password")]
    method = request.POST.get("method") or ("password" if "password" in request.POST else "")
    form: ProofForm | PasskeyForm | None = None
    if request.method == "POST" and method in offered:
        form = _form(request, user, method)
        if form.is_valid():
            sudo.grant(request, user=user, method=method)
            if form.factor is not None:
                factors.shown(request, form.factor)
            return _go_on(request) if dialog else redirect(_back(request))
        records.failed(user=user, action="sudo.failed", by=user, details={"method": method})
    return _page(request, user, offered, form, method, dialog)


def _form(request: HttpRequest, user: User, method: str) -> ProofForm | PasskeyForm:
    if method == "passkey":
        return PasskeyForm(data=request.POST, user=user)
    return ProofForm(request.POST, user=user, method=method)


def _go_on(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=204, headers={"X-Proved-Until": str(sudo.until(request))})


def _back(request: HttpRequest) -> str:
    wanted = request.POST.get("next") or request.GET.get("next") or "/"
    return wanted if get_adapter(request).is_safe_url(wanted) else "/"


def _page(
    request: HttpRequest,
    user: User,
    offered: list[str],
    bad: ProofForm | PasskeyForm | None,
    method: str,
    dialog: bool,
) -> HttpResponse:
    forms: dict[str, Any] = {
        way: bad
        if bad is not None and way == method
        else ProofForm(user=user, method=way, auto_id=f"proof_{way}_%s")
        for way in offered
        if way != "passkey"
    }
    back = _back(request)
    context = {
        "offered": offered,
        "forms": forms,
        "back": back,
        "passkey_error": bad.errors.get("credential") if isinstance(bad, PasskeyForm) else None,
        "failed": bad is not None,
    }
    template = "account/proof_dialog.html" if dialog else "account/reauthenticate.html"
    return render(request, template, context, status=422 if bad is not None else 200)
