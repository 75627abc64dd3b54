"""The way in through an identity provider: which one, going there, coming back, and what a session is not good for."""

from typing import Any, cast
from urllib.parse import urlsplit

from allauth.core.internal import ratelimit
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from accounts.organizations.models import Membership, User
from accounts.roles import Permission
from accounts.sign_in import rules
from accounts.single_sign_on import entering, flows, services, sessions
from accounts.single_sign_on.forms import WhereForm
from accounts.single_sign_on.models import IdentityProvider
from accounts.single_sign_on.reasons import Reason, Refused

# So many begun attempts from one address: an office behind one address is not slowed down.
_RATE = {"begin": "120/m/ip"}


def _back(request: HttpRequest) -> str:
    """Return the page of this console to go on to, or nothing."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    parts = urlsplit(wanted)
    here = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return here if safe and here.startswith("/") and not here.startswith("//") else ""


def _provider(slug: str) -> IdentityProvider | None:
    return IdentityProvider.objects.open().filter(organization__slug=slug).first()


def _too_many(request: HttpRequest) -> HttpResponse | None:
    if ratelimit.consume(request, app="sso", action="begin", config=_RATE, limit_get=True) is not None:
        return None
    return _failed(request, None, "Too many attempts from your address. Wait a minute, then try again.", 429)


def _failed(
    request: HttpRequest, provider: IdentityProvider | None, problem: str, status: int, **more: Any
) -> HttpResponse:
    context = {"provider": provider, "problem": problem, "login": _login(request), **more}
    return render(request, "accounts/single_sign_on/failed.html", context, status=status)


def _login(request: HttpRequest) -> str:
    back = _back(request)
    return f"{reverse('account_login')}?{urlencode({'next': back})}" if back else reverse("account_login")


@require_http_methods(["GET", "HEAD", "POST"])
def where(request: HttpRequest) -> HttpResponse:
    """Ask for the e-mail address or the organization, and lead to its provider."""
    form = WhereForm(request.POST) if request.method == "POST" else WhereForm()
    context = {"form": form, "back": _back(request), "login": _login(request)}
    if request.method != "POST":
        return render(request, "accounts/single_sign_on/where.html", context)
    if refusal := _too_many(request):
        return refusal
    if not form.is_valid() or form.provider is None:
        return render(request, "accounts/single_sign_on/where.html", context, status=422)
    return going(request, form.provider, back=_back(request), hint=form.hint)


def going(
    request: HttpRequest, provider: IdentityProvider, *, back: str, hint: str = "", purpose: str = "enter"
) -> HttpResponse:
    """Answer a form with a page that goes on to the provider: a form's own redirect may not leave the console (CSP)."""
    try:
        url = flows.begin(request, provider, back=back, hint=hint, purpose=purpose)
    except Refused as refused:
        return _failed(request, provider, refused.reason.sentence, 502)
    host = urlsplit(provider.issuer).netloc
    context = {"url": url, "host": host, "provider": provider}
    return render(request, "accounts/single_sign_on/going.html", context)


@require_safe
def enter(request: HttpRequest, slug: str) -> HttpResponse:
    """Go to an organization's provider: the direct link, `/sso/<organization>/`."""
    if refusal := _too_many(request):
        return refusal
    provider = _provider(slug)
    if provider is None:
        return _failed(request, None, "There is no single sign-on at this address.", 404)
    purpose = "again" if "again" in request.GET and request.user.is_authenticated else "enter"
    try:
        return redirect(flows.begin(request, provider, back=_back(request), purpose=purpose))
    except Refused as refused:
        return _failed(request, provider, refused.reason.sentence, 502)


@sensitive_variables()
@sensitive_post_parameters()
@require_safe
def callback(request: HttpRequest, slug: str) -> HttpResponse:
    """Take the provider's answer: sign in, or say why not."""
    provider = _provider(slug)
    if provider is None:
        return _failed(request, None, "There is no single sign-on at this address.", 404)
    flow: flows.Flow | None = None
    try:
        flow = flows.take(request, provider)
        claims = flows.answer(request, provider, flow)
        if flow.purpose == "test":
            return _tested(request, provider, flow, claims)
        if flow.purpose == "again" and getattr(entering.who(provider, claims).user, "pk", None) != flow.user:
            raise Refused(Reason.SUBJECT)
        user = entering.admit(provider, claims)
        sessions.begin(request, user, provider, claims)
    except Refused as refused:
        return _refused(request, provider, flow, refused.reason)
    home = f"/o/{slug}/"
    return redirect(flow.back if flow.back.startswith(home) else home)


def _refused(
    request: HttpRequest, provider: IdentityProvider, flow: flows.Flow | None, reason: Reason
) -> HttpResponse:
    if flow is not None and flow.purpose == "test":
        if _tester(request, provider, flow):
            services.note_test(provider=provider, by=cast(User, request.user), problem=reason.value)
    else:
        entering.refused(provider, reason)
    status = 502 if reason in (Reason.UNREACHABLE, Reason.NOT_OPENID, Reason.FORBIDDEN) else 403
    was_test = flow is not None and flow.purpose == "test"
    return _failed(request, provider, reason.sentence, status, was_test=was_test, reason=reason.value)


def _tester(request: HttpRequest, provider: IdentityProvider, flow: flows.Flow) -> bool:
    """Tell whether the one who comes back began the test, and may still set up the provider."""
    member = Membership.objects.filter(organization=provider.organization, user=request.user.pk).first()
    return (
        flow.user is not None
        and flow.user == request.user.pk
        and member is not None
        and member.authority.everywhere(Permission.ORGANIZATION_MANAGE)
    )


def _tested(request: HttpRequest, provider: IdentityProvider, flow: flows.Flow, claims: Any) -> HttpResponse:
    """Note that a sign-in would have worked. Nobody is signed in, and nobody is linked."""
    if not _tester(request, provider, flow):
        raise Refused(Reason.ATTEMPT)
    found = entering.who(provider, claims)
    services.note_test(provider=provider, by=cast(User, request.user))
    factor = "said that a second factor was used" if claims.factor else "said nothing of a second factor"
    messages.success(
        request, f"The test worked: it would have been {found.user or claims.email}. The provider {factor}."
    )
    return redirect("accounts:sign_in_rules", org=provider.organization.slug)


@require_safe
def needed(request: HttpRequest, slug: str) -> HttpResponse:
    """Say that an organization asks for single sign-on, or for a second factor there, and lead to it."""
    return _ask(request, slug, "needed")


@require_safe
def again(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for a fresh sign-in at the provider before something dangerous."""
    return _ask(request, slug, "again")


def _ask(request: HttpRequest, slug: str, which: str) -> HttpResponse:
    """Answer the page; what it says of the organization is for its members, to others it is as if it were not there."""
    provider = _provider(slug)
    member = None
    if provider is not None and request.user.is_authenticated:
        of = Membership.objects.filter(organization=provider.organization, user=request.user)
        allowed = not sessions.is_confined(request) or slug in sessions.slugs(request)
        member = of.select_related("organization").first() if allowed else None
    if provider is None or member is None:
        return _failed(request, None, "There is no single sign-on at this address.", 404)
    query = {"next": _back(request)} | ({"again": "1"} if which == "again" else {})
    context = {
        "provider": provider,
        "member": member,
        "back": _back(request),
        "go": f"{reverse('sso_enter', kwargs={'slug': slug})}?{urlencode(query)}",
        "confined": sessions.is_confined(request),
        "proved": sessions.proof(request, provider.organization) is not None,
        "factor_page": rules.factor_page(request),
        "showed_factor": rules.showed_factor(request),
    }
    return render(request, f"accounts/single_sign_on/{which}.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def elsewhere(request: HttpRequest) -> HttpResponse:
    """Say what this session is good for; signing in with the password begins another one."""
    if request.method == "POST":
        url = _login(request)
        logout(request)
        return redirect(url)
    context = {"slugs": sessions.slugs(request), "back": _back(request), "login": _login(request)}
    return render(request, "accounts/single_sign_on/elsewhere.html", context)
