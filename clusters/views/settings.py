"""A cluster's settings: how the console signs in, its cloud, its kubeconfig, disconnecting it."""

from typing import Any

from django.db.models import Count
from django.http import HttpResponse
from django.urls import reverse

from accounts.access import OrgRequest, org_view
from accounts.roles import Permission
from clusters import kubeconfig, kubernetes, services
from clusters.forms import CloudForm, DisconnectForm, ReplaceForm, SignInForm
from clusters.models import Cluster
from clusters.views import clusters, connect
from config import pages


@org_view(Permission.CLUSTER_MANAGE, methods=("GET", "POST"), dangerous=True)
def settings(request: OrgRequest, cluster: str) -> HttpResponse:
    """Replace the kubeconfig, tested before it is stored."""
    found = clusters.find(request, cluster)
    form = ReplaceForm(request.POST, request.FILES) if request.method == "POST" else ReplaceForm()
    if form.is_valid():
        try:
            reduced = kubeconfig.reduce(form.cleaned_data["text"], form.cleaned_data["context"])
            services.replace_kubeconfig(
                cluster=found, reduced=reduced, seen_version=request.POST.get("seen", ""), by=request.user
            )
        except kubeconfig.SeveralContexts as error:
            form.add_error(
                "context",
                f"The kubeconfig has the contexts {', '.join(error.names)}. Name one, and paste it again.",
            )
        except kubeconfig.KubeconfigRefused as error:
            form.add_error("kubeconfig", str(error))
        except kubernetes.ClusterError as error:
            form.add_error(None, f"{error.reason} {error.remedy}")
        except services.Changed as error:
            form.add_error(None, str(error))
            found = clusters.find(request, cluster)
        else:
            pages.toast(request, f"{found.name} has a new kubeconfig.")
            return pages.go_to(request, request.path)
    return settings_page(request, found, form=form)


@org_view(Permission.CLUSTER_MANAGE, methods=("POST",), dangerous=True)
def disconnect(request: OrgRequest, cluster: str) -> HttpResponse:
    """Forget a cluster whose name was typed."""
    found = clusters.find(request, cluster)
    form = DisconnectForm(found.name, request.POST)
    if form.is_valid():
        try:
            services.disconnect(cluster=found, by=request.user)
        except services.Busy as error:
            form.add_error(None, str(error))
        else:
            pages.toast(request, f"{found.name} is disconnected. What was deployed there stays.")
            return pages.go_to(request, reverse("clusters:index", kwargs={"org": request.organization.slug}))
    return settings_page(request, found, disconnect_form=form)


def settings_page(
    request: OrgRequest,
    cluster: Cluster,
    *,
    form: ReplaceForm | None = None,
    cloud_form: CloudForm | None = None,
    sign_in_form: SignInForm | None = None,
    disconnect_form: DisconnectForm | None = None,
) -> HttpResponse:
    """Show the settings, each card with its own form; 422 when one of them was sent and is here again."""
    offered = connect.usable(request)
    shown: dict[str, Any] = {
        "form": form or ReplaceForm(),
        "sign_in_form": sign_in_form or SignInForm(cluster, offered),
        "cloud_form": cloud_form
        or CloudForm(cluster, sees_credentials=request.allows(Permission.CREDENTIAL_VIEW)),
        "disconnect_form": disconnect_form or DisconnectForm(cluster.name),
    }
    wrong = any(one.is_bound for one in shown.values())
    context = clusters.page_context(request, cluster, "settings") | clusters.signs_in(cluster) | shown
    context |= {
        "accesses": cluster.accesses.order_by("name"),
        "sees_accesses": request.allows(Permission.ACCESS_VIEW, cluster=cluster.name),
        "identities": cluster.identities.order_by("made_at"),
        "linked": cluster.services.aggregate(count=Count("external_secrets"))["count"],
        "seen": cluster.updated_at.isoformat(),
        "can_switch": shown["sign_in_form"].fields["credential"].queryset.exists(),
    }
    return pages.render_page(request, "clusters/settings.html", context, status=422 if wrong else 200)
