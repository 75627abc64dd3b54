"""Adding a cloud credential: the kind, then what to do in the cloud, then its values, which are tried first."""

from typing import Any

from django.http import Http404, HttpResponse
from django.utils.http import urlencode
from django.views.decorators.debug import sensitive_variables

from accounts import pacing
from accounts.access import OrgRequest, org_view
from accounts.roles import Permission
from config import pages
from credentials import clouds, forms, services
from credentials.clouds.base import Card, Cloud, Method
from credentials.clouds.errors import NotPossibleHere, ProviderError
from credentials.fields import SecretForm
from credentials.models import CloudCredential
from credentials.views import common


@org_view(Permission.CREDENTIAL_MANAGE, methods=("GET", "POST"), dangerous=True)
@pacing.paced("POST")
@sensitive_variables()
def new(request: OrgRequest) -> HttpResponse:
    """Choose a kind of credential, then enter it; it is tried before it is stored."""
    kinds = forms.KindForm(request.GET if "kind" in request.GET else None, request.GET.get("cloud", ""))
    back = common.own_path(request)
    if not kinds.is_valid():
        status = 422 if kinds.is_bound else 200
        return pages.render_page(
            request, "credentials/kind.html", {"form": kinds, "back": back}, status=status
        )
    cloud, method = clouds.known(*kinds.cleaned_data["kind"].split("."))
    form = forms.credential_form(request.organization, method, None, *common.sent(request), cloud=cloud)
    if form.is_valid():
        made = _create(request, cloud.slug, method.slug, form)
        if made is not None:
            pages.toast(request, f"{made.name} works and is stored.")
            return pages.go_to(request, _after(back, made) or common.url(request, made))
    context = _context(request, cloud, method) | {"form": form, "back": back}
    return pages.render_page(request, "credentials/new.html", context, status=422 if form.is_bound else 200)


def _after(back: str, made: CloudCredential) -> str:
    """Return the page that asked for a credential, told which one was made."""
    return f"{back}{'&' if '?' in back else '?'}{urlencode({'credential': made.name})}" if back else ""


def _context(request: OrgRequest, cloud: Cloud, method: Method) -> dict[str, Any]:
    return {
        "cloud": cloud,
        "method": method,
        "kind": f"{cloud.slug}.{method.slug}",
        "cards": method.cards(common.helped(request, {})),
        "policy": cloud.policy({}),
        "url": request.get_full_path(),
    }


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
            until=forms.until_of(form),
            by=request.user,
        )
    except ProviderError as error:
        form.add_error(None, f"{error.reason} {error.remedy}")
    except services.NameTaken as error:
        form.add_error("name", str(error))
    return None


@org_view(Permission.CREDENTIAL_MANAGE)
def download(request: OrgRequest, kind: str, file: str) -> HttpResponse:
    """Send the policy of a kind, or a script or template of its set-up help, as a file."""
    try:
        cloud, method = clouds.known(*kind.partition(".")[::2])
    except NotPossibleHere:
        raise Http404 from None
    cards = method.cards(common.helped(request, {}))
    text = cloud.policy({}) if file == cloud.policy_file else _listing(cards, file)
    if text is None:
        raise Http404
    response = HttpResponse(text, content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{file}"'
    return response


def _listing(cards: tuple[Card, ...], file: str) -> str | None:
    found = (one.text for card in cards for one in card.listings if one.file == file)
    return next(found, None)
