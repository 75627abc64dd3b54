"""The add-ons page, and one access: its states, its manifests, its change and its end."""

from typing import Any

import yaml
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from accesses import manifests, services
from accesses.forms import DeleteForm, NamespacesForm, all_valid
from accesses.models import Access, AccessDraft
from accesses.providers import PROVIDERS
from accesses.providers.aws import REGIONS
from accounts.access import OrgRequest, org_view
from accounts.roles import Permission, who_may
from clusters.views import clusters
from config import pages


def _access(request: OrgRequest, cluster: str, name: str) -> Access:
    owned = Access.objects.owned_by(request.organization).select_related("cluster__organization")
    return get_object_or_404(owned, cluster__name=cluster, name=name)


def _url(request: OrgRequest, access: Access, page: str = "detail") -> str:
    kwargs = {"org": request.organization.slug, "cluster": access.cluster.name, "access": access.name}
    return reverse(f"accesses:{page}", kwargs=kwargs)


def _facts(access: Access) -> dict[str, Any]:
    """Return what templates show of an access besides its own fields."""
    provider = PROVIDERS[access.provider]
    method = provider.method(access.method)
    return {
        "access": access,
        "provider": provider,
        "method": method,
        "region": access.configuration.get("region", ""),
    }


@org_view(Permission.ACCESS_VIEW)
def add_ons(request: OrgRequest, cluster: str) -> HttpResponse:
    """Show the operator and the accesses of a cluster, and what the person has begun."""
    found = clusters.find(request, cluster)
    rows = found.accesses.annotate(linked=Count("external_secrets")).order_by("name")
    drafts = AccessDraft.objects.owned_by(request.organization).filter(by=request.user, cluster=found)
    context = clusters.page_context(request, found, "add-ons") | {
        "rows": [_facts(row) for row in rows],
        "drafts": drafts,
        "can_manage_accesses": request.allows(Permission.ACCESS_MANAGE),
        "who_may_manage": who_may(Permission.ACCESS_MANAGE),
    }
    return pages.render_page(request, "accesses/add_ons.html", context)


@org_view(Permission.ACCESS_VIEW)
def detail(request: OrgRequest, cluster: str, access: str) -> HttpResponse:
    """Show an access: three states that are never merged, its links, what a deploy applies."""
    found = _access(request, cluster, access)
    shown = yaml.safe_dump_all(manifests.preview(found), sort_keys=False)
    context = _facts(found) | {
        "cluster": found.cluster,
        "links": found.external_secrets.select_related("service__cluster").order_by(
            "service__namespace", "variable"
        ),
        "manifests": shown,
        "can_manage": request.allows(Permission.ACCESS_MANAGE),
        "can_browse": request.allows(Permission.SECRET_BROWSE),
        "policy": PROVIDERS[found.provider].listing_policy,
    }
    return pages.render_page(request, "accesses/detail.html", context)


@org_view(Permission.ACCESS_MANAGE, methods=("POST",))
def test(request: OrgRequest, cluster: str, access: str) -> HttpResponse:
    """Test an access now; the page shows what was found."""
    found = _access(request, cluster, access)
    services.verify(found)
    return pages.go_to(request, _url(request, found))


@org_view(Permission.ACCESS_MANAGE, methods=("GET", "POST"))
def edit(request: OrgRequest, cluster: str, access: str) -> HttpResponse:
    """Change an access; new values are tested before they replace the old ones."""
    found = _access(request, cluster, access)
    method = PROVIDERS[found.provider].method(found.method)
    data = request.POST if request.method == "POST" else None
    if method is None:
        return pages.go_to(request, _url(request, found))
    form = method.form(data, initial=found.configuration, stored=found.credential is not None)
    spaces = NamespacesForm(found.cluster, data, initial={"namespaces": found.namespaces})
    result = None
    if data is not None and all_valid(form, spaces):
        values = {
            "configuration": form.configuration(),
            "credential": form.credential(found.credential),
            "namespaces": spaces.cleaned_data["namespaces"],
        }
        result = services.try_access(Access(**_tried(found) | values))
        seen = data.get("seen", "")
        if not result.usable:
            form.add_error(None, f"{result.reason} {result.remedy}")
        else:
            try:
                seen_version = int(seen) if seen.isdecimal() else 0
                services.change(access=found, seen_version=seen_version, by=request.user, **values)
            except services.Changed as error:
                form.add_error(None, str(error))
                found.refresh_from_db()
            else:
                pages.toast(request, f"{found.name} is changed. Deploy to apply it.")
                return pages.go_to(request, _url(request, found))
    context = _facts(found) | {
        "cluster": found.cluster, "form": form, "namespaces_form": spaces, "regions": REGIONS, "result": result,
    }  # fmt: skip
    status = 422 if form.is_bound else 200
    return pages.render_page(request, "accesses/edit.html", context, status=status)


def _tried(access: Access) -> dict[str, Any]:
    """Return what a change does not touch, for an unsaved access to test with."""
    return {
        "cluster": access.cluster,
        "provider": access.provider,
        "method": access.method,
        "name": access.name,
    }


@org_view(Permission.ACCESS_MANAGE, methods=("GET", "POST"))
def delete(request: OrgRequest, cluster: str, access: str) -> HttpResponse:
    """Remove an access that nothing uses; what uses it is listed."""
    found = _access(request, cluster, access)
    form = DeleteForm(found.name, request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            services.delete(access=found, by=request.user)
        except services.InUse as error:
            form.add_error(None, str(error))
        else:
            pages.toast(request, f"{found.name} is removed. The next deploy removes its store.")
            kwargs = {"org": request.organization.slug, "cluster": found.cluster.name}
            return pages.go_to(request, reverse("accesses:add_ons", kwargs=kwargs))
    links = found.external_secrets.select_related("service__cluster") if found.pk else []
    context = _facts(found) | {"cluster": found.cluster, "form": form, "links": links}
    status = 422 if form.is_bound else 200
    return pages.render_page(request, "accesses/delete.html", context, status=status)
