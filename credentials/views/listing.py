"""The list of cloud credentials, and who uses one."""

from typing import Any

from django.http import HttpResponse
from django.utils.http import urlencode

from accounts.access import OrgRequest, org_view
from accounts.roles import Permission
from config import pages
from credentials import consequences, listing
from credentials import usage as using
from credentials.models import CloudCredential
from credentials.views import common

# What the columns are called, and in which direction their first click sorts: the oldest key is the first.
COLUMNS = (("name", "Credential", "ascending"), ("age", "Age", "descending"), ("used", "State and last use", "ascending"),
           ("expires", "Ends", "ascending"))  # fmt: skip


@org_view(Permission.CREDENTIAL_VIEW)
def index(request: OrgRequest) -> HttpResponse:
    """List the credentials, those in use first, the unused ones apart, as filtered and sorted by the URL."""
    owned = CloudCredential.objects.within(
        request.organization, request.authority, Permission.CREDENTIAL_VIEW
    )
    form = listing.Filter(request.GET)
    form.is_valid()
    kept = {name: value for name, value in form.cleaned_data.items() if value}
    sort, after = request.GET.get("sort", "name"), request.GET.get("after", "")
    rows = listing.filtered(listing.with_use(owned), kept)
    page = listing.cut(rows, sort=sort, after=after)
    sorting = {"sort": sort} if sort != "name" else {}
    context = common.rights(request) | {
        "sections": [
            ("In use", "used", [row for row in page.rows if not row.unused]),
            ("Unused", "unused", [row for row in page.rows if row.unused]),
        ],
        "page": page,
        "continued": bool(after),
        "more": f"?{urlencode(kept | sorting | {'after': page.more})}" if page.more else "",
        "form": form,
        "filters": kept,
        "chips": _chips(form, kept, sorting),
        "columns": _columns(kept, sort),
        "sort": sorting.get("sort", ""),
        "any": page.total or (kept and owned.exists()),
        "can_rotate": common.rotate_url(request, "x"),
    }
    part = "more" if after else "results"
    return pages.render_page(request, "credentials/index.html", context, part=part)


def _chips(form: listing.Filter, kept: dict[str, Any], sorting: dict[str, str]) -> list[dict[str, str]]:
    """Return the active filters in words, each with the address without it."""
    chips = []
    for bound in form.selects:
        if bound.name in kept:
            rest = {name: value for name, value in (kept | sorting).items() if name != bound.name}
            choices = dict(bound.field.choices)  # type: ignore[attr-defined]
            label = f"{bound.label}: {choices[kept[bound.name]]}"
            chips.append({"label": label, "without": f"?{urlencode(rest)}"})
    return chips


def _columns(kept: dict[str, Any], sort: str) -> dict[str, dict[str, str]]:
    """Return the headers that sort: their words, address, and how they sort now."""
    found = {}
    for name, label, first in COLUMNS:
        second = {"ascending": "descending", "descending": "ascending"}[first]
        now = {name: first, f"-{name}": second}.get(sort, "")
        turned = f"-{name}" if sort == name else name
        address = urlencode(kept | {"sort": turned})
        found[name] = {"label": label, "url": f"?{address}", "now": now}
    return found


@org_view(Permission.CREDENTIAL_VIEW)
def usage(request: OrgRequest, credential: str) -> HttpResponse:
    """Show who uses a credential and what follows from a change: as a page, or for htmx in a dialog."""
    found = common.find(request, credential)
    after = request.GET.get("after", "").replace("\x00", "")
    page = using.page(found, request.authority, after=after)
    asker = common.asker(request)
    context = common.rights(request) | common.described(found)
    context |= {
        "page": page,
        "more": f"?{urlencode({'after': page.more})}" if page.more else "",
        "continued": bool(after),
        "changes": [] if after else consequences.of_change(found, asker),
        "deletion": [] if after else consequences.of_deletion(found, asker),
        "rotate_url": common.rotate_url(request, found.name),
    }
    part = "more" if after else "dialog"
    return pages.render_page(request, "credentials/usage.html", context, part=part)
