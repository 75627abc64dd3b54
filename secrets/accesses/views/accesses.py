"""The add-ons page, and one access: its states, its manifests, its change and its end."""

from typing import Any

import yaml
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables

from accesses import forms, manifests, services, states
from accesses.models import Access, AccessDraft, OperatorState
from accesses.providers import PROVIDERS, ConfigurationForm
from accounts.access import OrgRequest, org_view
from accounts.roles import Permission, who_may
from clusters.models import Look
from clusters.views import clusters
from config import pages


def _access(request: OrgRequest, cluster: str, name: str) -> Access:
    owned = Access.objects.owned_by(request.organization).select_related("cluster__organization")
    return get_object_or_404(owned, cluster__name=cluster, name=name)


def _url(request: OrgRequest, access: Access, page: str = "detail") -> str:
    kwargs = {"org": request.organization.slug, "cluster": access.cluster.name, "access": access.name}
    return reverse(f"accesses:{page}", kwargs=kwargs)


def _facts(access: Access) -> dict[str, Any]:
    """Return what templates show of an access besides its own fields."""
    provider = PROVIDERS[access.provider]
    method = provider.method(access.method)
    settings = method.form.describe(access.configuration) if method else []
    return {
        "access": access,
        "provider": provider,
        "method": method,
        "settings": settings,
        "where": " · ".join(value for _, value in settings if value),
        "states": states.of(access),
    }


@org_view(Permission.ACCESS_VIEW)
def add_ons(request: OrgRequest, cluster: str) -> HttpResponse:
    """Show the operator and the accesses of a cluster, and what the person has begun."""
    found = clusters.find(request, cluster)
    rows = found.accesses.annotate(linked=Count("external_secrets")).order_by("name")
    begun = AccessDraft.objects.owned_by(request.organization).filter(by=request.user, cluster=found)
    drafts = begun.exclude(provider="")
    context = clusters.page_context(request, found, "add-ons") | {
        "rows": [_facts(row) for row in rows],
        "drafts": [{"draft": draft, "provider": PROVIDERS.get(draft.provider)} for draft in drafts],
        "operator": OperatorState.objects.filter(cluster=found).first(),
        "can_manage_accesses": request.allows(Permission.ACCESS_MANAGE),
        "who_may_manage": who_may(Permission.ACCESS_MANAGE),
    }
    return pages.render_page(request, "accesses/add_ons.html", context)


@org_view(Permission.ACCESS_VIEW)
def detail(request: OrgRequest, cluster: str, access: str) -> HttpResponse:
    """Show an access: three states that are never merged, its links, what a deploy applies."""
    found = _access(request, cluster, access)
    links = found.external_secrets.select_related("service__cluster")
    look = Look.objects.filter(cluster=found.cluster).first()
    context = _facts(found) | {
        "cluster": found.cluster,
        "banner": clusters.banner(found.cluster),
        "foreign": look.of(found.store_name) if look else [],
        "look": look,
        "links": links.order_by("service__namespace", "service__name", "variable"),
        "manifests": yaml.safe_dump_all(manifests.preview(found), sort_keys=False),
        "result": found.result,
        "can_manage": request.allows(Permission.ACCESS_MANAGE),
        "can_browse": request.allows(Permission.SECRET_BROWSE),
        "can_deploy": request.allows(Permission.DEPLOY_RUN),
        "who_may_manage": who_may(Permission.ACCESS_MANAGE),
    }
    return pages.render_page(request, "accesses/detail.html", context)


@org_view(Permission.ACCESS_MANAGE, methods=("POST",))
def test(request: OrgRequest, cluster: str, access: str) -> HttpResponse:
    """Test an access now; the page shows what was found."""
    found = _access(request, cluster, access)
    services.verify(found)
    return pages.go_to(request, f"{_url(request, found)}#states-h")


@org_view(Permission.ACCESS_MANAGE, methods=("GET", "POST"))
@sensitive_variables()
def edit(request: OrgRequest, cluster: str, access: str) -> HttpResponse:
    """Change an access; new values are tested before they replace the old ones."""
    found = _access(request, cluster, access)
    method = PROVIDERS[found.provider].method(found.method)
    if method is None:
        return pages.go_to(request, _url(request, found))
    form = forms.edit_form(found, method, request.POST if request.method == "POST" else None)
    result = None
    if form.is_valid():
        result = _change(request, found, form)
        if not form.errors:
            return pages.go_to(request, _url(request, found))
    context = _facts(found) | {
        "cluster": found.cluster, "form": form, "result": result,
        "set_at": found.credential_set_at, "set_by": found.credential_set_by,
    }  # fmt: skip
    return pages.render_page(request, "accesses/edit.html", context, status=422 if form.is_bound else 200)


@sensitive_variables()
def _change(request: OrgRequest, access: Access, form: ConfigurationForm) -> services.Result | None:
    """Test the new values, then store them; what stands in the way is said on the form."""
    seen = request.POST.get("seen", "")
    values = {
        "configuration": form.configuration(),
        "credential": form.credential(access.credential),
        "namespaces": form.cleaned_data["namespaces"],
    }
    result = None
    try:
        version = int(seen) if seen.isdecimal() and len(seen) < 10 else 0
        services.check_version(access, version)
        if any(values[name] != getattr(access, name) for name in ("configuration", "credential")):
            result = services.try_access(
                Access(cluster=access.cluster, provider=access.provider, method=access.method, **values)
            )
            if not result.usable:
                form.add_error(None, "Nothing was changed: the new values do not work.")
                return result
        differs = services.change(
            access=access, result=result, seen_version=version, by=request.user, **values
        )
    except services.Changed as error:
        access.refresh_from_db()
        form.add_error(None, str(error))
        form.theirs = services.compared(access, values["configuration"], values["namespaces"])
    except services.InUse as error:
        form.add_error("namespaces", str(error))
    else:
        said = "is changed. Deploy to apply it." if differs else "stays as it is: nothing differs."
        pages.toast(request, f"{access.name} {said}")
    return result


@org_view(Permission.ACCESS_MANAGE, methods=("GET", "POST"))
def delete(request: OrgRequest, cluster: str, access: str) -> HttpResponse:
    """Delete an access that nothing uses; what uses it is listed."""
    found = _access(request, cluster, access)
    form = forms.DeleteForm(found.name, request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            services.delete(access=found, by=request.user)
        except services.InUse as error:
            form.add_error(None, str(error))
            found = _access(request, cluster, access)
        else:
            pages.toast(request, f"{found.name} is deleted. The next deploy removes its store.")
            kwargs = {"org": request.organization.slug, "cluster": found.cluster.name}
            return pages.go_to(request, reverse("accesses:add_ons", kwargs=kwargs))
    links = found.external_secrets.select_related("service__cluster")
    context = _facts(found) | {"cluster": found.cluster, "form": form, "links": links}
    return pages.render_page(request, "accesses/delete.html", context, status=422 if form.is_bound else 200)
