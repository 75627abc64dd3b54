"""The page Writing of an access: whether secrets are written through it, what that needs, and with which tags."""

from django.http import HttpResponse

from accesses import writing
from accesses.models import Access
from accesses.providers import PROVIDERS
from accesses.views import accesses
from accounts.access import OrgRequest, org_view
from accounts.roles import Permission, who_may
from config import pages


@org_view(Permission.ACCESS_MANAGE, methods=("GET", "POST"), dangerous=True)
def show(request: OrgRequest, cluster: str, access: str) -> HttpResponse:
    """Show what writing through an access needs and which tags a new secret gets; allow it, or end it."""
    found = accesses.find(request, cluster, access, Permission.ACCESS_MANAGE)
    act = request.POST.get("act", "") if request.method == "POST" else ""
    wrong = ""
    if act in ("allow", "end"):
        try:
            writing.allow(access=found, writes=act == "allow", by=request.user)
        except writing.NotWritable as error:
            wrong = str(error)
        else:
            said = "may be written through now" if found.writes else "only reads now"
            pages.toast(request, f"{found} {said}.")
            return pages.go_to(request, accesses.url(request, found, "writing"))
    context = accesses.facts(found) | {
        "cluster": found.cluster, "wrong": wrong, "writing": PROVIDERS[found.provider].writing_of(found),
        "made_with": _made_with(found), "wrong_tags": writing.wrong_tags(found),
        "who_may_write": who_may(Permission.SECRET_WRITE),
    }  # fmt: skip
    status = 422 if request.method == "POST" else 200
    return pages.render_page(request, "accesses/writing.html", context, status=status)


def _made_with(access: Access) -> list[tuple[str, str, str, str]]:
    """Return each tag of a new secret as (name, value, whose it is, the organization's value that it wins over)."""
    defaults = access.cluster.organization.default_tags
    return [
        (
            name,
            value,
            "access" if name in access.tags else "organization",
            _beaten(defaults.get(name, ""), value),
        )
        for name, value in sorted(writing.tags_of(access).items())
    ]


def _beaten(default: str, value: str) -> str:
    return default if default != value else ""
