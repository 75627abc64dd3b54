"""How a cluster is and was: the findings of the last look, and the stretches before it."""

from django.http import HttpResponse

from accounts import pacing
from accounts.access import OrgRequest, org_view
from accounts.roles import Permission
from clusters.health import schedule
from clusters.models import Health
from clusters.views import clusters
from config import pages

# So many stretches are shown; the log has the rest.
SHOWN = 50


@org_view(Permission.CLUSTER_VIEW, methods=("GET", "POST"))
@pacing.paced("POST")
def health(request: OrgRequest, cluster: str) -> HttpResponse:
    """Show how a cluster is and was; POST looks now."""
    found = clusters.find(request, cluster)
    if request.method == "POST":
        schedule.take(str(found.pk))
        return pages.go_to(request, request.path)
    rows = Health.objects.within(request.organization, request.authority, Permission.CLUSTER_VIEW)
    stretches = list(rows.filter(cluster=found)[: SHOWN + 1])
    context = clusters.page_context(request, found, "health") | {
        "now": next((one for one in stretches if one.ended_at is None), None),
        "stretches": stretches[:SHOWN],
        "more": len(stretches) > SHOWN,
    }
    return pages.render_page(request, "clusters/health.html", context)
