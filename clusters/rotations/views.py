"""The pages of a rotation: beginning one, and one page on which it is seen to its end or taken back."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables

from accounts import pacing
from accounts.access import OrgRequest, org_view
from accounts.roles import Permission, who_may
from clusters.models import Rotation
from clusters.rotations import forms, making, moving, retiring, services, showing, undoing
from config import pages
from credentials import clouds, signing
from credentials import services as credentials
from credentials.clouds.base import Helped
from credentials.clouds.errors import ProviderError
from credentials.fields import SecretForm
from credentials.models import CloudCredential

REFUSED = (services.CannotBe, credentials.Changed, credentials.InUse)


def _credential(request: OrgRequest, name: str) -> CloudCredential:
    rows = CloudCredential.objects.within(request.organization, request.authority, Permission.CREDENTIAL_VIEW)
    return get_object_or_404(rows.select_related("organization"), name=name)


def _find(request: OrgRequest, credential: str, rotation: Any) -> Rotation:
    found = _credential(request, credential)
    return get_object_or_404(found.rotations.select_related("credential__organization"), pk=rotation)


def _url(request: OrgRequest, rotation: Rotation) -> str:
    kwargs = {
        "org": request.organization.slug,
        "credential": rotation.credential.name,
        "rotation": rotation.pk,
    }
    return reverse("clusters:rotation", kwargs=kwargs)


@org_view(Permission.CREDENTIAL_MANAGE, methods=("GET", "POST"), dangerous=True)
@sensitive_variables()
def rotate(request: OrgRequest, credential: str) -> HttpResponse:
    """Begin a rotation: enter a new key, or have the console make it; one that is open already is shown."""
    found = _credential(request, credential)
    if found.rotation is not None:
        return pages.go_to(request, _url(request, found.rotation))
    method = services.method_of(found)
    if method is None or services.why_not(found):
        return _begin_page(request, found, None)
    wish = request.POST.get("wish", "enter") if request.method == "POST" else ""
    sent = (request.POST, request.FILES) if wish == "enter" else (None, None)
    form = forms.values_form(method, found, *sent)
    if wish == "make":
        return _make(request, found, form)
    if form.is_valid():
        rotation = _begin(request, found, form)
        if rotation is not None:
            pages.toast(request, f"The new key of {found.name} works and is stored.")
            return pages.go_to(request, _url(request, rotation))
    return _begin_page(request, found, form)


@sensitive_variables()
def _begin(request: OrgRequest, credential: CloudCredential, form: SecretForm) -> Rotation | None:
    """Begin the rotation; what stands in the way is said on the form."""
    try:
        return services.begin(
            credential=credential,
            secret=form.secret({}),
            given=form.given(),
            by=request.user,
            other_identity=form.cleaned_data["other_identity"],
            until=forms.until(form),
        )
    except ProviderError as error:
        form.add_error(None, f"Nothing was changed. {error.reason} {error.remedy}")
    except services.OtherIdentity as error:
        form.add_error("other_identity", str(error))
    except REFUSED as error:
        form.add_error(None, str(error))
    return None


def _make(request: OrgRequest, credential: CloudCredential, form: SecretForm) -> HttpResponse:
    """Have the console make the key; what it lacks is said, with the way by hand below."""
    try:
        return pages.go_to(request, _url(request, making.ask(credential=credential, by=request.user)))
    except ProviderError as error:
        problem = (error.reason, error.remedy)
    except services.CannotBe as error:
        problem = (str(error), "")
    return _begin_page(request, credential, form, problem=problem, status=422)


def _begin_page(
    request: OrgRequest, credential: CloudCredential, form: SecretForm | None, status: int = 200, **more: Any
) -> HttpResponse:
    cloud, method = clouds.CLOUDS.get(credential.cloud), services.method_of(credential)
    context = {
        "credential": credential,
        "cloud": cloud,
        "method": method,
        "why_not": services.why_not(credential),
        "form": form,
        "asks_identity": form is not None and "other_identity" in form.errors,
        "fields": [one for one in form or () if not one.field.disabled and one.name != "other_identity"],
        "cards": method.cards(_helped(request, credential)) if method else (),
        "last": credential.rotations.filter(status__in=Rotation.OVER).first(),
        **showing.makes(credential),
        **more,
    }
    status = 422 if form is not None and form.is_bound else status
    return pages.render_page(request, "rotations/begin.html", context, status=status)


def _helped(request: OrgRequest, credential: CloudCredential) -> Helped:
    spoken = signing.spoken(credential.organization)
    base = request.build_absolute_uri("/").rstrip("/")
    return Helped(spoken["subject"], spoken["issuer"], base, credential.facts)


@org_view(Permission.CREDENTIAL_VIEW)
def show(request: OrgRequest, credential: str, rotation: Any) -> HttpResponse:
    """Show one rotation; when htmx asks, how far it is."""
    return page(request, _find(request, credential, rotation))


def page(
    request: OrgRequest,
    rotation: Rotation,
    *,
    form: Any = None,
    removed: Any = None,
    problems: list[str] | None = None,
) -> HttpResponse:
    """Answer the page of a rotation; with what stood in the way of an act, as 422."""
    seen = showing.see(rotation, request.allows)
    end = showing.end_of_old_key(rotation)
    context = end | {
        "rotation": rotation,
        "credential": rotation.credential,
        "seen": seen,
        "url": _url(request, rotation),
        "failed": showing.failed(rotation),
        "problems": problems or [],
        "form": form or forms.DeleteKeyForm(rotation.credential.name, doubt=end["doubt"]),
        "removed_form": removed or forms.RemovedForm(),
        "can_manage": request.allows(Permission.CREDENTIAL_MANAGE),
        "who_may_manage": who_may(Permission.CREDENTIAL_MANAGE),
        "who_may_deploy": who_may(Permission.DEPLOY_RUN),
        "open_one": rotation.credential.rotation if rotation.status in Rotation.OVER else None,
    }
    wrong = bool(problems) or any(one is not None and one.errors for one in (form, removed))
    return pages.render_page(
        request, "rotations/rotation.html", context, part="live", status=422 if wrong else 200
    )


@org_view(Permission.DEPLOY_RUN, methods=("POST",))
def deploy(request: OrgRequest, credential: str, rotation: Any) -> HttpResponse:
    """Ask for the deploys that bring the new key: of the clusters that are named, or of all that may be deployed."""
    found = _find(request, credential, rotation)
    named = request.POST.getlist("cluster")[:1000]
    asked = moving.deploy(
        rotation=found,
        by=request.user,
        may=lambda name: request.allows(Permission.DEPLOY_RUN, cluster=name),
        names=named or None,
    )
    if asked.problems:
        return page(request, found, problems=asked.problems)
    return pages.go_to(request, f"{_url(request, found)}#clusters-h")


@org_view(Permission.CREDENTIAL_MANAGE, methods=("POST",))
@pacing.paced("POST")
def ask(request: OrgRequest, credential: str, rotation: Any) -> HttpResponse:
    """Ask the cloud when the old key was used last; the page shows the answer."""
    found = _find(request, credential, rotation)
    return _act(request, found, lambda: retiring.ask(found))


def _act(request: OrgRequest, rotation: Rotation, act: Any, **forms_of: Any) -> HttpResponse:
    """Carry out an act and show the rotation; what stands in the way is said there."""
    try:
        act()
    except ProviderError as error:
        problem = f"{error.reason} {error.remedy}"
    except REFUSED as error:
        problem = str(error)
    else:
        return pages.go_to(request, _url(request, rotation))
    rotation.refresh_from_db()
    return page(request, rotation, problems=[problem], **forms_of)


@org_view(Permission.CREDENTIAL_MANAGE, methods=("GET", "POST"), dangerous=True)
def retire(request: OrgRequest, credential: str, rotation: Any) -> HttpResponse:
    """Disable the old key, enable it again, delete it, or say that it is removed."""
    found = _find(request, credential, rotation)
    if request.method != "POST":
        return pages.go_to(request, _url(request, found))
    wish, by = request.POST.get("wish", ""), request.user
    if wish == "delete":
        return _delete(request, found)
    if wish == "removed":
        form = forms.RemovedForm(request.POST)
        if not form.is_valid():
            return page(request, found, removed=form)
    acts = {
        "disable": lambda: retiring.disable(rotation=found, by=by),
        "enable": lambda: retiring.enable(rotation=found, by=by),
        "removed": lambda: retiring.by_hand(rotation=found, by=by),
    }
    if wish not in acts:
        return page(request, found, problems=["Choose what is to become of the old key."])
    return _act(request, found, acts[wish])


def _delete(request: OrgRequest, rotation: Rotation) -> HttpResponse:
    doubt = retiring.doubt(rotation)
    form = forms.DeleteKeyForm(rotation.credential.name, request.POST, doubt=doubt)
    if not form.is_valid():
        return page(request, rotation, form=form)
    override = bool(form.cleaned_data.get("override"))
    return _act(
        request, rotation, lambda: retiring.delete(rotation=rotation, by=request.user, override=override)
    )


@org_view(Permission.CREDENTIAL_MANAGE, methods=("GET", "POST"), dangerous=True)
def take_back(request: OrgRequest, credential: str, rotation: Any) -> HttpResponse:
    """Store the old values again; where clusters had moved, lead to the rotation that brings them back."""
    found = _find(request, credential, rotation)
    if request.method != "POST":
        return pages.go_to(request, _url(request, found))
    try:
        on = undoing.take_back(rotation=found, by=request.user)
    except ProviderError as error:
        problem = f"The old values do not work any more. {error.reason} {error.remedy}"
    except REFUSED as error:
        problem = str(error)
    else:
        pages.toast(request, f"{found.credential.name} has its old values again.")
        return pages.go_to(request, _url(request, on))
    found.refresh_from_db()
    return page(request, found, problems=[problem])
