"""Changing an access: its configuration, its credential, how it signs in."""

from typing import Any

from django.http import HttpResponse
from django.views.decorators.debug import sensitive_variables

from accesses import entering, forms, outcomes, services, situations, trials, wanted
from accesses.models import Access
from accesses.providers import PROVIDERS, ConfigurationForm, Method
from accesses.setup import cards
from accesses.views import accesses
from accounts.access import OrgRequest, org_view
from accounts.roles import Permission
from config import pages


@org_view(Permission.ACCESS_MANAGE, methods=("GET", "POST"), dangerous=True)
@sensitive_variables()
def edit(request: OrgRequest, cluster: str, access: str) -> HttpResponse:
    """Change an access, with `?method=` to another way to sign in; new values are tested first."""
    found = accesses.find(request, cluster, access, Permission.ACCESS_MANAGE)
    method = _method(request, found)
    if method is None:
        return pages.go_to(request, accesses.url(request, found))
    posted = (request.POST, request.FILES) if request.method == "POST" else (None, None)
    form = forms.edit_form(
        found, method, *posted, sees_credentials=request.allows(Permission.CREDENTIAL_VIEW)
    )
    result = None
    if form.is_valid():
        result = _change(request, found, method, form)
        if not form.errors:
            return pages.go_to(request, accesses.url(request, found))
    context = accesses.facts(found) | {
        "cluster": found.cluster, "form": form, "result": result, "chosen": method,
        "offers": _offers(found, method), "setup": _setup(found, method),
        "apart": outcomes.is_apart(found) or "apart" in request.POST,
        "set_at": found.credential_set_at, "set_by": found.credential_set_by,
    }  # fmt: skip
    return pages.render_page(request, "accesses/edit.html", context, status=422 if form.is_bound else 200)


def _method(request: OrgRequest, access: Access) -> Method | None:
    provider = PROVIDERS[access.provider]
    return provider.method(request.GET.get("method", "")) or provider.method(access.method)


def _offers(access: Access, chosen: Method) -> list[dict[str, Any]]:
    """Return the other ways to sign in, each with what stands in its way."""
    situation = situations.of(access.cluster, access.provider, but=access)
    others = [method for method in PROVIDERS[access.provider].methods if method is not chosen]
    return [{"method": method, "obstacle": method.obstacle(situation)} for method in others]


def _setup(access: Access, method: Method) -> dict[str, Any]:
    """Return what the cards show of another method; of its own, the access has been through them."""
    if method.slug == access.method:
        return {}
    tried = Access(
        pk=access.pk, cluster=access.cluster, provider=access.provider, name=access.name, method=method.slug,
        configuration=access.configuration,
    )  # fmt: skip
    return cards.context(tried)


@sensitive_variables()
def _change(
    request: OrgRequest, access: Access, method: Method, form: ConfigurationForm
) -> trials.Result | None:
    """Test the new values, then store them; what stands in the way is said on the form."""
    seen = request.POST.get("seen", "")
    values = entering.values_of(access, method, form)
    result = None
    try:
        version = int(seen) if seen.isdecimal() and len(seen) < 10 else 0
        services.check_version(access, version)
        entering.keep_rules(access, method)
        if values.is_new_to(access):
            result = entering.try_values(access, values)
            if result.silent and "apart" in request.POST:
                result = outcomes.apart(result.reason)
            if not result.usable:
                _say(form, result)
                return result
        differs = services.change(
            access=access, values=values, result=result, seen_version=version, by=request.user
        )
    except services.Changed as error:
        access.refresh_from_db()
        form.add_error(None, str(error))
        form.theirs = wanted.compared(access, values)
    except (services.InUse, situations.NotPossible) as error:
        form.add_error("namespaces" if isinstance(error, services.InUse) else None, str(error))
    else:
        said = "is changed. Deploy to apply it." if differs else "stays as it is: nothing differs."
        pages.toast(request, f"{access.name} {said}")
    return result


def _say(form: ConfigurationForm, result: trials.Result) -> None:
    form.add_error(None, "Nothing was changed: the new values do not work.")
    if result.about in form.fields:
        form.add_error(result.about, f"{result.reason} {result.remedy}")
