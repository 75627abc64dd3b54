"""Connecting a cluster that a cloud credential finds: which credential, where to look, which cluster."""

from dataclasses import dataclass, field
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.http import urlencode

from accounts import pacing
from accounts.access import OrgRequest, org_view
from accounts.roles import Permission, who_may
from clusters import finding
from clusters.finding import Candidate
from clusters.forms import CredentialForm
from clusters.views import connect
from config import pages
from credentials.clouds.errors import NotThere, ProviderError
from credentials.models import CloudCredential

# With more than these, the list has a filter.
FILTERED = 10
# So many other places are named where one is empty.
OTHERS = 48


@org_view(Permission.CLUSTER_MANAGE, dangerous=True)
def by_credential(request: OrgRequest) -> HttpResponse:
    """Ask for the credential, and lead to what it finds."""
    form = CredentialForm(connect.usable(request), request.GET if "credential" in request.GET else None)
    if form.is_valid():
        return pages.go_to(request, _url(request, form.cleaned_data["credential"]))
    context = {
        "form": form,
        "some": connect.usable(request).exists(),
        "who_may_see": who_may(Permission.CREDENTIAL_VIEW),
    }
    status = 422 if form.is_bound else 200
    return pages.render_page(request, "clusters/connect_credential.html", context, status=status)


def _url(request: OrgRequest, credential: CloudCredential, place: str = "") -> str:
    wanted = {"credential": credential.name} | ({"place": place} if place else {})
    found = reverse("clusters:connect_found", kwargs={"org": request.organization.slug})
    return f"{found}?{urlencode(wanted)}"


@dataclass(slots=True)
class Looked:
    """What a credential finds in a place, or what went wrong."""

    place: str = ""
    places: list[tuple[str, str]] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    failure: ProviderError | None = None


@org_view(Permission.CLUSTER_MANAGE, methods=("GET", "POST"), dangerous=True)
@pacing.paced("GET", "POST")
def found(request: OrgRequest) -> HttpResponse:
    """List what the credential finds in a place; POST takes one of these, by its key."""
    name = request.GET.get("credential", "")
    if not name:
        kwargs = {"org": request.organization.slug}
        return pages.go_to(request, reverse("clusters:connect_credential", kwargs=kwargs))
    credential = get_object_or_404(connect.usable(request).select_related("organization"), name=name)
    looked = _look(credential, request.GET.get("place", "").strip())
    refused = ""
    if request.method == "POST" and looked.failure is None:
        chosen = next((one for one in looked.candidates if one.key == request.POST.get("cluster")), None)
        refused = _refusal(request, credential, chosen)
        if chosen is not None and not refused:
            kind = finding.finder(credential).kind
            return connect.begin(request, credential=credential, kind=kind, locator=chosen.found.locator)
    return _page(request, credential, looked, refused)


def _look(credential: CloudCredential, place: str) -> Looked:
    looked = Looked(place)
    try:
        looked.places = finding.places(credential)
        slugs = [slug for slug, _ in looked.places]
        # Where all places are looked in at once, none is chosen.
        place = place if slugs else ""
        if place and place not in slugs:
            raise NotThere(
                f"There is no {finding.finder(credential).place_label.lower()} of that name.",
                "Choose one of the list.",
            )
        looked.place = place or next(iter(slugs), "")
        looked.candidates = finding.find(credential, looked.place)
    except ProviderError as error:
        looked.failure = error
    return looked


def _refusal(request: OrgRequest, credential: CloudCredential, chosen: Candidate | None) -> str:
    """Return why what was chosen cannot be connected, or nothing."""
    if chosen is None:
        return f"Choose one of the clusters that {credential.name} finds."
    if chosen.found.blocked is not None:
        return f"{chosen.found.blocked.reason} {chosen.found.blocked.remedy}"
    return connect.already(request, chosen.connected) if chosen.connected else ""


def _page(request: OrgRequest, credential: CloudCredential, looked: Looked, refused: str) -> HttpResponse:
    q = request.GET.get("q", "").replace("\x00", "").strip()[:200]
    rows = [one for one in looked.candidates if q.lower() in one.found.name.lower()]
    failure = looked.failure
    context: dict[str, Any] = {
        "credential": credential,
        "finder": finding.finder(credential),
        "looked": looked,
        "rows": [(one, _seen(request, one)) for one in rows],
        "q": q,
        "filters": len(looked.candidates) > FILTERED,
        "refused": refused,
        "policy": getattr(failure, "policy", "") if failure else "",
        "others": [
            (label, _url(request, credential, slug)) for slug, label in looked.places if slug != looked.place
        ][:OTHERS],
        "action": _url(request, credential, looked.place if looked.failure is None else ""),
    }
    status = 422 if refused else 200
    return pages.render_page(request, "clusters/connect_found.html", context, status=status)


def _seen(request: OrgRequest, one: Candidate) -> bool:
    """Tell whether the one who looks may see the cluster that a found one is here."""
    return one.connected is not None and request.allows(Permission.CLUSTER_VIEW, cluster=one.connected.name)
