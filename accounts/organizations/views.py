"""Where a person lands, new organizations, and the settings of one."""

from typing import Any, cast

from django.conf import settings as configured
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from accounts.access import OrgRequest, org_view
from accounts.members import services as members
from accounts.organizations import closing, forms, services
from accounts.organizations.models import Membership, Organization, User
from accounts.roles import Permission, who_may
from config import pages


def _may_create() -> bool:
    return bool(configured.ORGANIZATIONS_BY_ANYONE)


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Go to the organization that was used last, or say that there is none."""
    organizations = Organization.objects.of(cast(User, request.user))
    last = organizations.filter(slug=request.COOKIES.get("organization", "")).first() or organizations.first()
    if last is None:
        return render(request, "accounts/no_organization.html", {"may_create": _may_create()})
    return redirect("clusters:index", org=last.slug)


@login_required
def new(request: HttpRequest) -> HttpResponse:
    """Make an organization, which belongs to whoever makes it."""
    if not _may_create():
        raise PermissionDenied("Whoever runs this Keyhaven makes its organizations.")
    form = forms.OrganizationForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            made = services.create(
                name=form.cleaned_data["name"],
                slug=form.cleaned_data["slug"],
                by=cast(User, request.user),
            )
        except services.SlugTaken as error:
            form.add_error("slug", str(error))
        else:
            pages.toast(request, f"{made.name} is yours. Connect a cluster, or invite people.")
            return pages.go_to(request, reverse("clusters:index", kwargs={"org": made.slug}))
    status = 422 if form.is_bound else 200
    return pages.render_page(request, "accounts/new_organization.html", {"form": form}, status=status)


@org_view(Permission.ORGANIZATION_VIEW)
def organization(request: OrgRequest) -> HttpResponse:
    return redirect("clusters:index", org=request.organization.slug)


def _settings(request: OrgRequest, form: forms.OrganizationForm, status: int = 200) -> HttpResponse:
    owners = Membership.objects.owned_by(request.organization).owners().select_related("user")
    context = {
        "form": form,
        "owners": list(owners.order_by("user__name", "pk")),
        "can_manage": request.allows(Permission.ORGANIZATION_MANAGE),
        "who_may_manage": who_may(Permission.ORGANIZATION_MANAGE),
        "now": Organization.objects.get(pk=request.organization.pk),
    }
    return pages.render_page(request, "accounts/settings.html", context, status=status)


@org_view(Permission.ORGANIZATION_VIEW)
def settings(request: OrgRequest) -> HttpResponse:
    """Show the organization's name and address, and what is dangerous."""
    return _settings(request, forms.OrganizationForm(initial=forms.named(request.organization)))


@org_view(Permission.ORGANIZATION_MANAGE, methods=("POST",))
def rename(request: OrgRequest) -> HttpResponse:
    """Give the organization another name or address; the old address leads nowhere from then on."""
    form = forms.OrganizationForm(request.POST)
    if form.is_valid():
        try:
            differs = services.rename(
                organization=request.organization,
                name=form.cleaned_data["name"],
                slug=form.cleaned_data["slug"],
                by=request.user,
            )
        except services.SlugTaken as error:
            form.add_error("slug", str(error))
        else:
            pages.toast(request, "Saved." if differs else "Nothing differs.")
            return pages.go_to(request, _url(request, "accounts:settings"))
    return _settings(request, form, 422)


def _url(request: OrgRequest, name: str) -> str:
    return reverse(name, kwargs={"org": request.organization.slug})


@org_view(Permission.ORGANIZATION_MANAGE, methods=("GET", "POST"), dangerous=True)
def transfer(request: OrgRequest) -> HttpResponse:
    """Hand the organization over: another member becomes its owner, and oneself an admin."""
    if not request.membership.is_owner:
        raise PermissionDenied("An owner hands the organization over.")
    form = forms.TransferForm(request.membership, request.POST if request.method == "POST" else None)
    if form.is_valid():
        to: Membership = form.cleaned_data["to"]
        members.hand_over(membership=request.membership, to=to)
        pages.toast(request, f"{request.organization.name} is {to.user}'s now. You are an admin.")
        return pages.go_to(request, _url(request, "accounts:team"))
    return _asked(request, "accounts/transfer.html", form)


def _asked(request: OrgRequest, template: str, form: Any, **context: Any) -> HttpResponse:
    status = 422 if form is not None and form.is_bound else 200
    return pages.render_page(request, template, context | {"form": form}, status=status)


@org_view(Permission.ORGANIZATION_VIEW, methods=("GET", "POST"))
def leave(request: OrgRequest) -> HttpResponse:
    """Leave the organization; its last owner cannot."""
    wrong = ""
    if request.method == "POST":
        try:
            members.leave(membership=request.membership)
        except members.LastOwner as error:
            wrong = str(error)
        else:
            pages.toast(request, f"You left {request.organization.name}.")
            return pages.go_to(request, reverse("home"))
    tokens = list(request.membership.tokens.usable())
    context = {"wrong": wrong, "tokens": tokens}
    return pages.render_page(request, "accounts/leave.html", context, status=422 if wrong else 200)


@org_view(Permission.ORGANIZATION_MANAGE, methods=("GET", "POST"), dangerous=True)
def delete(request: OrgRequest) -> HttpResponse:
    """Delete the organization, once no cluster is connected any more."""
    organization = request.organization
    form = forms.DeleteForm(organization.name, request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            closing.close(organization=organization, by=request.user)
        except closing.InUse as error:
            form.add_error(None, str(error))
        else:
            pages.toast(request, f"{organization.name} is deleted.")
            return pages.go_to(request, reverse("home"))
    things = [
        {"noun": one.noun, "name": name, "url": _page(organization, one, name)}
        for one, name in closing.in_the_way(organization)
    ]
    goes = closing.what_goes(organization)
    return _asked(request, "accounts/delete_organization.html", form, things=things, goes=goes)


def _page(organization: Organization, blocker: closing.Blocker, name: str) -> str:
    return reverse(blocker.page, kwargs={"org": organization.slug, blocker.argument: name})
