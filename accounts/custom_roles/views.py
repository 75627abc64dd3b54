"""The roles of an organization: the matrix of the built-in ones, and the editor of its own."""

import uuid
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from accounts import delegation
from accounts.access import OrgRequest, org_view
from accounts.custom_roles import forms, preview, services
from accounts.organizations.models import CustomRole
from accounts.roles import CONSEQUENCES, GROUPS, PERMISSIONS, Permission, Role, who_may
from config import pages


def matrix() -> dict[str, Any]:
    """Return the built-in roles and, by group, which of them hold each permission."""
    return {
        "roles": [{"label": str(role.label), "consequence": CONSEQUENCES[role]} for role in Role],
        "groups": [
            {
                "title": title,
                "rows": [
                    {"label": one.sentence, "allowed": [one in PERMISSIONS[role] for role in Role]}
                    for one in permissions
                ],
            }
            for title, permissions in GROUPS
        ],
    }


def _find(request: OrgRequest, role: uuid.UUID | str) -> CustomRole:
    return get_object_or_404(CustomRole.objects.owned_by(request.organization), pk=role)


def _url(request: OrgRequest) -> str:
    return reverse("accounts:roles", kwargs={"org": request.organization.slug})


@org_view(Permission.MEMBER_VIEW)
def index(request: OrgRequest) -> HttpResponse:
    """Show what each role may do: the organization's own, and the five built-in ones."""
    roles = CustomRole.objects.owned_by(request.organization).prefetch_related("memberships")
    rows = [
        {
            "role": role,
            "count": len(role.memberships.all()),
            "sentences": [one.sentence for one in Permission if one in role.permissions],
            "scope": role.grant.scope,
            "editable": not delegation.may_give(request.authority, [role.grant]),
        }
        for role in roles
    ]
    context = {
        "rows": rows,
        "matrix": matrix(),
        "mine": request.membership.role_list,
        "can_manage": request.allows(Permission.ROLE_MANAGE),
        "who_may_manage": who_may(Permission.ROLE_MANAGE),
    }
    return pages.render_page(request, "accounts/roles.html", context)


def _held(request: OrgRequest) -> frozenset[Permission]:
    return frozenset(one for one in Permission if request.authority.allows(one))


def _editor(
    request: OrgRequest, form: forms.RoleForm, role: CustomRole | None, *, status: int = 200
) -> HttpResponse:
    wanted = form.previewed()
    context = {
        "form": form,
        "role": role,
        "seen": role.version if role else 0,
        "offered": form.groups(_held(request)),
        "reach": preview.of(request.organization, wanted.grant, request.authority) if wanted else None,
        "previewed": request.POST.get("act") == "preview",
        "holders": services.holders(role) if role else None,
    }
    return pages.render_page(request, "accounts/role.html", context, part="preview", status=status)


@org_view(Permission.ROLE_MANAGE, methods=("GET", "POST"), dangerous=True)
def new(request: OrgRequest) -> HttpResponse:
    """Make a role, from nothing or as a copy of another."""
    if request.method == "GET":
        return _editor(request, forms.RoleForm(initial=_copied(request)), None)
    form = forms.RoleForm(request.POST)
    if request.POST.get("act") == "preview":
        return _editor(request, form, None, status=200 if form.is_valid() else 422)
    if form.is_valid():
        try:
            made = services.create(
                organization=request.organization,
                wanted=form.cleaned_data["wanted"],
                by=request.user,
                authority=request.authority,
            )
        except services.Invalid as error:
            _say(form, error)
        except services.NameTaken as error:
            form.add_error("name", str(error))
        except delegation.MoreThanHeld as error:
            form.add_error("permissions", str(error))
        else:
            pages.toast(request, f"The role {made.name} is there to be given.")
            return pages.go_to(request, _url(request))
    return _editor(request, form, None, status=422)


def _copied(request: OrgRequest) -> dict[str, Any]:
    source = request.GET.get("from", "")
    if not source:
        return {}
    try:
        role = _find(request, uuid.UUID(source))
    except ValueError as error:
        raise Http404 from error
    return forms.initial(role, f"Copy of {role.name}"[:40])


def _say(form: forms.RoleForm, error: services.Invalid) -> None:
    for field, words in error.problems.items():
        form.add_error(field, words)


@org_view(Permission.ROLE_MANAGE, methods=("POST",))
def reach(request: OrgRequest) -> HttpResponse:
    """Tell what a role that is being edited would see; nothing is stored, so no proof is asked for while typing."""
    form = forms.RoleForm(request.POST)
    form.is_valid()
    # A name may still be missing.
    return _editor(request, form, None, status=200 if form.previewed() else 422)


@org_view(Permission.ROLE_MANAGE, methods=("GET", "POST"), dangerous=True)
def edit(request: OrgRequest, role: uuid.UUID) -> HttpResponse:
    """Change a role; everybody who has it may from then on what it says."""
    found = _find(request, role)
    if request.method == "GET":
        return _editor(request, forms.RoleForm(initial=forms.initial(found)), found)
    form = forms.RoleForm(request.POST)
    if request.POST.get("act") == "preview":
        return _editor(request, form, found, status=200 if form.is_valid() else 422)
    if form.is_valid() and _change(request, found, form):
        return pages.go_to(request, _url(request))
    return _editor(request, form, found, status=422)


def _change(request: OrgRequest, role: CustomRole, form: forms.RoleForm) -> bool:
    """Change the role and return whether that went well; what stands in the way is said on the form."""
    seen = request.POST.get("seen", "")
    try:
        differs = services.change(
            role=role,
            wanted=form.cleaned_data["wanted"],
            seen_version=int(seen) if seen.isdecimal() and len(seen) < 10 else 0,
            by=request.user,
            authority=request.authority,
        )
    except services.Changed as error:
        role.refresh_from_db()
        form.data = forms.initial(role) | {"seen": str(role.version)}
        form.add_error(None, str(error))
    except services.Invalid as error:
        _say(form, error)
    except services.NameTaken as error:
        form.add_error("name", str(error))
    except delegation.MoreThanHeld as error:
        form.add_error("permissions", str(error))
    else:
        said = "is changed; it holds from the next request on." if differs else "stays as it is."
        pages.toast(request, f"{form.cleaned_data['wanted'].name} {said}")
        return True
    return False


@org_view(Permission.ROLE_MANAGE, methods=("GET", "POST"), dangerous=True)
def delete(request: OrgRequest, role: uuid.UUID) -> HttpResponse:
    """Delete a role; who has it is shown, and loses it."""
    found = _find(request, role)
    form = forms.DeleteRoleForm(found.name, request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            services.delete(role=found, by=request.user, authority=request.authority)
        except delegation.MoreThanHeld as error:
            form.add_error(None, str(error))
        else:
            pages.toast(request, f"The role {found.name} is deleted.")
            return pages.go_to(request, _url(request))
    context = {"role": found, "form": form, "holders": services.holders(found)}
    status = 422 if form.is_bound else 200
    return pages.render_page(request, "accounts/role_delete.html", context, status=status)
