"""The add-ons page, and one access: its states, its manifests and its end."""

from typing import Any

import yaml
from django.db.models import Count, Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from accesses import about, forms, manifests, seeing, services, states, users
from accesses.models import Access, AccessDraft, Identity, OperatorState
from accesses.providers import PROVIDERS
from accesses.setup import generator
from accounts.access import OrgRequest, org_view
from accounts.authority import Paths
from accounts.roles import Permission, who_may
from clusters.models import Look
from clusters.views import clusters
from config import pages

# How many of its links other pages than that of its usage show.
FIRST, LISTED = 5, 50


def find(request: OrgRequest, cluster: str, name: str, permission: Permission) -> Access:
    """Return an access by its cluster and name on which something may be done, or 404."""
    owned = Access.objects.within(request.organization, request.authority, permission)
    rows = owned.select_related("cluster__organization", "cloud_credential")
    return get_object_or_404(rows, cluster__name=cluster, name=name)


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
        "sees": seeing.told(access),
        "place_label": place_label,
        "place": place,
        "who": about.who(access, method, made),
        "states": states.of(access),
        "expiry": states.expiry(access),
    }


def _may(request: OrgRequest, cluster: str) -> dict[str, Any]:
    return {
        "can_manage": request.allows(Permission.ACCESS_MANAGE, cluster=cluster),
        "can_browse": request.allows(Permission.SECRET_BROWSE, cluster=cluster),
        "can_deploy": request.allows(Permission.DEPLOY_RUN, cluster=cluster),
        "can_move": request.allows(Permission.EXTERNAL_SECRET_MANAGE, cluster=cluster),
        "who_may_manage": who_may(Permission.ACCESS_MANAGE),
    }


def hidden(request: OrgRequest, access: Access, seen: QuerySet[Any]) -> int:
    """Return how many links of an access are none of those that may be seen."""
    if request.authority.everywhere(Permission.EXTERNAL_SECRET_VIEW, cluster=access.cluster.name):
        return 0
    return access.external_secrets.count() - seen.count()


def _credential_url(request: OrgRequest, access: Access) -> str:
    if not request.allows(Permission.CREDENTIAL_VIEW):
        return ""
    return about.credential_url(request.organization.slug, access.cloud_credential)


def _draft(draft: AccessDraft) -> dict[str, Any]:
    provider = PROVIDERS.get(draft.provider)
    return {
        "draft": draft,
        "provider": provider,
        "method": provider.method(draft.method) if provider else None,
    }


def _links_of(request: OrgRequest) -> Q:
    """Return which of an access's links are counted: those that may be seen."""
    paths = Paths(
        cluster="cluster__name", namespace="external_secrets__namespace", secret="external_secrets__key"
    )
    return request.authority.limit(Permission.EXTERNAL_SECRET_VIEW, paths)


@org_view(Permission.ACCESS_VIEW)
def add_ons(request: OrgRequest, cluster: str) -> HttpResponse:
    """Show the operator and the accesses of a cluster, and what the person has begun."""
    found = clusters.find(request, cluster)
    seen = found.accesses.inside(request.authority, Permission.ACCESS_VIEW)
    counted = seen.select_related("cloud_credential").annotate(
        linked=Count("external_secrets", filter=_links_of(request))
    )
    rows = list(counted.order_by("name"))
    made = about.identities_of(rows)
    begun = AccessDraft.objects.within(request.organization, request.authority, Permission.ACCESS_MANAGE)
    drafts = begun.filter(by=request.user, cluster=found).exclude(provider="")
    context = clusters.page_context(request, found, "add-ons") | {
        "rows": [facts(row, made.get(row.pk)) for row in rows],
        "drafts": [_draft(draft) for draft in drafts],
        "operator": OperatorState.objects.filter(cluster=found).first(),
        "can_manage_accesses": request.allows(Permission.ACCESS_MANAGE, cluster=found.name),
        "who_may_manage": who_may(Permission.ACCESS_MANAGE),
    }
    return pages.render_page(request, "accesses/add_ons.html", context)


@org_view(Permission.ACCESS_VIEW)
def detail(request: OrgRequest, cluster: str, access: str) -> HttpResponse:
    """Show an access: three states that are never merged, its links, what a deploy applies."""
    found = find(request, cluster, access, Permission.ACCESS_VIEW)
    seen = found.external_secrets.inside(request.authority, Permission.EXTERNAL_SECRET_VIEW)
    links = seen.select_related("service__cluster", "cluster", "alias_of").order_by(*users.ORDER)
    look = Look.objects.filter(cluster=found.cluster).first()
    shown = facts(found, about.identities_of([found]).get(found.pk))
    context = shown | {
        "cluster": found.cluster,
        "banner": clusters.banner(request, found.cluster),
        "foreign": look.of(found.store_name) if look else [],
        "look": look,
        "links": links[:FIRST],
        "linked": links.count(),
        "hidden": hidden(request, found, links),
        "account": about.account(found, shown["provider"], shown["who"]),
        "subject": about.subject(found, shown["method"]),
        "credential_url": _credential_url(request, found),
        "manifests": yaml.safe_dump_all(manifests.preview(found), sort_keys=False),
        "result": found.result,
        "policy_url": "" if found.method == "automatic" else generator.url(found),
        **_may(request, found.cluster.name),
    }
    return pages.render_page(request, "accesses/detail.html", context)


@org_view(Permission.ACCESS_MANAGE, methods=("POST",))
def test(request: OrgRequest, cluster: str, access: str) -> HttpResponse:
    """Test an access now; the page shows what was found."""
    found = find(request, cluster, access, Permission.ACCESS_MANAGE)
    services.verify(found, by=request.user)
    return pages.go_to(request, f"{url(request, found)}#states-h")


@org_view(Permission.ACCESS_MANAGE, methods=("GET", "POST"), dangerous=True)
def delete(request: OrgRequest, cluster: str, access: str) -> HttpResponse:
    """Delete an access that nothing uses; what uses it is listed."""
    found = find(request, cluster, access, Permission.ACCESS_MANAGE)
    form = forms.DeleteForm(found.name, request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            services.delete(access=found, by=request.user)
        except services.InUse as error:
            form.add_error(None, str(error))
            found = find(request, cluster, access, Permission.ACCESS_MANAGE)
        else:
            pages.toast(request, f"{found.name} is deleted. The next deploy removes its store.")
            kwargs = {"org": request.organization.slug, "cluster": found.cluster.name}
            return pages.go_to(request, reverse("accesses:add_ons", kwargs=kwargs))
    made = about.identities_of([found]).get(found.pk)
    links = found.external_secrets.inside(request.authority, Permission.EXTERNAL_SECRET_VIEW)
    context = facts(found, made) | {
        "cluster": found.cluster,
        "form": form,
        "tree": users.tree(links, LISTED),
        "listed": LISTED,
        "linked": links.count(),
        "hidden": hidden(request, found, links),
        "removed": [(one["kind"], one["metadata"]) for one in manifests.preview(found)],
        "made": made,
        **_may(request, found.cluster.name),
    }
    return pages.render_page(request, "accesses/delete.html", context, status=422 if form.is_bound else 200)
