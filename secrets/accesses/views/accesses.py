"""The add-ons page, and one access: its states, its manifests and its end."""

from typing import Any

import yaml
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from accesses import about, forms, manifests, services, states, users
from accesses.models import Access, AccessDraft, Identity, OperatorState
from accesses.providers import PROVIDERS
from accesses.setup import generator
from accounts.access import OrgRequest, org_view
from accounts.roles import Permission, who_may
from clusters.models import Look
from clusters.views import clusters
from config import pages

# How many of its links other pages than that of its usage show.
FIRST, LISTED = 5, 50


def find(request: OrgRequest, cluster: str, name: str) -> Access:
    """Return an access of the organization by its cluster and name, or 404."""
    owned = Access.objects.owned_by(request.organization).select_related(
        "cluster__organization", "cloud_credential"
    )
    return get_object_or_404(owned, cluster__name=cluster, name=name)


def url(request: OrgRequest, access: Access, page: str = "detail") -> str:
    kwargs = {"org": request.organization.slug, "cluster": access.cluster.name, "access": access.name}
    return reverse(f"accesses:{page}", kwargs=kwargs)


def facts(access: Access, made: Identity | None = None) -> dict[str, Any]:
    """Return what templates show of an access besides its own fields; `made` is what automatic mode made for it."""
    provider = PROVIDERS[access.provider]
    method = provider.method(access.method)
    settings = method.form.describe(access.configuration) if method else []
    place_label, place = about.place(access, provider)
    return {
        "access": access,
        "provider": provider,
        "method": method,
        "settings": settings,
        "where": " · ".join(value for _, value in settings if value),
        "place_label": place_label,
        "place": place,
        "who": about.who(access, method, made),
        "states": states.of(access),
        "expiry": states.expiry(access),
    }


def _may(request: OrgRequest) -> dict[str, Any]:
    return {
        "can_manage": request.allows(Permission.ACCESS_MANAGE),
        "can_browse": request.allows(Permission.SECRET_BROWSE),
        "can_deploy": request.allows(Permission.DEPLOY_RUN),
        "can_move": request.allows(Permission.EXTERNAL_SECRET_MANAGE),
        "who_may_manage": who_may(Permission.ACCESS_MANAGE),
    }


def _draft(draft: AccessDraft) -> dict[str, Any]:
    provider = PROVIDERS.get(draft.provider)
    return {
        "draft": draft,
        "provider": provider,
        "method": provider.method(draft.method) if provider else None,
    }


@org_view(Permission.ACCESS_VIEW)
def add_ons(request: OrgRequest, cluster: str) -> HttpResponse:
    """Show the operator and the accesses of a cluster, and what the person has begun."""
    found = clusters.find(request, cluster)
    counted = found.accesses.select_related("cloud_credential").annotate(linked=Count("external_secrets"))
    rows = list(counted.order_by("name"))
    made = about.identities_of(rows)
    begun = AccessDraft.objects.owned_by(request.organization).filter(by=request.user, cluster=found)
    drafts = begun.exclude(provider="")
    context = clusters.page_context(request, found, "add-ons") | {
        "rows": [facts(row, made.get(row.pk)) for row in rows],
        "drafts": [_draft(draft) for draft in drafts],
        "operator": OperatorState.objects.filter(cluster=found).first(),
        "can_manage_accesses": request.allows(Permission.ACCESS_MANAGE),
        "who_may_manage": who_may(Permission.ACCESS_MANAGE),
    }
    return pages.render_page(request, "accesses/add_ons.html", context)


@org_view(Permission.ACCESS_VIEW)
def detail(request: OrgRequest, cluster: str, access: str) -> HttpResponse:
    """Show an access: three states that are never merged, its links, what a deploy applies."""
    found = find(request, cluster, access)
    links = found.external_secrets.select_related("service__cluster", "cluster", "alias_of").order_by(
        *users.ORDER
    )
    look = Look.objects.filter(cluster=found.cluster).first()
    shown = facts(found, about.identities_of([found]).get(found.pk))
    context = shown | {
        "cluster": found.cluster,
        "banner": clusters.banner(found.cluster),
        "foreign": look.of(found.store_name) if look else [],
        "look": look,
        "links": links[:FIRST],
        "linked": links.count(),
        "account": about.account(found, shown["provider"], shown["who"]),
        "subject": about.subject(found, shown["method"]),
        "credential_url": about.credential_url(request.organization.slug, found.cloud_credential),
        "manifests": yaml.safe_dump_all(manifests.preview(found), sort_keys=False),
        "result": found.result,
        "policy_url": "" if found.method == "automatic" else generator.url(found),
        **_may(request),
    }
    return pages.render_page(request, "accesses/detail.html", context)


@org_view(Permission.ACCESS_MANAGE, methods=("POST",))
def test(request: OrgRequest, cluster: str, access: str) -> HttpResponse:
    """Test an access now; the page shows what was found."""
    found = find(request, cluster, access)
    services.verify(found, by=request.user)
    return pages.go_to(request, f"{url(request, found)}#states-h")


@org_view(Permission.ACCESS_MANAGE, methods=("GET", "POST"), dangerous=True)
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
    made = about.identities_of([found]).get(found.pk)
    links = found.external_secrets.all()
    context = facts(found, made) | {
        "cluster": found.cluster,
        "form": form,
        "tree": users.tree(links, LISTED),
        "listed": LISTED,
        "linked": links.count(),
        "removed": [(one["kind"], one["metadata"]) for one in manifests.preview(found)],
        "made": made,
        **_may(request),
    }
    return pages.render_page(request, "accesses/delete.html", context, status=422 if form.is_bound else 200)
