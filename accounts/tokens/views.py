"""The pages of API tokens: one's own, and for those who manage them the organization's."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables

from accounts import delegation
from accounts.access import OrgRequest, org_view
from accounts.roles import Permission
from accounts.tokens import forms, services
from accounts.tokens.models import ApiToken, ApiTokenQuerySet
from config import pages


def visible(request: OrgRequest) -> ApiTokenQuerySet:
    """Return the tokens that somebody may see: one's own, or all of them who manages tokens."""
    manages = request.allows(Permission.TOKEN_MANAGE)
    return ApiToken.objects.with_roles().seen_by(request.membership, all_of_them=manages)


def _find(request: OrgRequest, token: UUID) -> ApiToken:
    return get_object_or_404(visible(request), pk=token)


def _may_edit(request: OrgRequest, token: ApiToken) -> bool:
    """Tell whether somebody may rename or rotate a token: nobody gets the value of another person's."""
    own = token.membership_id == request.membership.pk
    return token.state != "revoked" and (own or token.is_of_the_organization)


def _url(request: OrgRequest, name: str, **given: Any) -> str:
    return reverse(f"accounts:{name}", kwargs={"org": request.organization.slug, **given})


@org_view(Permission.ORGANIZATION_VIEW)
def index(request: OrgRequest) -> HttpResponse:
    """List the tokens, one's own first, those that are over last."""
    rows = sorted(visible(request), key=lambda token: token.state != "active")
    own = [token for token in rows if token.membership_id == request.membership.pk]
    machines = [token for token in rows if token.is_of_the_organization and token not in own]
    others = [token for token in rows if token not in own and token not in machines]
    context = {
        "sections": [
            ("Yours", "yours", own),
            (f"Of {request.organization.name}", "organization", machines),
            ("Of other members", "others", others),
        ],
        "total": len(rows),
    }
    return pages.render_page(request, "accounts/tokens.html", context)


@org_view(Permission.ORGANIZATION_VIEW, methods=("GET", "POST"), dangerous=True)
@sensitive_variables()
def new(request: OrgRequest) -> HttpResponse:
    """Make a token; the answer shows its value, once."""
    manages = request.allows(Permission.TOKEN_MANAGE)
    data = request.POST if request.method == "POST" else None
    kind = forms.KindForm(data) if manages else None
    for_all = kind is not None and kind.is_valid() and kind.cleaned_data["kind"] == "organization"
    form = forms.TokenForm(
        data,
        organization=request.organization,
        authority=request.authority,
        endless=for_all or (manages and data is None),
    )
    if form.is_valid() and (kind is None or kind.is_valid()):
        try:
            return _made(request, _create(request, form, for_all=for_all))
        except delegation.MoreThanHeld as error:
            form.add_error("roles", str(error))
    context = {"form": form, "kind": kind}
    return pages.render_page(
        request, "accounts/tokens_new.html", context, status=422 if form.is_bound else 200
    )


def _create(request: OrgRequest, form: forms.TokenForm, *, for_all: bool) -> services.Made:
    if for_all:
        return services.create_for_organization(
            organization=request.organization, wish=form.wish, authority=request.authority, by=request.user
        )
    return services.create(
        membership=request.membership, wish=form.wish, authority=request.authority, by=request.user
    )


@sensitive_variables()
def _made(request: OrgRequest, made: services.Made) -> HttpResponse:
    context = {"token": made.token, "value": made.value}
    return pages.render_page(request, "accounts/tokens_made.html", context)


@org_view(Permission.ORGANIZATION_VIEW, methods=("GET", "POST"))
def detail(request: OrgRequest, token: UUID) -> HttpResponse:
    """Show a token's facts; POST renames it."""
    found = _find(request, token)
    may_edit = _may_edit(request, found)
    if request.method == "POST":
        form = forms.NameForm(request.POST)
        if form.is_valid() and may_edit:
            services.rename(token=found, name=form.cleaned_data["name"], by=request.user)
            pages.toast(request, "The token has a new name.")
            return pages.go_to(request, request.path)
    else:
        form = forms.NameForm(initial={"name": found.name})
    context = {"token": found, "form": form, "may_edit": may_edit}
    status = 422 if form.is_bound else 200
    return pages.render_page(request, "accounts/tokens_detail.html", context, status=status)


@org_view(Permission.ORGANIZATION_VIEW, methods=("GET", "POST"), dangerous=True)
@sensitive_variables()
def rotate(request: OrgRequest, token: UUID) -> HttpResponse:
    """Give a token a new value; the answer shows it, once."""
    found = _find(request, token)
    data = request.POST if request.method == "POST" else None
    form = forms.EndForm(data, endless=found.is_of_the_organization)
    if form.is_valid() and _may_edit(request, found):
        try:
            made = services.rotate(
                token=found, expires_at=form.end, authority=request.authority, by=request.user
            )
        except delegation.MoreThanHeld as error:
            form.add_error(None, str(error))
        else:
            return _made(request, made)
    context = {"token": found, "form": form, "may_edit": _may_edit(request, found)}
    status = 422 if form.is_bound else 200
    return pages.render_page(request, "accounts/tokens_rotate.html", context, status=status)


@org_view(Permission.ORGANIZATION_VIEW, methods=("GET", "POST"))
def revoke(request: OrgRequest, token: UUID) -> HttpResponse:
    """Ask, and end a token for good."""
    found = _find(request, token)
    if request.method == "POST":
        services.revoke(token=found, by=request.user)
        pages.toast(request, f"{found.name} is revoked.")
        return pages.go_to(request, _url(request, "tokens"))
    return pages.render_page(request, "accounts/tokens_revoke.html", {"token": found})
