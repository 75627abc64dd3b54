"""Linking a name to a service, and removing a link."""

from typing import Any

from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from accesses.models import Access
from accounts.access import OrgRequest, org_view
from accounts.roles import Permission
from clusters.models import Service
from config import pages
from external_secrets import browsing, forms, naming, services
from external_secrets.models import ExternalSecret, InventoryEntry, InventoryState
from external_secrets.views import lookup


def _to_browse(request: OrgRequest, service: Service | None) -> HttpResponse:
    url = reverse("external_secrets:browse", kwargs={"org": request.organization.slug})
    return pages.go_to(request, f"{url}?{urlencode({'service': str(service.pk)})}" if service else url)


def service_url(request: OrgRequest, service: Service) -> str:
    kwargs = {"org": request.organization.slug, "cluster": service.cluster.name, "service": service.pk}
    return reverse("external_secrets:service", kwargs=kwargs)


def _initial(access: Access, asked: QueryDict, service: Service | None) -> dict[str, Any]:
    """Return what the form begins with: a name, the variable that it suggests, the service if one was chosen."""
    key = asked.get("key", "").replace("\x00", "").strip()
    entry = InventoryEntry.objects.filter(access=access, reference=key).first() if ":" in key else None
    places = forms.places(access, [service]) if service else []
    return {
        "key": key,
        "variable": naming.derive_variable(entry.name if entry else key),
        "place": places[0][0] if len(places) == 1 else "",
        "refresh_seconds": forms.DEFAULT_REFRESH,
    }


def age(state: InventoryState) -> str:
    """Return how long ago the inventory was read, in words."""
    if state.read_at is None:
        return "asked just now"
    minutes = int((timezone.now() - state.read_at).total_seconds() // 60)
    if minutes < 1:
        return "read just now"
    return f"read {minutes} min ago" if minutes < 120 else f"read {minutes // 60} h ago"


def _refuse_unknown(form: forms.LinkForm, state: InventoryState) -> None:
    """Add an error when the console knows that the secret manager has no such name."""
    key = form.cleaned_data["key"]
    if browsing.knows(form.access, state, key) is False:
        form.add_error("key", f"There is no secret named {key} in {form.access} ({age(state)}).")


def _save(request: OrgRequest, form: forms.LinkForm) -> ExternalSecret | None:
    """Make the link, or put the refusal where it belongs in the form."""
    try:
        return services.link(
            access=form.access,
            place=form.target_place,
            by=request.user,
            values=form.link_values,
        )
    except services.Clash as error:
        form.add_error("variable", str(error))
    except services.NotAllowed as error:
        form.add_error("place", str(error))
    return None


@org_view(Permission.EXTERNAL_SECRET_MANAGE, methods=("GET", "HEAD", "POST"))
def link(request: OrgRequest) -> HttpResponse:
    """Ask to which variable of which service a name goes, and link it."""
    asked = request.POST if request.method == "POST" else request.GET
    service = lookup.service(request, asked.get("service", ""))
    wanted = asked.get("access", "") or request.GET.get("access", "")
    if not wanted:
        return _to_browse(request, service)
    access = lookup.access(request, wanted)
    state = browsing.state_of(access)
    around = list(access.cluster.services.filter(gone_at=None))
    if request.method == "POST":
        form = forms.LinkForm(access, around, data=request.POST)
        if form.is_valid():
            _refuse_unknown(form, state)
        made = _save(request, form) if form.is_valid() else None
        if made is not None:
            pages.toast(request, f"{made.variable} is linked. Deploy {access.cluster} to bring it there.")
            return pages.go_to(request, service_url(request, form.cleaned_data["service"]))
    else:
        form = forms.LinkForm(access, around, initial=_initial(access, request.GET, service))
    return _form_page(request, form, state, service)


def _form_page(
    request: OrgRequest, form: forms.LinkForm, state: InventoryState, service: Service | None
) -> HttpResponse:
    key = form["key"].value() or ""
    context = {
        "form": form,
        "access": form.access,
        "service": service,
        "state": state,
        "key": key,
        "trouble": browsing.known_trouble(state),
        "unknown": bool(key) and browsing.knows(form.access, state, key) is not True,
        "closed": [
            service for service in form.services if services.why_not(form.access, services.Place.of(service))
        ],
        "more_open": any(name in form.errors for name in ("json_field", "version", "refresh_seconds")),
    }
    status = 422 if form.is_bound else 200
    return pages.render_page(request, "external_secrets/link.html", context, part="form", status=status)


@org_view(Permission.EXTERNAL_SECRET_MANAGE, methods=("GET", "HEAD", "POST"))
def unlink(request: OrgRequest, link: Any) -> HttpResponse:
    """Say which service loses which variable, and remove the link."""
    owned = ExternalSecret.objects.owned_by(request.organization)
    related = owned.select_related("access", "service__cluster", "cluster__organization")
    found = get_object_or_404(related, pk=link)
    if request.method == "POST":
        service, variable = found.service, found.variable
        services.unlink(link=found, by=request.user)
        pages.toast(request, f"{variable} is no longer linked. Deploy {service.cluster} to remove it.")
        return pages.go_to(request, service_url(request, service))
    back = service_url(request, found.service)
    return pages.render_page(request, "external_secrets/unlink.html", {"link": found, "back": back})
