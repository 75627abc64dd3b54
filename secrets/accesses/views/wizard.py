"""The wizard: provider, authentication, details, test. Each step is a page; what was entered is a draft row."""

import uuid
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables

from accesses import drafts, entering, forms, services, situations
from accesses.models import Access, AccessDraft
from accesses.providers import PROVIDERS, Method, grouped
from accesses.setup import cards
from accounts.access import OrgRequest, org_view
from accounts.roles import Permission
from clusters.models import Cluster
from config import pages

STEPS = {"provider": "Provider", "authentication": "Authentication", "details": "Details", "test": "Test"}
ORDER = list(STEPS)


@org_view(Permission.ACCESS_MANAGE, methods=("GET", "POST"), dangerous=True)
def new(request: OrgRequest, cluster: str) -> HttpResponse:
    """Begin a draft and go to its first step; whoever comes by a link is shown where it begins."""
    found = get_object_or_404(
        Cluster.objects.within(request.organization, request.authority, Permission.ACCESS_MANAGE),
        name=cluster,
    )
    if request.method != "POST":
        return _to_add_ons(request, cluster)
    draft = drafts.begin(cluster=found, by=request.user)
    return pages.go_to(request, _url(request, draft, "provider"))


@org_view(Permission.ACCESS_MANAGE, methods=("POST",))
def discard(request: OrgRequest, cluster: str, draft: uuid.UUID) -> HttpResponse:
    """End a draft and what was typed into it."""
    get_object_or_404(_drafts(request, cluster), pk=draft).delete()
    pages.toast(request, "The draft is discarded.")
    return _to_add_ons(request, cluster)


@org_view(Permission.ACCESS_MANAGE, methods=("GET", "POST"), dangerous=True)
def step(request: OrgRequest, cluster: str, draft: uuid.UUID, step: str) -> HttpResponse:
    """Show or take one step; a step that comes too early leads to the one that is missing."""
    if step not in STEPS:
        raise Http404
    found = _drafts(request, cluster).select_related("cluster__organization").filter(pk=draft).first()
    if found is None:
        return _to_access(request, cluster, draft)
    missing = _missing(found)
    if ORDER.index(step) > ORDER.index(missing):
        return pages.go_to(request, _url(request, found, missing))
    views = {"provider": _provider, "authentication": _authentication, "details": _details, "test": _test}
    try:
        return views[step](request, found)
    except AccessDraft.NotUpdated:
        # Another tab has ended the draft meanwhile; it must not come back.
        return _to_access(request, cluster, draft)


def _drafts(request: OrgRequest, cluster: str) -> Any:
    """Return the drafts of the one who asks; they hold credentials and are nobody else's business."""
    return AccessDraft.objects.within(
        request.organization, request.authority, Permission.ACCESS_MANAGE
    ).filter(by=request.user, cluster__name=cluster)


def _to_add_ons(request: OrgRequest, cluster: str) -> HttpResponse:
    kwargs = {"org": request.organization.slug, "cluster": cluster}
    return pages.go_to(request, reverse("accesses:add_ons", kwargs=kwargs))


def _to_access(request: OrgRequest, cluster: str, made: uuid.UUID) -> HttpResponse:
    """Lead from the wizard's address to what came of it: “Back”, a second click and old tabs get there."""
    owned = Access.objects.within(request.organization, request.authority, Permission.ACCESS_VIEW)
    access = get_object_or_404(owned, cluster__name=cluster, pk=made)
    kwargs = {"org": request.organization.slug, "cluster": cluster, "access": access.name}
    return pages.go_to(request, reverse("accesses:detail", kwargs=kwargs))


def _method(draft: AccessDraft) -> Method | None:
    provider = PROVIDERS.get(draft.provider)
    return provider.method(draft.method) if provider else None


def _missing(draft: AccessDraft) -> str:
    """Return the first step whose answer is not there yet."""
    if draft.provider not in PROVIDERS:
        return "provider"
    if _method(draft) is None:
        return "authentication"
    answered = draft.name and draft.namespaces and draft.configuration
    return "test" if answered else "details"


def _url(request: OrgRequest, draft: AccessDraft, step: str) -> str:
    kwargs = {
        "org": request.organization.slug, "cluster": draft.cluster.name, "draft": draft.pk, "step": step,
    }  # fmt: skip
    return reverse("accesses:wizard", kwargs=kwargs)


def _page(
    request: OrgRequest, draft: AccessDraft, step: str, context: dict[str, Any], wrong: bool = False
) -> HttpResponse:
    reached, here = ORDER.index(_missing(draft)), ORDER.index(step)
    form = context.get("form")
    wrong = wrong or bool(form and form.errors)
    context |= {
        "draft": draft,
        "cluster": draft.cluster,
        "step": step,
        "step_label": STEPS[step],
        "steps": [
            {"label": label, "url": _url(request, draft, slug), "done": at < here, "current": at == here,
             "open": at <= reached}
            for at, (slug, label) in enumerate(STEPS.items())
        ],
        "back": _url(request, draft, ORDER[here - 1]) if here else "",
        "provider": PROVIDERS.get(draft.provider),
        "errors": wrong,
    }  # fmt: skip
    return pages.render_page(request, f"accesses/wizard_{step}.html", context, status=422 if wrong else 200)


def _forget(draft: AccessDraft) -> None:
    """Drop the answers that belonged to another provider or method, credential included."""
    draft.configuration, draft.credential, draft.credential_set_at = {}, None, None
    draft.result, draft.tested_at = {}, None
    draft.cloud_credential, draft.expires_at = None, None
    draft.prefix, draft.tags, draft.only_tagged, draft.refresh_seconds = "", {}, False, 0


def _provider(request: OrgRequest, draft: AccessDraft) -> HttpResponse:
    initial = {"provider": draft.provider or next(iter(PROVIDERS))}
    form = forms.ProviderForm(request.POST if request.method == "POST" else None, initial=initial)
    if form.is_valid():
        if form.cleaned_data["provider"] != draft.provider:
            _forget(draft)
            draft.provider, draft.method = form.cleaned_data["provider"], ""
        draft.save(force_update=True)
        return pages.go_to(request, _url(request, draft, "authentication"))
    return _page(request, draft, "provider", {"form": form, "kinds": grouped(PROVIDERS.values())})


def _authentication(request: OrgRequest, draft: AccessDraft) -> HttpResponse:
    provider = PROVIDERS[draft.provider]
    situation = situations.of(draft.cluster, provider.slug)
    posted = request.POST if request.method == "POST" else None
    form = forms.MethodForm(provider, situation, posted, chosen=draft.method)
    if form.is_valid():
        if form.cleaned_data["method"] != draft.method:
            _forget(draft)
            draft.method = form.cleaned_data["method"]
        draft.save(force_update=True)
        return pages.go_to(request, _url(request, draft, "details"))
    return _page(request, draft, "authentication", {"form": form})


@sensitive_variables()
def _details(request: OrgRequest, draft: AccessDraft) -> HttpResponse:
    """Take the details and test them at once: what is refused is said at the field that it is about."""
    method = _method(draft)
    if method is None:
        raise Http404
    posted = (request.POST, request.FILES) if request.method == "POST" else (None, None)
    sees = request.allows(Permission.CREDENTIAL_VIEW)
    form, result = forms.details_form(draft, method, *posted, sees_credentials=sees), None
    if form.is_valid():
        entering.answer(draft, form)
        result = drafts.test_draft(draft)
        if result.usable or result.about not in form.fields:
            return pages.go_to(request, _url(request, draft, "test"))
        # Once more: what was typed is stored by now, and need not be typed again.
        form = forms.details_form(draft, method, *posted, sees_credentials=sees)
        form.add_error(result.about, f"{result.reason} {result.remedy}")
    elif form.is_bound and form.typed():
        # Nobody finds a key again that was shown once: what is right of the form is kept, and not asked for anew.
        entering.keep_credential(draft, form)
        draft.save(force_update=True)
        form = forms.details_form(draft, method, request.POST, sees_credentials=sees)
    context = {
        "form": form, "set_at": draft.credential_set_at, "method": method, "result": result,
        "around": forms.namespaces_of(draft.cluster), "setup": cards.context(draft),
        # The test writes it to the cluster; for automatic mode a deploy does.
        "makes": draft.service_account if method.annotations and method.rehearse is None else "",
    }  # fmt: skip
    return _page(request, draft, "details", context)


def _test(request: OrgRequest, draft: AccessDraft) -> HttpResponse:
    """Test on demand; what was tested, and shown to the person, can be saved."""
    save = request.method == "POST" and request.POST.get("wish") in ("save", "apart")
    if save and draft.tested_at and request.POST.get("shown") == draft.tested_at.isoformat():
        return _save(request, draft)
    if (request.method == "POST" and not save) or not draft.result:
        drafts.test_draft(draft)
    if request.method == "POST":
        return pages.go_to(request, _url(request, draft, "test"))
    return _page(request, draft, "test", {"result": draft.result})


def _save(request: OrgRequest, draft: AccessDraft) -> HttpResponse:
    try:
        apart = request.POST.get("wish") == "apart"
        access = services.create(draft=draft, by=request.user, apart=apart)
    except (services.NameTaken, services.NotUsable, situations.NotPossible) as error:
        context = {"result": draft.result, "problem": str(error)}
        return _page(request, draft, "test", context, wrong=True)
    except AccessDraft.DoesNotExist:
        return _to_access(request, draft.cluster.name, draft.pk)
    pages.toast(request, f"{access.name} is added")
    return _to_access(request, draft.cluster.name, access.pk)
