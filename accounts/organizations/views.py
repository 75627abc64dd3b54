"""Where a person lands, and who else is there."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from accounts.access import OrgRequest, org_view
from accounts.organizations.models import Membership, Organization
from accounts.roles import PERMISSIONS, Permission, Role
from config import pages


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Go to the organization that was used last, or say that there is none."""
    organizations = Organization.objects.filter(memberships__user=request.user).order_by("name")  # type: ignore[misc]
    last = organizations.filter(slug=request.COOKIES.get("organization", "")).first() or organizations.first()
    if last is None:
        return render(request, "accounts/no_organization.html")
    return redirect("clusters:index", org=last.slug)


@org_view(Permission.ORGANIZATION_VIEW)
def organization(request: OrgRequest) -> HttpResponse:
    return redirect("clusters:index", org=request.organization.slug)


@org_view(Permission.MEMBER_VIEW)
def team(request: OrgRequest) -> HttpResponse:
    """List the members, and what each role may do."""
    members = (
        Membership.objects.filter(organization=request.organization)
        .select_related("user")
        .prefetch_related("custom_roles")
    )
    matrix = {
        "roles": [str(role.label) for role in Role],
        "rows": [
            {"label": permission.sentence, "allowed": [permission in PERMISSIONS[role] for role in Role]}
            for permission in Permission
        ],
    }
    context = {"members": members.order_by("user__name", "pk"), "matrix": matrix}
    return pages.render_page(request, "accounts/team.html", context)
