"""The links of an organization, and of one cluster: which secret is what of which service, and whether it is in sync."""

import uuid
from typing import Any

from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce, NullIf
from django.http import HttpResponse
from django.utils.http import urlencode

from accounts.access import OrgRequest, org_view
from accounts.roles import Permission, who_may
from clusters.models import Cluster
from clusters.views import clusters as cluster_pages
from config import pages
from external_secrets import browsing_accesses
from external_secrets.forms import LinkedFilter
from external_secrets.models import ExternalSecret, ExternalSecretQuerySet
from external_secrets.views import addresses

PAGE = 50
# By what the service sees: a variable, else a file, else what several are taken from.
TITLE = Coalesce(NullIf("variable", Value("")), NullIf("path", Value("")), F("key"))
_SEARCHED = ("variable", "path", "key", "json_field", "namespace", "service__name", "container")
_KINDS = {
    "variable": Q(target="variable", takes="value"),
    "file": ~Q(target="variable"),
    "several": ~Q(takes="value"),
    "alias": Q(alias_of__isnull=False),
}


def filtered(links: ExternalSecretQuerySet, wanted: dict[str, Any]) -> ExternalSecretQuerySet:
    found = Q()
    for name in _SEARCHED if wanted.get("q") else ():
        found |= Q(**{f"{name}__icontains": wanted["q"]})
    same = {name: wanted[name] for name in ("status", "cluster", "access") if wanted.get(name)}
    if wanted.get("scope"):
        same["service__isnull"] = wanted["scope"] == "namespace"
    return links.filter(found, _KINDS.get(wanted.get("kind", ""), Q()), **same)


def _after(links: Any, cursor: str) -> Any:
    """Keep what follows the cursor, a title and an id; a broken one begins at the top."""
    title, _, link = cursor.replace("\x00", "").rpartition(":")
    try:
        last = uuid.UUID(link)
    except ValueError:
        return links
    return links.filter(Q(by__gt=title) | Q(by=title, pk__gt=last))


def _rows(request: OrgRequest, links: list[ExternalSecret]) -> list[dict[str, Any]]:
    org = request.organization.slug
    browsed = addresses.browsed(request, links)
    names = addresses.names_of(browsed)
    return [
        {
            "link": link,
            "href": addresses.of_link(org, link),
            "secret": addresses.of_secret(org, link, names) if link in browsed else "",
        }
        for link in links
    ]


@org_view(Permission.EXTERNAL_SECRET_VIEW)
def linked(request: OrgRequest) -> HttpResponse:
    """List the links, filtered by what the URL says, 50 at a time."""
    may = (request.organization, request.authority, Permission.EXTERNAL_SECRET_VIEW)
    clusters = Cluster.objects.within(*may).only("name")
    accesses = browsing_accesses.listed(*may)
    form = LinkedFilter(clusters, accesses, request.GET)
    form.is_valid()
    context = _listed(request, ExternalSecret.objects.within(*may), form) | {"tab": "linked"}
    return _answer(request, "external_secrets/linked.html", context)


@org_view(Permission.EXTERNAL_SECRET_VIEW)
def of_cluster(request: OrgRequest, cluster: str) -> HttpResponse:
    """List the links on one cluster, filtered by what the URL says, 50 at a time."""
    here = cluster_pages.find(request, cluster)
    may = (request.organization, request.authority, Permission.EXTERNAL_SECRET_VIEW)
    form = LinkedFilter(None, browsing_accesses.listed(*may, cluster=here.pk), request.GET)
    form.is_valid()
    links = ExternalSecret.objects.within(*may).filter(cluster=here)
    context = cluster_pages.page_context(request, here, "secrets") | _listed(request, links, form)
    return _answer(request, "external_secrets/of_cluster.html", context)


def _answer(request: OrgRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    return pages.render_page(
        request, template, context, part="more" if request.GET.get("after") else "results"
    )


def _listed(request: OrgRequest, links: ExternalSecretQuerySet, form: LinkedFilter) -> dict[str, Any]:
    """Return what the lists show: a page of the links that the checked form lets through."""
    found = filtered(links, form.cleaned_data)
    after = request.GET.get("after", "")
    related = found.select_related(*addresses.RELATED).defer(*addresses.SEALED)
    some = list(_after(related.annotate(by=TITLE), after).order_by("by", "pk")[: PAGE + 1])
    kept = {name: request.GET[name] for name in form.fields if request.GET.get(name)}
    last = some[PAGE - 1] if some[PAGE:] else None
    return {
        "rows": _rows(request, some[:PAGE]),
        "total": found.count(),
        "more": f"?{urlencode(kept | {'after': f'{last.by}:{last.pk}'})}" if last else "",
        "filters": kept,
        "form": form,
        "can_browse": request.allows(Permission.SECRET_BROWSE),
        "can_link": request.allows(Permission.EXTERNAL_SECRET_MANAGE),
        "who_may_browse": who_may(Permission.SECRET_BROWSE),
    }
