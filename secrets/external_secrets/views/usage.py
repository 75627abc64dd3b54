"""Who uses an access, as a tree from the cluster down to the variable; and moving that to another access."""

from typing import Any

from django.db.models import Q
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.http import urlencode

from accesses import states, users
from accesses.models import Access
from accesses.providers import PROVIDERS
from accesses.views import accesses
from accounts.access import OrgRequest, org_view
from accounts.roles import Permission, who_may
from clusters.models import Service
from config import pages
from external_secrets import forms, moving, syncing
from external_secrets.models import ExternalSecret, ExternalSecretQuerySet
from external_secrets.views import addresses, lookup

# So many variables the tree shows at first, and more with each “Show more”.
PAGE = 200
# So many names the card of a target lists.
UNKNOWN = 12
_SEARCHED = (
    "namespace", "service__name", "variable", "path", "container", "key", "json_field",
)  # fmt: skip


def _filtered(links: ExternalSecretQuerySet, text: str) -> ExternalSecretQuerySet:
    wanted = Q()
    for name in _SEARCHED:
        wanted |= Q(**{f"{name}__icontains": text})
    return links.filter(wanted) if text else links


def _with_addresses(request: OrgRequest, access: Access, tree: users.Tree) -> None:
    """Put on each link the address of what it takes, where the person may look at it."""
    shown = [link for one in tree for branch in one["services"] for link in branch["links"]]
    for link in shown:
        link.access, link.cluster = access, access.cluster
    seen: list[Any] = addresses.browsed(request, shown)
    names = addresses.names_of(seen)
    for link in seen:
        link.upstream = addresses.of_secret(request.organization.slug, link, names)


def _limit(asked: QueryDict) -> int:
    text = asked.get("show", "")
    return max(PAGE, int(text)) if text.isascii() and text.isdecimal() and len(text) < 7 else PAGE


@org_view(Permission.EXTERNAL_SECRET_VIEW)
def usage(request: OrgRequest, cluster: str, access: str) -> HttpResponse:
    """Show which variables of which services come from an access, filtered by the text in the URL."""
    found = accesses.find(request, cluster, access, Permission.EXTERNAL_SECRET_VIEW)
    text = request.GET.get("q", "").replace("\x00", "").strip()[:200]
    limit = _limit(request.GET)
    all_links = links_of(request, found, Permission.EXTERNAL_SECRET_VIEW)
    links = _filtered(all_links, text)
    tree = users.tree(links, limit)
    if request.allows(Permission.SECRET_BROWSE):
        _with_addresses(request, found, tree)
    total = all_links.count()
    matching = links.count() if text else total
    more = urlencode(({"q": text} if text else {}) | {"show": limit + PAGE}) if matching > limit else ""
    context = {
        "access": found,
        "cluster": found.cluster,
        "provider": PROVIDERS[found.provider],
        "tree": tree,
        "q": text,
        "matching": matching,
        "shown": min(limit, matching),
        "total": total,
        "failed": syncing.failed(found.cluster, found)
        .inside(request.authority, Permission.EXTERNAL_SECRET_MANAGE)
        .count(),
        "more": f"?{more}" if more else "",
        "services": total or _services_around(request, found),
        "namespaces": _namespaces(request, found),
        "sees_access": request.allows(Permission.ACCESS_VIEW, cluster=cluster),
        "can_browse": request.allows(Permission.SECRET_BROWSE),
        "can_move": request.allows(Permission.EXTERNAL_SECRET_MANAGE),
        "who_may_move": who_may(Permission.EXTERNAL_SECRET_MANAGE),
    }
    return pages.render_page(request, "external_secrets/usage.html", context, part="results")


def links_of(request: OrgRequest, access: Access, permission: Permission) -> ExternalSecretQuerySet:
    """Return the links of an access with which something may be done."""
    return ExternalSecret.objects.filter(access=access).inside(request.authority, permission)


def _namespaces(request: OrgRequest, access: Access) -> list[str]:
    """Return the namespaces that an access is open to, as far as one may see."""
    place = {"cluster": access.cluster.name}
    return [
        name
        for name in access.namespaces
        if request.allows(Permission.EXTERNAL_SECRET_VIEW, namespace=name, **place)
    ]


def _services_around(request: OrgRequest, access: Access) -> int:
    """Return how many services could use the access."""
    seen = access.cluster.services.inside(request.authority, Permission.EXTERNAL_SECRET_VIEW)
    return seen.filter(namespace__in=access.namespaces, gone_at=None).count()


# -- moving ----------------------------------------------------------------------------------------------
def _scope(request: OrgRequest, access: Access) -> tuple[ExternalSecretQuerySet, str]:
    """Return the links that the URL names: those of a service or a namespace, with its name, or all of them."""
    links = links_of(request, access, Permission.EXTERNAL_SECRET_MANAGE)
    if request.GET.get("service"):
        owned = Service.objects.within(
            request.organization, request.authority, Permission.EXTERNAL_SECRET_MANAGE
        )
        service = get_object_or_404(
            owned, cluster=access.cluster_id, pk=lookup.as_uuid(request.GET["service"])
        )
        return links.filter(service=service), str(service)
    namespace = request.GET.get("namespace", "").replace("\x00", "")
    return (links.filter(namespace=namespace) if namespace else links), namespace


def _cards(targets: list[moving.Target]) -> list[dict[str, Any]]:
    return [
        {
            "target": one,
            "access": one.access,
            "provider": PROVIDERS[one.access.provider],
            "method": PROVIDERS[one.access.provider].method(one.access.method),
            "states": states.of(one.access),
            "unknown": one.unknown[:UNKNOWN],
            "more": max(0, len(one.unknown) - UNKNOWN),
        }
        for one in targets
    ]


def _page_of(request: OrgRequest, name: str, access: Access) -> str:
    kwargs = {"org": request.organization.slug, "cluster": access.cluster.name, "access": access.name}
    return reverse(name, kwargs=kwargs)


def _move(
    request: OrgRequest, source: Access, form: forms.MoveForm, links: ExternalSecretQuerySet | None
) -> str:
    """Move what was asked for; return where to go on, or nothing when the form says why not."""
    target = form.cleaned_data["target"].access
    chosen = None if links is None else list(links.values_list("pk", flat=True))
    try:
        moved = moving.move(source=source, target=target, links=chosen, by=request.user)
    except moving.NotPossible as error:
        form.add_error("target", str(error))
        return ""
    words = f"{moved} secret{' is' if moved == 1 else 's are'} moved to {target}."
    pages.toast(request, f"{words} Deploy {source.cluster} to bring it there.")
    if request.GET.get("then") == "delete":
        return _page_of(request, "accesses:delete", source)
    return _page_of(request, "external_secrets:usage", target)


def find_targets(request: OrgRequest, source: Access, links: ExternalSecretQuerySet) -> list[moving.Target]:
    """Return the accesses to which links may go, of those that may be seen."""
    targets = moving.targets(source, links)
    if request.authority.everywhere(Permission.EXTERNAL_SECRET_MANAGE, cluster=source.cluster.name):
        return targets
    others = Access.objects.within(request.organization, request.authority, Permission.EXTERNAL_SECRET_MANAGE)
    seen = set(others.filter(cluster=source.cluster_id).values_list("pk", flat=True))
    return [one for one in targets if one.access.pk in seen]


@org_view(Permission.EXTERNAL_SECRET_MANAGE, methods=("GET", "HEAD", "POST"))
def move(request: OrgRequest, cluster: str, access: str) -> HttpResponse:
    """Ask to which other access what uses this one goes, and move it there."""
    found = accesses.find(request, cluster, access, Permission.EXTERNAL_SECRET_MANAGE)
    links, scope = _scope(request, found)
    targets = find_targets(request, found, links)
    possible = [one for one in targets if not one.obstacle]
    only = {"target": possible[0].access.name} if len(possible) == 1 else {}
    form = forms.MoveForm(targets, request.POST if request.method == "POST" else None, initial=only)
    if form.is_valid():
        whole = request.authority.everywhere(Permission.EXTERNAL_SECRET_MANAGE, cluster=cluster)
        leads_to = _move(request, found, form, None if whole and not scope else links)
        if leads_to:
            return pages.go_to(request, leads_to)
    count = links.count()
    context = {
        "access": found,
        "cluster": found.cluster,
        "provider": PROVIDERS[found.provider],
        "form": form,
        "cards": _cards(targets),
        "possible": possible,
        "count": count,
        "total": links_of(request, found, Permission.EXTERNAL_SECRET_MANAGE).count() if scope else count,
        "scope": scope,
        "then": request.GET.get("then", ""),
        "tree": users.tree(links, PAGE),
        "can_manage": request.allows(Permission.ACCESS_MANAGE, cluster=cluster),
    }
    status = 422 if form.is_bound else 200
    return pages.render_page(request, "external_secrets/move.html", context, status=status)
