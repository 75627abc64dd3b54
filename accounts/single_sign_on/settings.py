"""The page of an organization's settings on which its owners say how members sign in."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from accounts.access import OrgRequest, org_view
from accounts.organizations.models import Membership
from accounts.roles import Permission
from accounts.sign_in import rules
from accounts.single_sign_on import flows, services, sessions, views
from accounts.single_sign_on.forms import ProviderForm, RulesForm, UnlinkForm
from accounts.single_sign_on.models import Identity, IdentityProvider
from config import pages

_OWN = Permission.ORGANIZATION_MANAGE
STILL_REQUIRED = "Members must sign in through this provider. Turn that rule off first."


def _found(request: OrgRequest) -> IdentityProvider | None:
    owned = IdentityProvider.objects.select_related("organization")
    return owned.filter(organization=request.organization).first()


def _url(request: OrgRequest) -> str:
    return reverse("accounts:sign_in_rules", kwargs={"org": request.organization.slug})


def _members(request: OrgRequest) -> Any:
    return Membership.objects.filter(organization=request.organization, user__is_machine=False)


def _outside(request: OrgRequest, provider: IdentityProvider | None) -> int:
    """Return how many members have an address that the provider may not speak for."""
    if provider is None:
        return 0
    names = set(provider.domain_names)
    addresses = _members(request).values_list("user__email", flat=True)
    return sum(address.rpartition("@")[2] not in names for address in addresses)


def _page(
    request: OrgRequest,
    provider: IdentityProvider | None,
    *,
    form: ProviderForm | None = None,
    rules_form: RulesForm | None = None,
    problem: str = "",
) -> HttpResponse:
    members = _members(request)
    bad = bool(problem) or any(one is not None and not one.is_valid() for one in (form, rules_form))
    context = {
        "provider": provider,
        "form": form or ProviderForm(organization=request.organization, provider=provider),
        "rules_form": rules_form or RulesForm(organization=request.organization),
        "problem": problem,
        "redirect_uri": flows.redirect_uri(request.organization),
        "direct": request.build_absolute_uri(
            reverse("sso_enter", kwargs={"slug": request.organization.slug})
        ),
        "identities": Identity.objects.filter(organization=request.organization)
        .select_related("user")
        .order_by("user__name", "pk"),
        "members": members.count(),
        "without_factor": rules.without_factor(members).count(),
        "outside": _outside(request, provider),
    }
    return pages.render_page(request, "accounts/sign_in_rules.html", context, status=422 if bad else 200)


@sensitive_variables()
@sensitive_post_parameters("client_secret")
@org_view(_OWN, methods=("GET", "HEAD", "POST"), dangerous=True)
def sign_in_rules(request: OrgRequest) -> HttpResponse:
    """Show how members sign in, and set the identity provider."""
    provider = _found(request)
    if request.method != "POST":
        return _page(request, provider)
    form = ProviderForm(request.POST, organization=request.organization, provider=provider)
    if not form.is_valid():
        return _page(request, provider, form=form)
    try:
        services.set_provider(organization=request.organization, values=form.cleaned_data, by=request.user)
    except services.StillRequired:
        form.add_error("issuer", STILL_REQUIRED)
    except services.DomainTaken:
        form.add_error("domains", "One of the domains belongs to another organization on this console.")
    if form.errors:
        return _page(request, provider, form=form)
    pages.toast(request, "Identity provider saved. Test it before others use it.")
    return pages.go_to(request, _url(request))


@org_view(_OWN, methods=("POST",), dangerous=True)
def change_sign_in_rules(request: OrgRequest) -> HttpResponse:
    """Set what is asked of every member."""
    provider = _found(request)
    form = RulesForm(request.POST, organization=request.organization)
    if form.is_valid():
        form.refuse_unmet(sso=_sso_missing(request, provider), factor=_factor_missing(request))
    if form.errors:
        return _page(request, provider, rules_form=form)
    try:
        services.change_rules(organization=request.organization, by=request.user, **form.cleaned_data)
    except services.Untested:
        form.add_error("sso_required", "Test the sign-in first.")
        return _page(request, provider, rules_form=form)
    pages.toast(request, "Rules saved. They hold from each member's next click on.")
    return pages.go_to(request, _url(request))


def _sso_missing(request: OrgRequest, provider: IdentityProvider | None) -> str:
    """Return what keeps single sign-on from being required, or nothing."""
    if provider is None:
        return "Set an identity provider first."
    if provider.tested_at is None:
        return "Test the sign-in first: nobody has come in by this provider yet."
    if sessions.proof(request, request.organization) is None and not rules.showed_factor(request):
        return "You would be locked out: sign in through the provider, or with a second factor, and turn it on then."
    return ""


def _factor_missing(request: OrgRequest) -> str:
    if rules.has_factor(request, request.organization):
        return ""
    return "You would be locked out: sign in with a second factor yourself, and turn it on then."


@org_view(_OWN, methods=("POST",), dangerous=True)
def test_sign_in(request: OrgRequest) -> HttpResponse:
    """Go to the provider and come back here; nobody is signed in by it."""
    provider = _found(request)
    if provider is None:
        return _page(request, provider, problem="Set an identity provider first.")
    return views.going(request, provider, back=_url(request), purpose="test")


@org_view(_OWN, methods=("POST",), dangerous=True)
def remove_identity_provider(request: OrgRequest) -> HttpResponse:
    """Remove the provider; sessions that it made end."""
    provider = _found(request)
    try:
        services.remove_provider(organization=request.organization, by=request.user)
    except services.StillRequired:
        return _page(request, provider, problem=STILL_REQUIRED)
    pages.toast(request, "Identity provider removed.")
    return pages.go_to(request, _url(request))


@org_view(_OWN, methods=("POST",), dangerous=True)
def unlink_identity(request: OrgRequest) -> HttpResponse:
    """Forget whom the provider means by a subject."""
    form = UnlinkForm(request.POST)
    if not form.is_valid():
        return _page(request, _found(request), problem="Choose whose link to remove.")
    owned = Identity.objects.filter(organization=request.organization).select_related("user", "organization")
    services.forget(identity=get_object_or_404(owned, pk=form.cleaned_data["identity"]), by=request.user)
    pages.toast(request, "Link removed.")
    return pages.go_to(request, _url(request))
