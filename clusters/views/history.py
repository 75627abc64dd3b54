"""Every deploy that was: of a cluster or of the organization, filtered, and two of them compared."""

import datetime
import uuid
from typing import Any

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.dateparse import parse_datetime
from django.utils.http import urlencode

from accounts.access import OrgRequest, org_view
from accounts.roles import Permission
from clusters import deltas, progress
from clusters.forms import HistoryFilter
from clusters.models import Cluster, Deploy
from clusters.models.deploys import DeployQuerySet
from clusters.views import clusters
from config import pages

PAGE = 50


def _filtered(found: DeployQuerySet, wanted: dict[str, Any]) -> DeployQuerySet:
    text = wanted.get("q")
    if text:
        found = found.filter(
            Q(reason__icontains=text) | Q(error__icontains=text) | Q(by_name__icontains=text)
        )
    if wanted.get("status"):
        found = found.filter(status=wanted["status"])
    if wanted.get("cluster"):
        found = found.filter(cluster=wanted["cluster"])
    if wanted.get("since"):
        begin = datetime.datetime.combine(wanted["since"], datetime.time(), datetime.UTC)
        found = found.filter(created_at__gte=begin)
    return found


def _after(found: DeployQuerySet, cursor: str) -> DeployQuerySet:
    """Keep what is older than the cursor, a time and an id; a broken one begins at the top."""
    at, _, deploy = cursor.partition("~")
    try:
        moment, last = parse_datetime(at), uuid.UUID(deploy)
    except ValueError:
        return found
    if moment is None or moment.tzinfo is None:
        return found
    return found.filter(Q(created_at__lt=moment) | Q(created_at=moment, pk__lt=last))


def _page(request: OrgRequest, owned: DeployQuerySet, form: HistoryFilter) -> dict[str, Any]:
    form.is_valid()
    found = _filtered(owned, form.cleaned_data)
    wanted = _after(found, request.GET.get("after", "")).order_by("-created_at", "-pk")
    rows = list(wanted.select_related("cluster", "cluster__organization").defer("snapshot")[: PAGE + 1])
    kept = {name: request.GET[name] for name in form.fields if request.GET.get(name)}
    last = rows[PAGE - 1] if rows[PAGE:] else None
    more = urlencode(kept | {"after": f"{last.created_at.isoformat()}~{last.pk}"}) if last else ""
    return {
        "rows": [
            {"deploy": row, "duration": progress.duration(row.started_at, row.finished_at)}
            for row in rows[:PAGE]
        ],
        "total": found.count(),
        "more": f"?{more}" if more else "",
        "filters": kept,
        "statuses": Deploy.Status.choices,
        "days": form.days,
    }


@org_view(Permission.DEPLOY_VIEW)
def of_organization(request: OrgRequest) -> HttpResponse:
    """List the organization's deploys, newest first, 50 at a time."""
    owned = Deploy.objects.within(request.organization, request.authority, Permission.DEPLOY_VIEW)
    found = Cluster.objects.within(request.organization, request.authority, Permission.DEPLOY_VIEW)
    context = _page(request, owned, HistoryFilter(request.GET, found)) | {"clusters": list(found)}
    part = "more" if request.GET.get("after") else "rows"
    return pages.render_page(request, "clusters/deploys.html", context, part=part)


@org_view(Permission.DEPLOY_VIEW)
def of_cluster(request: OrgRequest, cluster: str) -> HttpResponse:
    """List a cluster's deploys, newest first, 50 at a time."""
    found = clusters.find(request, cluster)
    owned = Deploy.objects.within(request.organization, request.authority, Permission.DEPLOY_VIEW).filter(
        cluster=found
    )
    context = clusters.page_context(request, found, "deploys")
    context |= _page(request, owned, HistoryFilter(request.GET, Cluster.objects.none()))
    part = "more" if request.GET.get("after") else "rows"
    return pages.render_page(request, "clusters/deploys.html", context, part=part)


@org_view(Permission.DEPLOY_VIEW)
def compare(request: OrgRequest, cluster: str) -> HttpResponse:
    """Show how what was configured differs between two deploys, the older first whatever was chosen first."""
    found = clusters.find(request, cluster)
    numbers = sorted(
        {int(number) for number in request.GET.getlist("n") if number.isdecimal() and len(number) < 9}
    )
    context = clusters.page_context(request, found, "deploys") | {"numbers": numbers}
    if len(numbers) == 2:
        before, after = (get_object_or_404(found.deploys, number=number) for number in numbers)
        known = before.snapshot is not None and after.snapshot is not None
        delta = deltas.between(before.snapshot or [], after.snapshot or []) if known else []
        context |= {"before": before, "after": after, "known": known, "delta": deltas.rows(delta)}
    status = 200 if len(numbers) == 2 else 422
    return pages.render_page(request, "clusters/compare.html", context, status=status)
