"""The cards of a cluster's settings that a cloud credential is chosen on: to sign in, and for what deploys make."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse

from accounts.access import OrgRequest, org_view
from accounts.roles import Permission
from clusters import finding, kubernetes, services
from clusters.forms import CloudForm, SignInForm
from clusters.models import Cluster
from clusters.views import clusters, connect, settings
from config import pages
from credentials.clouds.errors import ProviderError
from credentials.models import CloudCredential

# What may hinder, and the field that it is said at.
_HINDERS: dict[type[Exception], str] = {
    services.WrongAccount: "credential",
    services.StillNeeded: "credential",
    services.AccountInUse: "account",
    services.AnotherCluster: "credential",
    services.AlreadyConnected: "",
    services.Changed: "",
    kubernetes.ClusterError: "",
    ProviderError: "",
    CloudCredential.DoesNotExist: "credential",
}


def _settings(request: OrgRequest, cluster: Cluster) -> str:
    return reverse("clusters:settings", kwargs={"org": request.organization.slug, "cluster": cluster.name})


@org_view(Permission.CLUSTER_MANAGE, methods=("GET", "POST"), dangerous=True)
def cloud(request: OrgRequest, cluster: str) -> HttpResponse:
    """Choose the cluster's cloud credential; the card stands on the settings page."""
    found = clusters.find(request, cluster)
    if request.method != "POST":
        return pages.go_to(request, _settings(request, found))
    form = CloudForm(found, request.POST, sees_credentials=request.allows(Permission.CREDENTIAL_VIEW))
    if form.is_valid():
        try:
            differs = services.use_credential(
                cluster=found,
                credential=form.cleaned_data["credential"],
                account=form.cleaned_data.get("account"),
                by=request.user,
            )
        except tuple(_HINDERS) as error:
            _say(request, form, error)
        else:
            said = "The cloud is saved." if differs else "The cloud stays as it is: nothing differs."
            pages.toast(request, said)
            return pages.go_to(request, _settings(request, found))
    return settings.settings_page(request, found, cloud_form=form)


@org_view(Permission.CLUSTER_MANAGE, methods=("GET", "POST"), dangerous=True)
def sign_in(request: OrgRequest, cluster: str) -> HttpResponse:
    """Sign in by a cloud credential from now on, which is tried first; the card stands on the settings page."""
    found = clusters.find(request, cluster)
    if request.method != "POST":
        return pages.go_to(request, _settings(request, found))
    form = SignInForm(found, connect.usable(request), request.POST)
    if form.is_valid():
        credential, place = form.cleaned_data["credential"], form.cleaned_data["place"]
        try:
            services.sign_in_by_credential(
                cluster=found,
                credential=credential,
                locator=finding.match(credential, place, found).locator,
                seen_version=request.POST.get("seen", ""),
                by=request.user,
            )
        except tuple(_HINDERS) as error:
            _say(request, form, error)
        else:
            pages.toast(request, f"Keyhaven signs in to {found.name} by {credential}.")
            return pages.go_to(request, _settings(request, found))
    return settings.settings_page(request, found, sign_in_form=form)


def _say(request: OrgRequest, form: forms.Form, error: Any) -> None:
    """Say in a form what hindered it."""
    field = next(name for kind, name in _HINDERS.items() if isinstance(error, kind))
    form.add_error(field if field in form.fields else None, _words(request, error))


def _words(request: OrgRequest, error: Any) -> str:
    if isinstance(error, kubernetes.ClusterError | ProviderError):
        return f"{error.reason} {error.remedy}"
    if isinstance(error, services.AlreadyConnected):
        return connect.already(request, error.other)
    if isinstance(error, CloudCredential.DoesNotExist):
        return "Somebody deleted this credential just now. Choose another."
    return str(error)
