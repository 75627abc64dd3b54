"""The page on which an owner decides whether the console keeps secrets itself."""

from typing import Any

from django import forms
from django.conf import settings as configured
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.urls import reverse

from accounts.access import OrgRequest, org_view
from accounts.models import Organization
from accounts.roles import Permission
from built_in import switching
from built_in.models import StoredSecret
from config import pages


class SwitchForm(forms.Form):
    """On needs a tick that says what was understood; off needs none."""

    on = forms.BooleanField(required=False, widget=forms.HiddenInput)
    understood = forms.BooleanField(
        required=False, label="I accept that this console's database and key hold the values."
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if values.get("on") and not values.get("understood"):
            self.add_error("understood", "Tick this to turn the store on.")
        return values


@org_view(Permission.ORGANIZATION_MANAGE, methods=("GET", "POST"), dangerous=True)
def settings(request: OrgRequest) -> HttpResponse:
    """Show what the built-in store means for trust, and turn it on or off."""
    if not request.membership.is_owner:
        raise PermissionDenied("An owner decides whether this console keeps secrets.")
    form = SwitchForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        on = form.cleaned_data["on"]
        try:
            differs = switching.turn(organization=request.organization, on=on, by=request.user)
        except switching.InUse as error:
            form.add_error(None, str(error))
        else:
            said = f"The built-in store is {'on' if on else 'off'}." if differs else "Nothing differs."
            pages.toast(request, said)
            url = reverse("built_in:settings", kwargs={"org": request.organization.slug})
            return pages.go_to(request, url)
    context = {
        "form": form,
        "now": Organization.objects.get(pk=request.organization.pk),
        "users": switching.users(request.organization),
        "count": StoredSecret.objects.owned_by(request.organization).count(),
        "days": configured.BUILT_IN_DELETED_DAYS,
        "base_url": configured.BASE_URL,
    }
    status = 422 if form.is_bound else 200
    return pages.render_page(request, "built_in/settings.html", context, status=status)
