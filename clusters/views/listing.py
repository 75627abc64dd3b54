"""The list of clusters."""

from django.http import HttpResponse
from django.utils.http import urlencode

from accounts.access import OrgRequest, org_view
from accounts.roles import Permission, who_may
from clusters import listing
from clusters.models import Cluster
from config import pages


@org_view(Permission.CLUSTER_VIEW)
def index(request: OrgRequest) -> HttpResponse:
    """List the clusters, fifty at a time, as filtered by the URL."""
    owned = Cluster.objects.within(request.organization, request.authority, Permission.CLUSTER_VIEW)
    form, after = listing.Filter(request.GET), request.GET.get("after", "")
    kept = form.kept
    page = listing.cut(listing.filtered(owned, kept), request.authority, after=after)
    context = {
        "page": page,
        "rows": page.rows,
        "form": form,
        "filters": kept,
        "chips": _chips(form, kept),
        "total": owned.count() if kept else page.total,
        "continued": bool(after),
        "more": f"?{urlencode(kept | {'after': page.more})}" if page.more else "",
        "sees_credentials": request.allows(Permission.CREDENTIAL_VIEW),
        "can_manage": request.allows(Permission.CLUSTER_MANAGE),
        "who_may_manage": who_may(Permission.CLUSTER_MANAGE),
    }
    return pages.render_page(request, "clusters/index.html", context, part="more" if after else "results")


def _chips(form: listing.Filter, kept: dict[str, str]) -> list[dict[str, str]]:
    """Return the chosen filters in words, each with the address without it."""
    chips = []
    for bound in form.selects:
        if bound.name in kept:
            rest = {name: value for name, value in kept.items() if name != bound.name}
            label = dict(bound.field.choices)[kept[bound.name]]  # type: ignore[attr-defined]
            chips.append({"label": f"{bound.label}: {label}", "without": f"?{urlencode(rest)}"})
    return chips
