"""Changing a cloud credential: its name, its values, or how it signs in; new values are tried before they replace the old."""

from typing import Any

from django.http import HttpResponse
from django.views.decorators.debug import sensitive_variables

from accounts import pacing
from accounts.access import OrgRequest, org_view
from accounts.roles import Permission
from config import pages
from credentials import clouds, consequences, forms, services, usage
from credentials.clouds.base import Cloud, Method
from credentials.clouds.errors import ProviderError
from credentials.fields import SecretForm
from credentials.models import CloudCredential
from credentials.views import common


@org_view(Permission.CREDENTIAL_MANAGE, methods=("GET", "POST"), dangerous=True)
@pacing.paced("POST")
@sensitive_variables()
def edit(request: OrgRequest, credential: str) -> HttpResponse:
    """Rename a credential, replace its values, or with `?method=` let it sign in in another way."""
    found = common.find(request, credential)
    context = common.described(found)
    if context["method"] is None:
        return pages.go_to(request, common.url(request, found))
    method = _wanted(request, context["cloud"], context["method"])
    form = forms.credential_form(
        request.organization, method, found, *common.sent(request), same=method is context["method"]
    )
    if form.is_valid() and _change(request, found, method, form):
        found.refresh_from_db()
        waiting = consequences.out_of_date(found)
        return pages.go_to(request, common.url(request, found, "usage" if waiting else "detail"))
    status = 422 if form.is_bound else 200
    context |= _around(request, found, method) | {"form": form}
    return pages.render_page(request, "credentials/edit.html", context, status=status)


def _wanted(request: OrgRequest, cloud: Cloud, now: Method) -> Method:
    asked = cloud.method(request.GET.get("method", ""))
    return asked if asked is not None and asked.obstacle() is None else now


def _around(request: OrgRequest, credential: CloudCredential, method: Method) -> dict[str, Any]:
    cloud, now = clouds.known(credential.cloud, credential.method)
    return {
        "method": method,
        "kind": f"{cloud.slug}.{method.slug}",
        "switching": method is not now,
        "others": [one for one in cloud.methods if one is not method and one.obstacle() is None],
        "cards": method.cards(common.helped(request, credential.facts)),
        "changes": consequences.of_change(credential, common.asker(request)),
        "affected": consequences.affected(credential),
        "rotate_url": common.rotate_url(request, credential.name),
        "url": request.get_full_path(),
    }


@sensitive_variables()
def _change(request: OrgRequest, credential: CloudCredential, method: Method, form: SecretForm) -> bool:
    """Change the credential and return whether that went well; what stands in the way is said on the form."""
    seen = request.POST.get("seen", "")
    same = method.slug == credential.method
    try:
        differs = services.change(
            credential=credential,
            name=form.cleaned_data["name"],
            secret=form.secret(credential.secret if same else {}),
            given=form.given(),
            seen_version=int(seen) if seen.isdecimal() and len(seen) < 10 else 0,
            method=method.slug,
            until=forms.until_of(form),
            by=request.user,
        )
    except ProviderError as error:
        form.add_error(None, f"Nothing was changed. {error.reason} {error.remedy}")
    except services.Changed as error:
        credential.refresh_from_db()
        form.add_error(None, str(error))
    except services.InUse as error:
        hidden = usage.users(credential, request.authority)["hidden"]
        form.add_error(None, str(error) if not hidden else common.IN_USE)
    except services.NameTaken as error:
        form.add_error("name", str(error))
    else:
        pages.toast(request, _said(form.cleaned_data["name"], differs, credential))
        return True
    return False


def _said(name: str, differs: bool, credential: CloudCredential) -> str:
    if not differs:
        return f"{name} stays as it is: nothing differs."
    waiting = consequences.out_of_date(credential)
    if not waiting:
        return f"{name} is changed."
    clusters = "One cluster waits" if waiting == 1 else f"{waiting} clusters wait"
    return f"{name} is changed. {clusters} for a deploy."
