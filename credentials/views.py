"""The organization's cloud credentials: the list, and one credential's facts, users, change and end."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables

from accounts.access import OrgRequest, org_view
from accounts.roles import Permission, who_may
from config import pages
from credentials import clouds, forms, services
from credentials.clouds.errors import ProviderError
from credentials.fields import SecretForm
from credentials.models import CloudCredential

# What is said where the users are not all for the one who asks to know.
IN_USE = (
    "The new values are of another account, and it is used in its own, partly where your roles do not reach."
)


def _find(request: OrgRequest, name: str) -> CloudCredential:
    owned = CloudCredential.objects.within(
        request.organization, request.authority, Permission.CREDENTIAL_VIEW
    )
    return get_object_or_404(owned, name=name)


def _url(request: OrgRequest, credential: CloudCredential) -> str:
    kwargs = {"org": request.organization.slug, "credential": credential.name}
    return reverse("credentials:detail", kwargs=kwargs)


def _rights(request: OrgRequest) -> dict[str, Any]:
    return {
        "can_manage": request.allows(Permission.CREDENTIAL_MANAGE),
        "who_may_manage": who_may(Permission.CREDENTIAL_MANAGE),
    }


def users(request: OrgRequest, credential: CloudCredential) -> dict[str, Any]:
    """Return what uses a credential, one query each; what may not be seen is `hidden`, and only counted."""
    accesses = credential.accesses.select_related("cluster").order_by("cluster__name", "name")
    identities = credential.identities.select_related("cluster").order_by("cluster__name", "access_name")
    found: dict[str, list[Any]] = {
        "clusters": list(credential.clusters.order_by("name")),
        "accesses": list(accesses.defer("result")),
        "identities": list(identities),
    }
    seen = {
        "clusters": [
            row for row in found["clusters"] if request.allows(Permission.CLUSTER_VIEW, cluster=row.name)
        ],
        **{
            name: [
                row for row in found[name] if request.allows(Permission.ACCESS_VIEW, cluster=row.cluster.name)
            ]
            for name in ("accesses", "identities")
        },
    }
    return seen | {"hidden": sum(map(len, found.values())) - sum(map(len, seen.values()))}


def _described(credential: CloudCredential) -> dict[str, Any]:
    cloud = clouds.CLOUDS.get(credential.cloud)
    return {
        "credential": credential,
        "cloud": cloud,
        "method": cloud.method(credential.method) if cloud else None,
        "facts": cloud.describe(credential.facts) if cloud else [],
    }


@org_view(Permission.CREDENTIAL_VIEW)
def index(request: OrgRequest) -> HttpResponse:
    """List the credentials, those in use first, the unused ones apart."""
    owned = CloudCredential.objects.within(
        request.organization, request.authority, Permission.CREDENTIAL_VIEW
    )
    rows = list(owned.with_usage())
    described = [_described(row) for row in rows]
    context = _rights(request) | {
        "sections": [
            ("In use", "used", [row for row in described if row["credential"].used]),
            ("Unused", "unused", [row for row in described if not row["credential"].used]),
        ],
        "total": len(rows),
    }
    return pages.render_page(request, "credentials/index.html", context)


@org_view(Permission.CREDENTIAL_MANAGE, methods=("GET", "POST"), dangerous=True)
@sensitive_variables()
def new(request: OrgRequest) -> HttpResponse:
    """Choose a kind of credential, then enter it; it is tried before it is stored."""
    kinds = forms.KindForm(request.GET if "kind" in request.GET else None)
    if not kinds.is_valid():
        status = 422 if kinds.is_bound else 200
        return pages.render_page(request, "credentials/kind.html", {"form": kinds}, status=status)
    cloud, method = clouds.known(*kinds.cleaned_data["kind"].split("."))
    form = forms.credential_form(request.organization, method, None, *_sent(request))
    if form.is_valid():
        made = _create(request, cloud.slug, method.slug, form)
        if made is not None:
            pages.toast(request, f"{made.name} works and is stored.")
            return pages.go_to(request, _url(request, made))
    context = {
        "form": form,
        "cloud": cloud,
        "method": method,
        "policy": cloud.policy({}),
        "url": request.get_full_path(),
    }
    return pages.render_page(request, "credentials/new.html", context, status=422 if form.is_bound else 200)


def _sent(request: OrgRequest) -> tuple[Any, Any]:
    return (request.POST, request.FILES) if request.method == "POST" else (None, None)


@sensitive_variables()
def _create(request: OrgRequest, cloud: str, method: str, form: SecretForm) -> CloudCredential | None:
    """Make the credential; what stands in the way is said on the form."""
    try:
        return services.create(
            organization=request.organization,
            name=form.cleaned_data["name"],
            cloud=cloud,
            method=method,
            secret=form.secret({}),
            given=form.given(),
            by=request.user,
        )
    except ProviderError as error:
        form.add_error(None, f"{error.reason} {error.remedy}")
    except services.NameTaken as error:
        form.add_error("name", str(error))
    return None


@org_view(Permission.CREDENTIAL_VIEW)
def detail(request: OrgRequest, credential: str) -> HttpResponse:
    """Show whose credential it is, who uses it, and what it needs to be allowed."""
    found = _find(request, credential)
    context = _described(found) | users(request, found) | _rights(request)
    if context["cloud"]:
        context["policy"] = context["cloud"].policy(found.facts)
    return pages.render_page(request, "credentials/detail.html", context)


@org_view(Permission.CREDENTIAL_MANAGE, methods=("POST",))
def check(request: OrgRequest, credential: str) -> HttpResponse:
    """Try a credential now; its page shows what was found."""
    found = _find(request, credential)
    services.check(found, by=request.user)
    return pages.go_to(request, _url(request, found))


@org_view(Permission.CREDENTIAL_MANAGE, methods=("GET", "POST"), dangerous=True)
@sensitive_variables()
def edit(request: OrgRequest, credential: str) -> HttpResponse:
    """Rename a credential or replace its secret; new values are tried before they replace the old ones."""
    found = _find(request, credential)
    context = _described(found)
    if context["method"] is None:
        return pages.go_to(request, _url(request, found))
    form = forms.credential_form(request.organization, context["method"], found, *_sent(request))
    if form.is_valid() and _change(request, found, form):
        found.refresh_from_db()
        return pages.go_to(request, _url(request, found))
    return pages.render_page(
        request, "credentials/edit.html", context | {"form": form}, status=422 if form.is_bound else 200
    )


@sensitive_variables()
def _change(request: OrgRequest, credential: CloudCredential, form: SecretForm) -> bool:
    """Change the credential and return whether that went well; what stands in the way is said on the form."""
    seen = request.POST.get("seen", "")
    try:
        differs = services.change(
            credential=credential,
            name=form.cleaned_data["name"],
            secret=form.secret(credential.secret),
            given=form.given(),
            seen_version=int(seen) if seen.isdecimal() and len(seen) < 10 else 0,
            by=request.user,
        )
    except ProviderError as error:
        form.add_error(None, f"Nothing was changed. {error.reason} {error.remedy}")
    except services.Changed as error:
        credential.refresh_from_db()
        form.add_error(None, str(error))
    except services.InUse as error:
        form.add_error(None, str(error) if not users(request, credential)["hidden"] else IN_USE)
    except services.NameTaken as error:
        form.add_error("name", str(error))
    else:
        said = "is changed." if differs else "stays as it is: nothing differs."
        pages.toast(request, f"{form.cleaned_data['name']} {said}")
        return True
    return False


@org_view(Permission.CREDENTIAL_MANAGE, methods=("GET", "POST"), dangerous=True)
def delete(request: OrgRequest, credential: str) -> HttpResponse:
    """Delete a credential that nothing uses; what uses it is listed."""
    found = _find(request, credential)
    form = forms.DeleteForm(found.name, request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            services.delete(credential=found, by=request.user)
        except services.InUse as error:
            form.add_error(None, str(error))
            found = _find(request, credential)
        else:
            pages.toast(request, f"{found.name} is deleted here. In the cloud it is still good.")
            return pages.go_to(
                request, reverse("credentials:index", kwargs={"org": request.organization.slug})
            )
    context = _described(found) | users(request, found) | {"form": form}
    return pages.render_page(
        request, "credentials/delete.html", context, status=422 if form.is_bound else 200
    )
