"""The add-ons page, and one access: its states, its manifests and its end."""

from typing import Any

import yaml
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from accesses import forms, manifests, services, states
from accesses.models import Access, AccessDraft, OperatorState
from accesses.providers import PROVIDERS
from accounts.access import OrgRequest, org_view
from accounts.roles import Permission, who_may
from clusters.models import Look
from clusters.views import clusters
from config import pages


def find(request: OrgRequest, cluster: str, name: str) -> Access:
    """Return an access of the organization by its cluster and name, or 404."""
    owned = Access.objects.owned_by(request.organization).select_related(
        "cluster__organization", "cloud_credential"
    )
    return get_object_or_404(owned, cluster__name=cluster, name=name)


def url(request: OrgRequest, access: Access, page: str = "detail") -> str:
    kwargs = {"org": request.organization.slug, "cluster": access.cluster.name, "access": access.name}
    return reverse(f"accesses:{page}", kwargs=kwargs)


def facts(access: Access) -> dict[str, Any]:
    """Return what templates show of an access besides its own fields."""
    provider = PROVIDERS[access.provider]
    method = provider.method(access.method)
    settings = method.form.describe(access.configuration) if method else []
    return {
        "access": access,
        "provider": provider,
        "method": method,
        "settings": settings,
        "where": " · ".join(value for _, value in settings if value),
        "states": states.of(access),
    }


@org_view(Permission.ACCESS_VIEW)
def add_ons(request: OrgRequest, cluster: str) -> HttpResponse:
    """Show the operator and the accesses of a cluster, and what the person has begun."""
    found = clusters.find(request, cluster)
    rows = found.accesses.annotate(linked=Count("external_secrets")).order_by("name")
    begun = AccessDraft.objects.owned_by(request.organization).filter(by=request.user, cluster=found)
    drafts = begun.exclude(provider="")
    context = clusters.page_context(request, found, "add-ons") | {
        "rows": [facts(row) for row in rows],
        "drafts": [{"draft": draft, "provider": PROVIDERS.get(draft.provider)} for draft in drafts],
        "operator": OperatorState.objects.filter(cluster=found).first(),
        "can_manage_accesses": request.allows(Permission.ACCESS_MANAGE),
        "who_may_manage": who_may(Permission.ACCESS_MANAGE),
    }
    return pages.render_page(request, "accesses/add_ons.html", context)


@org_view(Permission.ACCESS_VIEW)
def detail(request: OrgRequest, cluster: str, access: str) -> HttpResponse:
    """Show an access: three states that are never merged, its links, what a deploy applies."""
    found = find(request, cluster, access)
    links = found.external_secrets.select_related("service__cluster")
    look = Look.objects.filter(cluster=found.cluster).first()
    context = facts(found) | {
        "cluster": found.cluster,
        "banner": clusters.banner(found.cluster),
        "foreign": look.of(found.store_name) if look else [],
        "look": look,
        "links": links.order_by("service__namespace", "service__name", "variable"),
        "manifests": yaml.safe_dump_all(manifests.preview(found), sort_keys=False),
        "result": found.result,
        "can_manage": request.allows(Permission.ACCESS_MANAGE),
        "can_browse": request.allows(Permission.SECRET_BROWSE),
        "can_deploy": request.allows(Permission.DEPLOY_RUN),
        "who_may_manage": who_may(Permission.ACCESS_MANAGE),
    }
    return pages.render_page(request, "accesses/detail.html", context)


@org_view(Permission.ACCESS_MANAGE, methods=("POST",))
def test(request: OrgRequest, cluster: str, access: str) -> HttpResponse:
    """Test an access now; the page shows what was found."""
    found = find(request, cluster, access)
    services.verify(found)
    return pages.go_to(request, f"{url(request, found)}#states-h")


@org_view(Permission.ACCESS_MANAGE, methods=("GET", "POST"))
def delete(request: OrgRequest, cluster: str, access: str) -> HttpResponse:
    """Delete an access that nothing uses; what uses it is listed."""
    found = find(request, cluster, access)
    form = forms.DeleteForm(found.name, request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            services.delete(access=found, by=request.user)
        except services.InUse as error:
            form.add_error(None, str(error))
            found = find(request, cluster, access)
        else:
            pages.toast(request, f"{found.name} is deleted. The next deploy removes its store.")
            kwargs = {"org": request.organization.slug, "cluster": found.cluster.name}
            return pages.go_to(request, reverse("accesses:add_ons", kwargs=kwargs))
    links = found.external_secrets.select_related("service__cluster")
    context = facts(found) | {"cluster": found.cluster, "form": form, "links": links}
    return pages.render_page(request, "accesses/delete.html", context, status=422 if form.is_bound else 200)
