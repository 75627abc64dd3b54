"""Linking a reference to a place, giving its value another name, changing a link and removing it."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from accesses.models import Access
from accounts.access import OrgRequest, org_view
from accounts.roles import Permission
from clusters.models import Service
from config import pages
from external_secrets import browsing, forms, naming, placing, previews, services
from external_secrets.models import ExternalSecret, InventoryState
from external_secrets.views import lookup
from external_secrets.writing import rules

type Form = forms.LinkForm | forms.AliasForm


@dataclass(slots=True)
class Page:
    """What one of the pages with the form is about: a new link, one that is edited, another name for one."""

    form: Form
    access: Access
    service: Service | None = None
    editing: ExternalSecret | None = None
    original: ExternalSecret | None = None
    # The version of the link that the form was made from.
    seen: str = ""


def _to_browse(request: OrgRequest, service: Service | None) -> HttpResponse:
    url = reverse("external_secrets:browse", kwargs={"org": request.organization.slug})
    return pages.go_to(request, f"{url}?{urlencode({'service': str(service.pk)})}" if service else url)


def service_url(request: OrgRequest, service: Service) -> str:
    """Return the page of a service."""
    return lookup.place_url(request, placing.Place.of(service))


def _initial(request: OrgRequest, access: Access, service: Service | None) -> dict[str, Any]:
    """Return what the form begins with: a name, what it suggests, and the place if one was chosen."""
    asked = request.GET
    read = forms.ReferenceForm.initial_of(access, asked.get("key", "").replace("\x00", "").strip())
    # What was searched for as name#field comes apart, so that names with a # stay whole.
    read["json_field"] = asked.get("json_field", "").replace("\x00", "") or read.get("json_field", "")
    key, json_field = str(read["key"]), str(read.get("json_field", ""))
    entry = lookup.named_by(request, access, key) if ":" in key else None
    places = forms.places(access, [service]) if service else []
    namespace = asked.get("namespace", "")
    name = entry.name if entry else key
    told = rules.telling(access, json_field)
    return (
        _usual(access)
        | read
        | {
            "variable": naming.derive_variable(name, told),
            "path": naming.derive_path(name, told) if name else "",
            "scope": "namespace" if namespace and not service else "service",
            "namespace": namespace or (service.namespace if service else ""),
            "place": places[0][0] if len(places) == 1 else "",
        }
    )


def _usual(access: Access) -> dict[str, Any]:
    return {
        "target": "variable",
        "mount": "directory",
        "file_mode": 0o444,
        "refresh_seconds": access.refresh_seconds or forms.DEFAULT_REFRESH,
        "when_gone": "Retain",
    }


def _initial_of(link: ExternalSecret) -> dict[str, Any]:
    """Return the form's fields for a link as it is."""
    names = (
        "target", "variable", "path", "mount", "file_mode", "refresh_seconds", "restart_on_change", "when_gone",
        "namespace",
    )  # fmt: skip
    place = placing.Place.of_link(link)
    read = {} if link.alias_of_id else forms.ReferenceForm.of_link(link)
    return (
        read
        | {name: getattr(link, name) for name in names}
        | {
            "scope": "service" if place.service else "namespace",
            "place": forms.value_of(place),
            "path": link.path or naming.derive_path(link.key, link.json_field),
            "variable": link.variable or naming.derive_variable(link.key, link.json_field),
        }
    )


def _initial_of_alias(original: ExternalSecret) -> dict[str, Any]:
    found = _initial_of(original)
    return (
        found
        | _usual(original.access)
        | {"variable": "", "path": "", "refresh_seconds": original.refresh_seconds}
    )


def age(state: InventoryState) -> str:
    """Return how long ago the inventory was read, in words."""
    if state.read_at is None:
        return "asked just now"
    minutes = int((timezone.now() - state.read_at).total_seconds() // 60)
    if minutes < 1:
        return "read just now"
    return f"read {minutes} min ago" if minutes < 120 else f"read {minutes // 60} h ago"


def refuse_unknown(page: Page, state: InventoryState) -> None:
    """Add an error when the console knows that the secret manager has no such name."""
    if page.original is not None or page.form.taken not in ("value", "keys") or page.form.overrides:
        return
    key = page.form.cleaned_data["key"]
    if page.editing and page.editing.key == key:
        return
    if browsing.knows(page.access, state, key) is False:
        page.form.add_error("key", f"There is no secret named {key} in {page.access} ({age(state)}).")


def _write(request: OrgRequest, page: Page) -> ExternalSecret | None:
    """Make or change the link, or put the refusal where it belongs in the form."""
    form, place = page.form, page.form.target_place
    assert place is not None  # noqa: S101  a valid form has one
    common: dict[str, Any] = {"access": page.access, "place": place, "by": request.user}
    common |= {"values": form.link_values, "overrides": form.overrides}
    try:
        if page.editing is None:
            return services.link(**common, alias_of=page.original)
        return services.change(link=page.editing, seen_version=page.seen, **common)
    except services.Clash as error:
        for found in error.found:
            form.add_error(found.field if found.field in form.fields else None, found.text)
    except services.NotAllowed as error:
        form.add_error("place" if form.cleaned_data["scope"] == "service" else "namespace", str(error))
    except services.Changed as error:
        form.add_error(None, str(error))
        now = ExternalSecret.objects.filter(pk=page.editing.pk).first() if page.editing else None
        page.seen = now.updated_at.isoformat() if now else ""
    return None


def _answer(request: OrgRequest, page: Page) -> HttpResponse:
    """Answer a form that was sent or asked for: the sentence of what it will do, the form, or the place it made."""
    if "preview" in request.GET:
        return _form_page(request, page)
    state = browsing.state_of(page.access)
    if page.form.is_bound and page.form.is_valid():
        refuse_unknown(page, state)
        made = _write(request, page) if page.form.is_valid() else None
        if made is not None:
            done = "changed" if page.editing else "linked"
            pages.toast(request, f"{made.title} is {done}. Deploy {made.cluster} to bring it there.")
            return pages.go_to(request, lookup.place_url(request, placing.Place.of_link(made)))
    return _form_page(request, page, state)


@org_view(Permission.EXTERNAL_SECRET_MANAGE, methods=("GET", "HEAD", "POST"))
def link(request: OrgRequest) -> HttpResponse:
    """Ask where a reference goes and as what, and link it; with `alias_of`, another name for what is read already."""
    asked = request.POST if request.method == "POST" else request.GET
    wanted = asked.get("alias_of", "") or request.GET.get("alias_of", "")
    if wanted:
        return _alias(request, lookup.link(request, wanted, Permission.EXTERNAL_SECRET_MANAGE))
    service = lookup.service(request, asked.get("service", ""), Permission.EXTERNAL_SECRET_MANAGE)
    named = asked.get("access", "") or request.GET.get("access", "")
    if not named:
        return _to_browse(request, service)
    access = lookup.access(request, named, Permission.EXTERNAL_SECRET_MANAGE)
    filled = (
        {"data": request.POST}
        if request.method == "POST"
        else {"initial": _initial(request, access, service)}
    )
    limits = lookup.limits(request, access.cluster)
    form = forms.LinkForm(access, lookup.around(request, access), limits=limits, **filled)
    return _answer(request, Page(form, access, service=service))


def _alias(request: OrgRequest, original: ExternalSecret) -> HttpResponse:
    filled = {"data": request.POST} if request.method == "POST" else {"initial": _initial_of_alias(original)}
    limits = lookup.limits(request, original.cluster)
    form = forms.AliasForm(original, lookup.around(request, original.access), limits=limits, **filled)
    return _answer(request, Page(form, original.access, original=original))


@org_view(Permission.EXTERNAL_SECRET_MANAGE, methods=("GET", "HEAD", "POST"))
def edit(request: OrgRequest, link: Any) -> HttpResponse:
    """Change everything about a link: what it takes, as what it arrives, and where."""
    found = lookup.link(request, link, Permission.EXTERNAL_SECRET_MANAGE)
    filled: dict[str, Any] = {"initial": _initial_of(found), "editing": found}
    filled["limits"] = lookup.limits(request, found.cluster)
    seen = found.updated_at.isoformat()
    if request.method == "POST":
        filled["data"], seen = request.POST, request.POST.get("seen", "")
    services_there = lookup.around(request, found.access, found)
    form: Form
    if found.alias_of is not None:
        form = forms.AliasForm(found.alias_of, services_there, **filled)
    else:
        form = forms.LinkForm(found.access, services_there, **filled)
    page = Page(form, found.access, found.service, found, found.alias_of, seen)
    return _answer(request, page)


def _form_page(request: OrgRequest, page: Page, state: InventoryState | None = None) -> HttpResponse:
    form, access = page.form, page.access
    key = form["key"].value() or "" if page.original is None else page.original.key
    context = {
        "form": form,
        "page": page,
        "access": access,
        "service": page.service,
        "key": key,
        "effect": _effect(page),
        "back": _back(request, page),
    }
    if isinstance(form, forms.LinkForm):
        context |= forms.preview_context(form, str(form["variable"].value() or ""))
    if state is None:
        return pages.render_page(request, "external_secrets/link.html#preview", context)
    context |= {"state": state, "trouble": browsing.known_trouble(state), "unknown": False}
    if page.original is None and page.editing is None:
        context["unknown"] = _is_unknown(form, access, state, str(key))
    status = 422 if form.is_bound else 200
    return pages.render_page(request, "external_secrets/link.html", context, part="form", status=status)


def _is_unknown(form: Form, access: Access, state: InventoryState, key: str) -> bool:
    """Tell whether to say that a name is not known; of one that is out of reach nothing is."""
    if not key or (form.limits and form.limits.wrong(access.namespaces, {"key": key})):
        return False
    return browsing.knows(access, state, key) is not True


def _effect(page: Page) -> previews.Preview | None:
    """Return what the form's present values will do; None while something of them is missing or wrong."""
    form = page.form
    if not form.is_bound:
        form = _filled(page)
    place = form.target_place if form.is_valid() else None
    if place is None or form.around is None:
        return None
    values = form.link_values
    if page.original is not None:
        read = {name: getattr(page.original, name) for name in services.READ if name != "access"}
        values = values | read | {"alias_of": page.original}
    return previews.of(page.access, place, values, form.around)


def _filled(page: Page) -> Form:
    """Return the form as if it were sent as it stands."""
    data = {name: page.form[name].value() for name in page.form.fields}
    there = page.form.services
    if isinstance(page.form, forms.AliasForm):
        original, editing = page.form.original, page.editing
        return forms.AliasForm(original, there, data=data, editing=editing, limits=page.form.limits)
    return forms.LinkForm(page.access, there, data=data, editing=page.editing, limits=page.form.limits)


def _back(request: OrgRequest, page: Page) -> str:
    there = page.editing or page.original
    if there is not None:
        return lookup.place_url(request, placing.Place.of_link(there))
    kept = {"access": str(page.access.pk)} | ({"service": str(page.service.pk)} if page.service else {})
    url = reverse("external_secrets:browse", kwargs={"org": request.organization.slug})
    return f"{url}?{urlencode(kept)}"


@org_view(Permission.EXTERNAL_SECRET_MANAGE, methods=("GET", "HEAD", "POST"))
def unlink(request: OrgRequest, link: Any) -> HttpResponse:
    """Say which services lose what, and remove the link and its aliases."""
    found = lookup.link(request, link, Permission.EXTERNAL_SECRET_MANAGE)
    back = lookup.place_url(request, placing.Place.of_link(found))
    if request.method == "POST":
        title, cluster = found.title, found.cluster
        services.unlink(link=found, by=request.user)
        pages.toast(request, f"{title} is no longer linked. Deploy {cluster} to remove it.")
        return pages.go_to(request, back)
    aliases = list(found.aliases.select_related("service", "alias_of", "cluster"))
    context = {
        "link": found,
        "back": back,
        "aliases": aliases,
        "losers": placing.losers([found, *aliases]),
        "stays": found.alias_of,
    }
    return pages.render_page(request, "external_secrets/unlink.html", context)
