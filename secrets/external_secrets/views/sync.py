"""Reading again now: one link, or all that failed; and the state that a page asks for until the answer is there."""

from typing import Any

from django.http import HttpResponse, QueryDict
from django.urls import reverse
from django.utils.http import urlencode

from accounts.access import OrgRequest, org_view
from accounts.roles import Permission
from clusters.models import Look
from clusters.views import clusters
from config import pages
from external_secrets import placing, syncing, usage_map
from external_secrets.models import ExternalSecret, InventoryEntry
from external_secrets.views import lookup

# After so many answers of “not yet” a page stops asking: no worker is there.
PATIENCE = 40


def _home(request: OrgRequest, link: ExternalSecret) -> str:
    """Return where a link stands."""
    return f"{lookup.place_url(request, placing.Place.of_link(link))}#link-{link.pk}"


def _count(asked: QueryDict) -> int:
    text = asked.get("n", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else 0


def _cell(
    request: OrgRequest, link: ExternalSecret, refusal: syncing.NotPossible | None = None
) -> HttpResponse:
    """Answer the state of a link as its row shows it; a refusal stays where it arose."""
    look = Look.objects.filter(cluster=link.cluster).first()
    count = _count(request.GET) + 1
    context = {
        "link": link,
        "foreign": look.of(link.object_name) if look else [],
        "can_sync": request.allows(
            Permission.EXTERNAL_SECRET_MANAGE,
            cluster=link.cluster.name,
            namespace=link.namespace,
            secret=link.key,
        ),
        "refusal": refusal,
        "count": count,
        "tired": count > PATIENCE,
    }
    status = 422 if refusal else 200
    return pages.render_page(request, "external_secrets/state.html", context, status=status)


@org_view(Permission.EXTERNAL_SECRET_VIEW)
def state(request: OrgRequest, link: Any) -> HttpResponse:
    """Answer the state of one link to a page that waits for it; anybody else goes to where the link stands."""
    found = lookup.link(request, str(link), Permission.EXTERNAL_SECRET_VIEW)
    if not pages.wants_part(request):
        return pages.go_to(request, _home(request, found))
    return _cell(request, found)


@org_view(Permission.EXTERNAL_SECRET_MANAGE, methods=("POST",))
def sync(request: OrgRequest, link: Any) -> HttpResponse:
    """Have the operator read one link again."""
    found = lookup.link(request, str(link), Permission.EXTERNAL_SECRET_MANAGE)
    refusal = None
    try:
        syncing.sync_now(links=[found], by=request.user)
    except syncing.NotPossible as error:
        refusal = error
    if pages.wants_part(request):
        return _cell(request, lookup.link(request, str(link), Permission.EXTERNAL_SECRET_MANAGE), refusal)
    pages.toast(request, f"{refusal} {refusal.remedy}" if refusal else f"{found.title} is being read again.")
    return pages.go_to(request, _home(request, found))


@org_view(Permission.EXTERNAL_SECRET_MANAGE, methods=("POST",))
def read_again(request: OrgRequest) -> HttpResponse:
    """Have the operators read again what leads to one secret, for example after it got a new version."""
    name = request.GET.get("name", "").replace("\x00", "")
    if not name:
        kwargs = {"org": request.organization.slug}
        return pages.go_to(request, reverse("external_secrets:linked", kwargs=kwargs))
    access = lookup.access(request, request.GET.get("access", ""), Permission.EXTERNAL_SECRET_MANAGE)
    entry = InventoryEntry.objects.filter(access=access, name=name).first()
    used = usage_map.of(request.organization, access, name, entry, request.authority)
    mine = ExternalSecret.objects.within(
        request.organization, request.authority, Permission.EXTERNAL_SECRET_MANAGE
    )
    links = mine.filter(pk__in=[use.link.pk for use in used.uses]).select_related(*lookup.RELATED)
    by_cluster: dict[Any, list[ExternalSecret]] = {}
    for link in links:
        by_cluster.setdefault(link.cluster_id, []).append(link)
    said = [_asked(request, group) for group in by_cluster.values()]
    pages.toast(request, " ".join(said) or "There is nothing to read again.")
    page = reverse("external_secrets:secret", kwargs={"org": request.organization.slug})
    return pages.go_to(request, f"{page}?{urlencode({'access': str(access.pk), 'name': name})}")


def _asked(request: OrgRequest, links: list[ExternalSecret]) -> str:
    """Ask for the links of one cluster, and say what came of it."""
    try:
        count = syncing.sync_now(links=links, by=request.user)
    except syncing.NotPossible as error:
        return f"{error} {error.remedy}"
    return f"{count} link{' is' if count == 1 else 's are'} being read again on {links[0].cluster}."


@org_view(Permission.EXTERNAL_SECRET_MANAGE, methods=("POST",))
def sync_failed(request: OrgRequest, cluster: str) -> HttpResponse:
    """Have the operator read again what failed on a cluster, all of it or what comes from one access."""
    found = clusters.find(request, cluster)
    wanted = request.POST.get("access", "")
    access = lookup.access(request, wanted, Permission.EXTERNAL_SECRET_MANAGE) if wanted else None
    links = syncing.failed(found, access).inside(request.authority, Permission.EXTERNAL_SECRET_MANAGE)
    try:
        links = links.select_related("access", "cluster__organization")
        count = syncing.sync_now(links=links, by=request.user)
        text = f"{count} secret{' is' if count == 1 else 's are'} being read again."
    except syncing.NotPossible as error:
        text = f"{error} {error.remedy}"
    pages.toast(request, text)
    kwargs = {"org": request.organization.slug}
    if access is None:
        return pages.go_to(
            request, f"{reverse('external_secrets:linked', kwargs=kwargs)}?cluster={found.name}"
        )
    kwargs |= {"cluster": found.name, "access": access.name}
    return pages.go_to(request, reverse("external_secrets:usage", kwargs=kwargs))
