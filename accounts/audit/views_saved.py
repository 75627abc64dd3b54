"""The pages of saved views: keeping the filter that is shown, renaming and deleting one."""

from typing import Any

from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404
from django.urls import reverse

from accounts import access
from accounts.access import OrgRequest, org_view
from accounts.audit import chips, saved_views
from accounts.audit.forms import ViewForm
from accounts.audit.saved_views import AuditView
from accounts.roles import Permission
from config import pages


def _log(request: OrgRequest, query: str) -> str:
    url = reverse("accounts:audit", kwargs={"org": request.organization.slug})
    return f"{url}?{query}" if query else url


@org_view(Permission.AUDIT_VIEW, methods=("GET", "POST"))
def new(request: OrgRequest) -> HttpResponse:
    """Keep the filter of the page's own address under a name."""
    query = QueryDict(saved_views.canonical(request.GET))
    form = ViewForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            view = saved_views.save(
                membership=request.membership, query=query, by=request.user, **form.cleaned_data
            )
        except (saved_views.NameTaken, saved_views.TooMany) as error:
            form.add_error("name", str(error))
        else:
            pages.toast(request, f"The view {view.name} is saved.")
            return pages.go_to(request, _log(request, view.query))
    return _page(
        request, form, {"back": _log(request, query.urlencode()), "filters": _filters(request, query)}
    )


@org_view(Permission.AUDIT_VIEW, methods=("GET", "POST"))
def edit(request: OrgRequest, view: int) -> HttpResponse:
    """Rename a view or delete it: one's own, or a shared one by whoever may manage the log."""
    found = get_object_or_404(AuditView.objects.seen_by(request.membership), pk=view)
    form = ViewForm(request.POST if request.method == "POST" else {"name": found.name})
    mine = not found.is_shared or found.created_by_id == request.user.pk
    if request.method == "POST" and not mine:
        access.require(request, Permission.AUDIT_MANAGE)
    if request.method == "POST" and request.POST.get("then") == "delete":
        saved_views.delete(view=found, by=request.user)
        pages.toast(request, f"The view {found.name} is deleted.")
        return pages.go_to(request, _log(request, ""))
    if request.method == "POST" and form.is_valid():
        try:
            saved_views.rename(view=found, name=form.cleaned_data["name"], by=request.user)
        except saved_views.NameTaken as error:
            form.add_error("name", str(error))
        else:
            return pages.go_to(request, _log(request, found.query))
    query = QueryDict(found.query)
    context = {
        "view": found,
        "may_change": mine or request.allows(Permission.AUDIT_MANAGE),
        "back": _log(request, found.query),
        "filters": _filters(request, query),
    }
    return _page(request, form, context)


def _filters(request: OrgRequest, query: QueryDict) -> list[chips.Chip]:
    return chips.of(request.organization, query)


def _page(request: OrgRequest, form: ViewForm, context: dict[str, Any]) -> HttpResponse:
    status = 422 if request.method == "POST" else 200
    return pages.render_page(request, "accounts/audit_view.html", context | {"form": form}, status=status)
