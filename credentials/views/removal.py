"""Deleting a cloud credential, which nothing may use."""

from django.http import HttpResponse
from django.urls import reverse

from accounts.access import OrgRequest, org_view
from accounts.roles import Permission
from config import pages
from credentials import consequences, forms, services, usage
from credentials.views import common


@org_view(Permission.CREDENTIAL_MANAGE, methods=("GET", "POST"), dangerous=True)
def delete(request: OrgRequest, credential: str) -> HttpResponse:
    """Delete a credential that nothing uses; what uses it is listed."""
    found = common.find(request, credential)
    form = forms.DeleteForm(found.name, request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            services.delete(credential=found, by=request.user)
        except services.InUse as error:
            form.add_error(None, str(error))
            found = common.find(request, credential)
        else:
            pages.toast(request, f"{found.name} is deleted here. In the cloud it is still good.")
            return pages.go_to(
                request, reverse("credentials:index", kwargs={"org": request.organization.slug})
            )
    context = common.described(found) | {
        "form": form,
        "page": usage.page(found, request.authority),
        "deletion": consequences.of_deletion(found, common.asker(request)),
    }
    status = 422 if form.is_bound else 200
    return pages.render_page(request, "credentials/delete.html", context, status=status)
