"""One cloud credential: whose it is, how it is, who uses it, what it needs to be allowed."""

from django.http import HttpResponse
from django.utils import timezone

from accounts import pacing
from accounts.access import OrgRequest, org_view
from accounts.roles import Permission
from config import pages
from credentials import forms, listing, services, usage
from credentials import reminders as setting
from credentials.views import common

# So many clusters are listed; the usage view has them all.
SHOWN = 10


@org_view(Permission.CREDENTIAL_VIEW)
def detail(request: OrgRequest, credential: str) -> HttpResponse:
    """Show one credential."""
    return _page(request, credential, None)


def _page(request: OrgRequest, name: str, form: forms.RemindersForm | None) -> HttpResponse:
    found = common.find(request, name)
    context = common.described(found) | common.rights(request)
    row = listing.described([found])[0]
    context |= {
        "row": row,
        "page": usage.page(found, request.authority, size=SHOWN),
        "rotate_url": common.rotate_url(request, found.name),
        "reminders": form or forms.RemindersForm.of(found),
        "now": timezone.now(),
    }
    if context["cloud"]:
        context["policy"] = context["cloud"].policy(found.facts)
    return pages.render_page(
        request, "credentials/detail.html", context, status=422 if form is not None else 200
    )


@org_view(Permission.CREDENTIAL_MANAGE, methods=("POST",))
@pacing.paced("POST")
def check(request: OrgRequest, credential: str) -> HttpResponse:
    """Try a credential now; its page shows what was found."""
    found = common.find(request, credential)
    services.check(found, by=request.user)
    return pages.go_to(request, common.url(request, found))


@org_view(Permission.CREDENTIAL_MANAGE, methods=("POST",))
def reminders(request: OrgRequest, credential: str) -> HttpResponse:
    """Set when its keys are due to be replaced, and when they end where the cloud does not tell."""
    found = common.find(request, credential)
    form = forms.RemindersForm.of(found, request.POST)
    if not form.is_valid():
        return _page(request, credential, form)
    setting.remind(
        credential=found, rotate_days=form.cleaned_data["rotate_days"], until=form.until_at, by=request.user
    )
    pages.toast(request, f"The reminders of {found.name} are saved.")
    return pages.go_to(request, common.url(request, found))
