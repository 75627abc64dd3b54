"""Asking for a deploy, now or later, cancelling one, trying one again. Every path leads to the deploy's page."""

from django.http import HttpResponse
from django.urls import reverse

from accounts.access import OrgRequest, org_view
from accounts.roles import Permission
from clusters import deploys
from clusters.forms import DeployForm
from clusters.models import Deploy
from clusters.views import changes, clusters
from clusters.views.deploys import find
from config import pages


def _to(request: OrgRequest, deploy: Deploy) -> HttpResponse:
    kwargs = {"org": request.organization.slug, "cluster": deploy.cluster.name, "number": deploy.number}
    return pages.go_to(request, reverse("clusters:deploy", kwargs=kwargs))


@org_view(Permission.DEPLOY_RUN, methods=("POST",))
def request_deploy(request: OrgRequest, cluster: str) -> HttpResponse:
    """Queue a deploy, or schedule it, and go to its page; pressed twice, both lead to the same one."""
    found = clusters.find(request, cluster)
    form = DeployForm(request.POST)
    if form.is_valid():
        try:
            return _to(request, form.ask(found, request.user))
        except deploys.CannotBe as error:
            form.add_error("not_before" if form.later else None, str(error))
    return changes.page(request, found, form)


@org_view(Permission.DEPLOY_RUN, methods=("POST",))
def cancel(request: OrgRequest, cluster: str, number: int) -> HttpResponse:
    """Ask a deploy to stop; one that is over meanwhile stays as it is."""
    found = find(request, cluster, number)
    try:
        deploys.cancel(deploy=found, by=request.user)
    except deploys.CannotBe as error:
        pages.toast(request, str(error))
    return _to(request, found)


@org_view(Permission.DEPLOY_RUN, methods=("POST",))
def retry(request: OrgRequest, cluster: str, number: int) -> HttpResponse:
    """Queue a deploy that begins where this one stopped."""
    found = find(request, cluster, number)
    try:
        return _to(request, deploys.retry(deploy=found, by=request.user))
    except deploys.CannotBe as error:
        pages.toast(request, str(error))
        return _to(request, found)
