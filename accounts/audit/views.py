"""The page that lists the audit log."""

import datetime
from typing import Any

from django.db.models import Q
from django.http import HttpResponse, QueryDict

from accounts.access import OrgRequest, org_view
from accounts.audit import services
from accounts.audit.forms import FilterForm
from accounts.audit.models import AuditEvent, AuditEventQuerySet
from accounts.roles import Permission
from config import pages

PAGE = 50
# How many of the newest events are checked at each look; all of them would take longer with every year.
CHECKED = 1000


def _filtered(events: AuditEventQuerySet, wanted: dict[str, Any]) -> AuditEventQuerySet:
    rules = Q()
    if wanted.get("who"):
        rules &= Q(actor_name__icontains=wanted["who"])
    if wanted.get("action"):
        rules &= Q(action=wanted["action"])
    if wanted.get("on"):
        rules &= Q(target_name__icontains=wanted["on"])
    if wanted.get("start"):
        rules &= Q(at__date__gte=wanted["start"])
    if wanted.get("end"):
        rules &= Q(at__date__lt=wanted["end"] + datetime.timedelta(days=1))
    return events.filter(rules)


def _page(events: AuditEventQuerySet, wanted: dict[str, Any]) -> tuple[list[AuditEvent], bool, bool]:
    """Return at most 50 events, newest first, and whether there are newer and older ones."""
    if wanted.get("after") is not None:
        rows = list(events.filter(sequence__gt=wanted["after"]).order_by("sequence")[: PAGE + 1])
        return rows[:PAGE][::-1], len(rows) > PAGE, True
    before = wanted.get("before")
    rows = list((events.filter(sequence__lt=before) if before else events)[: PAGE + 1])
    return rows[:PAGE], bool(before), len(rows) > PAGE


def _link(query: QueryDict, name: str, value: int) -> str:
    copy = query.copy()
    copy.pop("before", None)
    copy.pop("after", None)
    copy[name] = str(value)
    return f"?{copy.urlencode()}"


@org_view(Permission.AUDIT_VIEW)
def log(request: OrgRequest) -> HttpResponse:
    """List what was done, newest first, filtered by what the URL says."""
    form = FilterForm(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {}
    owned = AuditEvent.objects.owned_by(request.organization)
    page, newer, older = _page(_filtered(owned, wanted), wanted)
    context = {
        "page": page,
        "form": form,
        "filters": {name: request.GET.get(name, "") for name in ("who", "action", "on", "start", "end")},
        "actions": list(owned.order_by("action").values_list("action", flat=True).distinct()),
        "newer": _link(request.GET, "after", page[0].sequence) if newer and page else "",
        "older": _link(request.GET, "before", page[-1].sequence) if older and page else "",
        "chain": services.verify(request.organization, newest=CHECKED),
    }
    status = 200 if form.is_valid() else 422
    return pages.render_page(request, "accounts/audit.html", context, part="rows", status=status)
