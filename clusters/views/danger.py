"""The danger zone of a cluster: disconnecting it, after leaving or removing what was made there."""

from django.http import HttpResponse
from django.urls import reverse

from accounts.access import OrgRequest, org_view
from accounts.roles import Permission
from clusters import deploys, kubernetes, removing, services
from clusters.forms import DisconnectForm
from clusters.models import Cluster, Deploy
from clusters.views import clusters
from config import pages


@org_view(Permission.CLUSTER_MANAGE, methods=("GET", "POST"), dangerous=True)
def danger(request: OrgRequest, cluster: str) -> HttpResponse:
    """List what was made, and disconnect a cluster whose name was typed, or take all of that away first."""
    found = clusters.find(request, cluster)
    last = removing.last(found)
    empty = last is not None and last.status == Deploy.Status.SUCCEEDED
    form = DisconnectForm(found.name, request.POST if request.method == "POST" else None, empty=empty)
    if form.is_valid():
        done = _act(request, found, form)
        if done is not None:
            return done
    context = clusters.page_context(request, found, "danger") | {
        "form": form,
        "made": [] if empty else removing.made(found),
        "identities": found.identities.order_by("made_at"),
        "last": last,
        "empty": empty,
    }
    status = 422 if form.is_bound else 200
    return pages.render_page(request, "clusters/danger.html", context, status=status)


def _act(request: OrgRequest, cluster: Cluster, form: DisconnectForm) -> HttpResponse | None:
    """Do what was chosen and lead on; what stands in the way is said on the form."""
    kwargs = {"org": request.organization.slug}
    try:
        if form.choice == DisconnectForm.LEAVE:
            services.disconnect(cluster=cluster, by=request.user)
            pages.toast(request, f"{cluster.name} is disconnected.")
            return pages.go_to(request, reverse("clusters:index", kwargs=kwargs))
        operator = form.choice == DisconnectForm.REMOVE_ALL
        deploy = removing.remove(cluster=cluster, operator=operator, by=request.user)
    except (services.Busy, deploys.CannotBe) as error:
        form.add_error(None, str(error))
    except kubernetes.ClusterError as error:
        form.add_error(
            "then",
            f"Nothing can be removed there now, and nothing was changed. {error.reason} {error.remedy}",
        )
    else:
        run = kwargs | {"cluster": cluster.name, "number": str(deploy.number)}
        return pages.go_to(request, reverse("clusters:deploy", kwargs=run))
    return None
