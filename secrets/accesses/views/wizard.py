"""The wizard: provider, authentication, details, test. Each step is a page; what was entered is a draft row."""

import uuid
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone

from accesses import services
from accesses.forms import MethodForm, NameForm, NamespacesForm, ProviderForm, all_valid, namespaces_of
from accesses.models import AccessDraft
from accesses.providers import PROVIDERS, ConfigurationForm, Provider
from accesses.providers.aws import REGIONS
from accounts.access import OrgRequest, org_view
from accounts.roles import Permission
from clusters.models import Cluster
from config import pages

STEPS = (
    ("provider", "Provider"),
    ("authentication", "Authentication"),
    ("details", "Details"),
    ("test", "Test"),
)


@org_view(Permission.ACCESS_MANAGE, methods=("POST",))
def new(request: OrgRequest, cluster: str) -> HttpResponse:
    """Begin a draft and go to its first step."""
    found = get_object_or_404(Cluster.objects.owned_by(request.organization), name=cluster)
    draft = AccessDraft.objects.create(cluster=found, by=request.user)
    return pages.go_to(request, _url(request, draft, "provider"))


@org_view(Permission.ACCESS_MANAGE, methods=("POST",))
def discard(request: OrgRequest, cluster: str, draft: uuid.UUID) -> HttpResponse:
    """End a draft."""
    found = _draft(request, cluster, draft)
    found.delete()
    kwargs = {"org": request.organization.slug, "cluster": cluster}
    return pages.go_to(request, reverse("accesses:add_ons", kwargs=kwargs))


@org_view(Permission.ACCESS_MANAGE, methods=("GET", "POST"))
def step(request: OrgRequest, cluster: str, draft: uuid.UUID, step: str) -> HttpResponse:
    """Show or take one step; a step that comes too early leads to the one that is missing."""
    found = _draft(request, cluster, draft)
    if step not in dict(STEPS):
        raise Http404
    missing = _missing(found)
    order = [slug for slug, _ in STEPS]
    if order.index(step) > order.index(missing):
        return pages.go_to(request, _url(request, found, missing))
    views = {"provider": _provider, "authentication": _authentication, "details": _details, "test": _test}
    return views[step](request, found)


def _draft(request: OrgRequest, cluster: str, draft: uuid.UUID) -> AccessDraft:
    """Return a draft of the one who asks; drafts hold credentials and are nobody else's business."""
    owned = AccessDraft.objects.owned_by(request.organization).filter(by=request.user, cluster__name=cluster)
    return get_object_or_404(owned.select_related("cluster"), pk=draft)


def _missing(draft: AccessDraft) -> str:
    """Return the first step whose answer is not there yet."""
    if draft.provider not in PROVIDERS:
        return "provider"
    if PROVIDERS[draft.provider].method(draft.method) is None:
        return "authentication"
    return "test" if draft.name and draft.credential is not None else "details"


def _url(request: OrgRequest, draft: AccessDraft, step: str) -> str:
    kwargs = {
        "org": request.organization.slug, "cluster": draft.cluster.name, "draft": draft.pk, "step": step,
    }  # fmt: skip
    return reverse("accesses:wizard", kwargs=kwargs)


def _page(request: OrgRequest, draft: AccessDraft, step: str, context: dict[str, Any]) -> HttpResponse:
    order = [slug for slug, _ in STEPS]
    reached = order.index(_missing(draft))
    here = order.index(step)
    context |= {
        "draft": draft,
        "cluster": draft.cluster,
        "step": step,
        "steps": [
            {"label": label, "url": _url(request, draft, slug), "done": at < here, "current": at == here,
             "open": at <= reached}
            for at, (slug, label) in enumerate(STEPS)
        ],
        "back": _url(request, draft, order[here - 1]) if here else "",
        "provider": PROVIDERS.get(draft.provider),
        "errors": any(form.errors for form in context.get("forms", [])),
    }  # fmt: skip
    status = 422 if any(form.is_bound for form in context.get("forms", [])) else 200
    return pages.render_page(request, f"accesses/wizard_{step}.html", context, status=status)


def _provider(request: OrgRequest, draft: AccessDraft) -> HttpResponse:
    initial = {"provider": draft.provider or next(iter(PROVIDERS))}
    form = ProviderForm(request.POST) if request.method == "POST" else ProviderForm(initial=initial)
    if form.is_valid():
        draft.provider = form.cleaned_data["provider"]
        draft.save()
        return pages.go_to(request, _url(request, draft, "authentication"))
    context = {"forms": [form], "form": form, "providers": PROVIDERS.values()}
    return _page(request, draft, "provider", context)


def _authentication(request: OrgRequest, draft: AccessDraft) -> HttpResponse:
    provider = PROVIDERS[draft.provider]
    initial = {"method": draft.method or provider.methods[0].slug}
    form = (
        MethodForm(provider, request.POST)
        if request.method == "POST"
        else MethodForm(provider, initial=initial)
    )
    if form.is_valid():
        draft.method = form.cleaned_data["method"]
        draft.save()
        return pages.go_to(request, _url(request, draft, "details"))
    return _page(
        request, draft, "authentication", {"forms": [form], "form": form, "methods": provider.methods}
    )


def _configuration_form(draft: AccessDraft, data: Any) -> ConfigurationForm:
    method = PROVIDERS[draft.provider].method(draft.method)
    if method is None:
        raise Http404
    return method.form(data, initial=draft.configuration, stored=draft.credential is not None)


def _suggested(draft: AccessDraft, provider: Provider) -> str:
    taken = set(draft.cluster.accesses.values_list("name", flat=True))
    base = provider.slug.partition("-")[0]
    names = [base, *(f"{base}-{number}" for number in range(2, 100))]
    return next((name for name in names if name not in taken), "")


def _details(request: OrgRequest, draft: AccessDraft) -> HttpResponse:
    provider = PROVIDERS[draft.provider]
    data = request.POST if request.method == "POST" else None
    around = namespaces_of(draft.cluster)
    name = NameForm(draft.cluster, data, initial={"name": draft.name or _suggested(draft, provider)})
    form = _configuration_form(draft, data)
    spaces = NamespacesForm(draft.cluster, data, initial={"namespaces": draft.namespaces or around})
    forms = [name, form, spaces]
    if data is not None and all_valid(*forms):
        draft.name = name.cleaned_data["name"]
        draft.namespaces = spaces.cleaned_data["namespaces"]
        draft.configuration = form.configuration()
        credential = form.credential(draft.credential)
        if credential != draft.credential:
            draft.credential, draft.credential_set_at = credential, timezone.now()
        draft.result, draft.tested_at = {}, None
        draft.save()
        return pages.go_to(request, _url(request, draft, "test"))
    context = {"forms": forms, "name_form": name, "form": form, "namespaces_form": spaces, "regions": REGIONS}
    return _page(request, draft, "details", context | {"around": around})


def _test(request: OrgRequest, draft: AccessDraft) -> HttpResponse:
    """Test at the first visit and on demand; a usable draft can be saved."""
    wish = request.POST.get("wish", "") if request.method == "POST" else ""
    if not draft.result or wish != "save":
        services.test_draft(draft)
    problem = ""
    if wish == "save" and draft.result["usable"]:
        try:
            access = services.create(draft=draft, by=request.user)
        except services.NameTaken as error:
            problem = str(error)
        else:
            pages.toast(request, f"{access.name} is added. Link a secret, then deploy.")
            kwargs = {"org": request.organization.slug, "cluster": access.cluster.name, "access": access.name}
            return pages.go_to(request, reverse("accesses:detail", kwargs=kwargs))
    return _page(request, draft, "test", {"result": draft.result, "problem": problem})
