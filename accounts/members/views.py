"""The team: who is in, what each may do and why, other roles, and the way out."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from accounts import delegation
from accounts.access import OrgRequest, org_view
from accounts.custom_roles.fields import RolesField, values
from accounts.invitations.models import Invitation
from accounts.members import explaining, forms, services, team
from accounts.organizations.models import Membership
from accounts.roles import Permission, who_may
from config import pages


def _find(request: OrgRequest, membership: int) -> Membership:
    owned = Membership.objects.owned_by(request.organization).select_related("user", "organization")
    return get_object_or_404(owned.prefetch_related("custom_roles"), pk=membership)


def _url(request: OrgRequest, name: str = "accounts:team", **arguments: Any) -> str:
    return reverse(name, kwargs={"org": request.organization.slug} | arguments)


@org_view(Permission.MEMBER_VIEW)
def index(request: OrgRequest) -> HttpResponse:
    """List the people by name, the machines apart, and to who may manage them the invitations."""
    form = forms.SearchForm(request.GET)
    asked = form.cleaned_data if form.is_valid() else {}
    q = asked.get("q", "")
    page = team.page(request.organization, q, asked.get("after"))
    can_manage = request.allows(Permission.MEMBER_MANAGE)
    invitations = Invitation.objects.owned_by(request.organization).pending()
    context = {
        "page": page,
        "q": q,
        "can_manage": can_manage,
        "who_may_manage": who_may(Permission.MEMBER_MANAGE),
        "changeable": {one.pk for one in page.rows if can_manage and team.changeable(request.authority, one)},
        "machines": team.machines(request.organization) if not asked.get("after") else [],
        "invitations": list(invitations.prefetch_related("custom_roles")) if can_manage else [],
    }
    status = 200 if form.is_valid() else 422
    return pages.render_page(request, "accounts/team.html", context, part="people", status=status)


@org_view(Permission.MEMBER_VIEW)
def detail(request: OrgRequest, membership: int) -> HttpResponse:
    """Explain what a member may do, and why; in a place, when one is asked about."""
    found = _find(request, membership)
    form = forms.PlaceForm(request.GET)
    place = form.place() if form.is_valid() else {}
    can_manage = request.allows(Permission.MEMBER_MANAGE)
    context = {
        "member": found,
        "form": form,
        "where": explaining.words(place),
        "explained": explaining.of(found, place),
        "can_change": can_manage and team.changeable(request.authority, found),
        "can_manage": can_manage,
        "who_may_manage": who_may(Permission.MEMBER_MANAGE),
    }
    status = 200 if form.is_valid() else 422
    return pages.render_page(request, "accounts/member.html", context, part="answers", status=status)


@org_view(Permission.MEMBER_VIEW)
def who(request: OrgRequest) -> HttpResponse:
    """List who may do something, in a place when one is asked about, and why."""
    form = forms.WhoForm(request.GET if "permission" in request.GET else None)
    context: dict[str, Any] = {"form": form}
    if form.is_valid():
        permission, place = Permission(form.cleaned_data["permission"]), form.place()
        context |= {
            "permission": permission,
            "where": explaining.words(place),
            "rows": explaining.who(request.organization, permission, place),
        }
    status = 422 if form.is_bound and not form.is_valid() else 200
    return pages.render_page(request, "accounts/who_may.html", context, part="answers", status=status)


@org_view(Permission.MEMBER_MANAGE, methods=("GET", "POST"), dangerous=True)
def roles(request: OrgRequest, membership: int) -> HttpResponse:
    """Give a member other roles."""
    found = _find(request, membership)
    custom = list(found.custom_roles.all())
    form = forms.RolesForm(
        request.POST if request.method == "POST" else None, initial={"roles": values(found.roles, custom)}
    )
    field = form.fields["roles"]
    assert isinstance(field, RolesField)  # noqa: S101 for the type checker
    field.offer(request.organization, request.authority)
    if form.is_valid() and _change(request, found, form):
        return pages.go_to(request, _url(request, "accounts:member", membership=found.pk))
    context = {"member": found, "form": form, "can_change": team.changeable(request.authority, found)}
    status = 422 if form.is_bound else 200
    return pages.render_page(request, "accounts/member_roles.html", context, status=status)


def _change(request: OrgRequest, member: Membership, form: forms.RolesForm) -> bool:
    chosen = form.cleaned_data["roles"]
    try:
        differs = services.change_roles(
            membership=member,
            roles=chosen.roles,
            custom_roles=chosen.custom_roles,
            by=request.user,
            authority=request.authority,
        )
    except (services.NoRole, services.LastOwner, delegation.MoreThanHeld) as error:
        form.add_error("roles", str(error))
        return False
    said = "has other roles from the next request on." if differs else "keeps the same roles."
    pages.toast(request, f"{member.user} {said}")
    return True


@org_view(Permission.MEMBER_MANAGE, methods=("GET", "POST"), dangerous=True)
def remove(request: OrgRequest, membership: int) -> HttpResponse:
    """Take a member out of the organization."""
    found = _find(request, membership)
    form = forms.RemoveForm(found.user, request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            services.remove(membership=found, by=request.user, authority=request.authority)
        except (services.LastOwner, delegation.MoreThanHeld) as error:
            form.add_error(None, str(error))
        else:
            pages.toast(request, f"{found.user} is no member any more.")
            return pages.go_to(request, "/" if found.user == request.user else _url(request))
    sent = Invitation.objects.owned_by(request.organization).pending().filter(inviter=found.user)
    context = {
        "member": found,
        "form": form,
        "tokens": list(found.tokens.usable()),
        "invitations": sent.count(),
        "can_change": team.changeable(request.authority, found),
    }
    status = 422 if form.is_bound else 200
    return pages.render_page(request, "accounts/member_remove.html", context, status=status)
