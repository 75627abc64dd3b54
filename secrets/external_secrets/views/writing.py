"""The pages that write secrets: new, new version, tags, delete and restore; each sends once."""

from collections.abc import Callable
from typing import Any

from django import forms as django_forms
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from accesses import writing as access_writing
from accesses.models import Access
from accesses.providers import PROVIDERS, ProviderError
from accounts.access import OrgRequest, Refused, org_view, write_down
from accounts.pacing import paced
from accounts.roles import Permission
from config import pages
from external_secrets import browsing, inventory, usage_map
from external_secrets.models import InventoryEntry
from external_secrets.views import lookup
from external_secrets.writing import forms, rules, services

WRITE = Permission.SECRET_WRITE
_METHODS = ("GET", "POST")


def reach(request: OrgRequest, access: Access, permission: Permission = WRITE) -> tuple[str, ...]:
    """Return the beginnings of the names of an access on which somebody may act."""
    return request.authority.prefixes(permission, cluster=access.cluster.name, namespaces=access.namespaces)


def may_write(request: OrgRequest, access: Access, name: str) -> bool:
    """Tell whether somebody may write a secret, and the access can."""
    return access_writing.is_possible(access) and name.startswith(reach(request, access))


def on_page(request: OrgRequest, access: Access, name: str) -> dict[str, Any]:
    """Return what the page of a secret says of writing it."""
    return {
        "here_named": _here(access, name),
        "can_write": may_write(request, access, name),
        "writing": PROVIDERS[access.provider].writing_of(access),
        "written": request.GET.get("written", ""),
        "field": _field(request, access),
    }


def _field(request: OrgRequest, access: Access) -> str:
    """Return the field that a text has just become, as the address says, or nothing."""
    how = PROVIDERS[access.provider].writing_of(access)
    field = how.text_field if how else ""
    return field if field == request.GET.get("field", "") else ""


def require(request: OrgRequest, access: Access, name: str) -> None:
    """Refuse who may not write a secret, and write that down.

    :raises Http404: it may not even be seen
    :raises Refused: it may be seen, and not written
    """
    if name.startswith(reach(request, access)):
        return
    if not name.startswith(reach(request, access, Permission.SECRET_BROWSE)):
        raise Http404
    write_down(request, WRITE)
    raise Refused(WRITE)


def secret_url(request: OrgRequest, access: Access, name: str, **more: str) -> str:
    """Return the page of a secret."""
    page = reverse("external_secrets:secret", kwargs={"org": request.organization.slug})
    return f"{page}?{urlencode({'access': str(access.pk), 'name': name, **more})}"


def _browse(request: OrgRequest) -> HttpResponse:
    return pages.go_to(request, reverse("external_secrets:browse", kwargs={"org": request.organization.slug}))


def _named(request: OrgRequest) -> tuple[Access, str] | None:
    """Return the secret that the address names, None where it names none.

    :raises Http404: it may not be seen
    :raises Refused: it may be seen, and not written
    """
    name = request.GET.get("name", "").replace("\x00", "")[: inventory.LONGEST_NAME]
    if not name:
        return None
    access = lookup.access(request, request.GET.get("access", ""), WRITE)
    require(request, access, name)
    return access, name


def _context(access: Access, form: django_forms.Form | None, **more: Any) -> dict[str, Any]:
    provider = PROVIDERS[access.provider]
    obstacle = ""
    try:
        access_writing.of(access)
    except access_writing.NotWritable as error:
        obstacle = f"{error} {error.remedy}".strip()
    return {
        "access": access, "cluster": access.cluster, "provider": provider, "writing": provider.writing_of(access),
        "form": form, "obstacle": obstacle,
    } | more  # fmt: skip


@sensitive_variables()
def _tried(form: django_forms.Form, act: Callable[[], Any]) -> bool:
    """Carry out an act whose failures are said on the form; return whether it went well."""
    try:
        act()
    except services.NotAllowed as error:
        form.add_error(error.field if error.field in form.fields else None, str(error))
    except services.Unknown as error:
        form.add_error(None, str(error))
        form.unknown = True  # type: ignore[attr-defined]
    except ProviderError as error:
        form.add_error(None, f"{error.reason} {error.remedy}".strip())
        form.policy = getattr(error, "policy", "")  # type: ignore[attr-defined]
    return not form.errors


def _answer(request: OrgRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    form = context["form"]
    bound = form is not None and form.is_bound
    response = pages.render_page(request, template, context, status=422 if bound else 200)
    response.headers["Cache-Control"] = "no-store"
    return response


def _go(request: OrgRequest, access: Access, name: str, said: str, **more: str) -> HttpResponse:
    pages.toast(request, said)
    response = pages.go_to(request, secret_url(request, access, name, **more))
    response.headers["Cache-Control"] = "no-store"
    return response


@org_view(WRITE, methods=_METHODS, dangerous=True)
@paced("POST")
@sensitive_post_parameters("value")
@sensitive_variables()
def new(request: OrgRequest) -> HttpResponse:
    """Create a secret through an access, or choose the access first."""
    wanted = request.GET.get("access", "")
    if not wanted:
        return _choose(request)
    access = lookup.access(request, wanted, WRITE)
    form = _new_form(request, access)
    made: list[str] = []
    if form.is_valid():
        given, here = form.cleaned_data, reach(request, access)
        _tried(
            form,
            lambda: made.append(
                services.create(
                    access=access, name=given["name"], value=given["value"], tags=given.get("tags", {}),
                    reach=here, by=request.user,
                )
            ),
        )  # fmt: skip
    if made:
        field = rules.field_of(access, form.cleaned_data["value"])
        more = {"written": "new"} | ({"field": field} if field else {})
        return _go(request, access, made[0], f"{made[0]} is created.", **more)
    form.say_again()
    defaults = sorted(access_writing.tags_of(access).items())
    own = set(access.tags)
    context = _context(access, form, defaults=[(name, value, name in own) for name, value in defaults])
    return _answer(request, "external_secrets/writing/new.html", context)


def _new_form(request: OrgRequest, access: Access) -> forms.NewSecretForm:
    posted = request.POST if request.method == "POST" else None
    typed = request.GET.get("name", "").replace("\x00", "")[: inventory.LONGEST_NAME]
    return forms.NewSecretForm(access, posted, {"name": typed.removeprefix(access.prefix)})


def _choose(request: OrgRequest) -> HttpResponse:
    """Show the accesses through which one may write, and what those that only read would need."""
    owned = Access.objects.within(request.organization, request.authority, WRITE)
    rows = owned.select_related("cluster__organization").defer("credential", "cluster__kubeconfig")
    rows = rows.order_by("cluster__name", "name")
    accesses = [(one, PROVIDERS[one.provider], access_writing.is_possible(one)) for one in rows]
    context = {"accesses": accesses, "some": any(open_ for _, _, open_ in accesses)}
    status = 200 if request.method == "GET" else 422
    return pages.render_page(request, "external_secrets/writing/choose.html", context, status=status)


@org_view(WRITE, methods=_METHODS, dangerous=True)
@paced("POST")
@sensitive_post_parameters("value")
@sensitive_variables()
def version(request: OrgRequest) -> HttpResponse:
    """Give a secret a new version."""
    found = _named(request)
    if found is None:
        return _browse(request)
    access, name = found
    form = forms.VersionForm(request.POST if request.method == "POST" else None)
    if form.is_valid() and _tried(
        form,
        lambda: services.put(access=access, name=name, value=form.cleaned_data["value"], by=request.user),
    ):
        return _go(request, access, name, f"{name} has a new version.", written="version")
    form.say_again()
    context = _context(access, form, name=name, here=_here(access, name))
    return _answer(request, "external_secrets/writing/version.html", context)


def _here(access: Access, name: str) -> str:
    return urlencode({"access": str(access.pk), "name": name})


@org_view(WRITE, methods=_METHODS, dangerous=True)
@paced("POST")
def tag(request: OrgRequest) -> HttpResponse:
    """Add tags to a secret, or change them."""
    found = _named(request)
    if found is None:
        return _browse(request)
    access, name = found
    form = forms.TagsForm(request.POST if request.method == "POST" else None)
    if form.is_valid() and _tried(
        form, lambda: services.tag(access=access, name=name, tags=form.cleaned_data["tags"], by=request.user)
    ):
        return _go(request, access, name, f"The tags of {name} are changed.")
    entry = InventoryEntry.objects.filter(access=access, name=name).first()
    now = sorted(entry.tags.items()) if entry else []
    context = _context(access, form, name=name, here=_here(access, name), tags=now)
    return _answer(request, "external_secrets/writing/tags.html", context)


@org_view(WRITE, methods=_METHODS, dangerous=True)
@paced("POST")
def delete(request: OrgRequest) -> HttpResponse:
    """Delete a secret whose name was typed; who would notice is shown first."""
    found = _named(request)
    if found is None:
        return _browse(request)
    access, name = found
    form = forms.DeleteForm(name, request.POST if request.method == "POST" else None)
    until: list[Any] = []
    if form.is_valid() and _tried(
        form, lambda: until.append(services.delete(access=access, name=name, by=request.user))
    ):
        return _deleted(request, access, name, until[0])
    entry = InventoryEntry.objects.filter(access=access, name=name).first()
    used = usage_map.of(request.organization, access, name, entry, request.authority)
    context = _context(access, form, name=name, here=_here(access, name), map=used)
    return _answer(request, "external_secrets/writing/delete.html", context)


def _deleted(request: OrgRequest, access: Access, name: str, until: Any) -> HttpResponse:
    if until is not None:
        return _go(request, access, name, f"{name} is deleted. Until {until:%Y-%m-%d} it can be restored.")
    if InventoryEntry.objects.filter(access=access, name=name).exists():
        return _go(request, access, name, f"{name} is deleted. It can be restored for as long as it is kept.")
    pages.toast(request, f"{name} is deleted.")
    return _browse(request)


@org_view(WRITE, methods=_METHODS, dangerous=True)
@paced("POST")
def restore(request: OrgRequest) -> HttpResponse:
    """Bring a deleted secret back as it was."""
    found = _named(request)
    if found is None:
        return _browse(request)
    access, name = found
    form = django_forms.Form(request.POST if request.method == "POST" else None)
    if form.is_valid() and _tried(form, lambda: services.restore(access=access, name=name, by=request.user)):
        return _go(request, access, name, f"{name} is restored.")
    context = _context(access, form, name=name, here=_here(access, name), state=browsing.state_of(access))
    return _answer(request, "external_secrets/writing/restore.html", context)
