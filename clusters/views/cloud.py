"""The card of a cluster's settings that says where it runs and what the console uses there."""

from django.http import HttpResponse
from django.urls import reverse

from accounts.access import OrgRequest, org_view
from accounts.roles import Permission
from clusters import services
from clusters.forms import CloudForm
from clusters.views import clusters
from config import pages
from credentials.models import CloudCredential


@org_view(Permission.CLUSTER_MANAGE, methods=("GET", "POST"), dangerous=True)
def cloud(request: OrgRequest, cluster: str) -> HttpResponse:
    """Choose the cluster's cloud credential; the card stands on the settings page."""
    found = clusters.find(request, cluster)
    url = reverse("clusters:settings", kwargs={"org": request.organization.slug, "cluster": found.name})
    if request.method != "POST":
        return pages.go_to(request, url)
    form = CloudForm(found, request.POST, sees_credentials=request.allows(Permission.CREDENTIAL_VIEW))
    if form.is_valid():
        try:
            differs = services.use_credential(
                cluster=found,
                credential=form.cleaned_data["credential"],
                account=form.cleaned_data.get("account"),
                by=request.user,
            )
        except services.WrongAccount as error:
            form.add_error("credential", str(error))
        except services.AccountInUse as error:
            form.add_error("account", str(error))
        except CloudCredential.DoesNotExist:
            form.add_error("credential", "Somebody deleted this credential just now. Choose another.")
        else:
            said = "The cloud is saved." if differs else "The cloud stays as it is: nothing differs."
            pages.toast(request, said)
            return pages.go_to(request, url)
    return clusters.settings_page(request, found, cloud_form=form)
