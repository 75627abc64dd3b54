"""Deploys: asking for one, watching it, and what was done before."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone

from accounts.access import OrgRequest, org_view
from accounts.roles import Permission, who_may
from clusters import deploys
from clusters.models import Deploy, DeployStep
from clusters.views import clusters
from config import pages

PAGE = 50
LINES = 2000


def _deploy(request: OrgRequest, cluster: str, number: int) -> Deploy:
    owned = Deploy.objects.owned_by(request.organization).select_related("cluster")
    return get_object_or_404(owned, cluster__name=cluster, number=number)


def duration(deploy: Deploy) -> str:
    """Return how long a deploy took so far, as `1 min 12 s`, or an empty string before it starts."""
    if deploy.started_at is None:
        return ""
    seconds = round(((deploy.finished_at or timezone.now()) - deploy.started_at).total_seconds())
    return f"{seconds // 60} min {seconds % 60} s" if seconds >= 60 else f"{seconds} s"


def _rows(found: Iterable[Deploy]) -> list[dict[str, Any]]:
    return [{"deploy": deploy, "duration": duration(deploy)} for deploy in found]


@org_view(Permission.DEPLOY_VIEW)
def of_organization(request: OrgRequest) -> HttpResponse:
    """List the organization's newest deploys, of all clusters or of one status."""
    owned = Deploy.objects.owned_by(request.organization).select_related("cluster", "cluster__organization")
    status = request.GET.get("status", "")
    found = owned.filter(status=status) if status in Deploy.Status.values else owned
    context = {
        "rows": _rows(found[:PAGE]),
        "total": found.count(),
        "status": status,
        "statuses": Deploy.Status,
    }
    return pages.render_page(request, "clusters/all_deploys.html", context, part="rows")


@org_view(Permission.DEPLOY_VIEW)
def of_cluster(request: OrgRequest, cluster: str) -> HttpResponse:
    """List a cluster's newest deploys."""
    found = clusters.find(request, cluster)
    rows = found.deploys.select_related("cluster")
    context = clusters.page_context(request, found, "deploys") | {
        "rows": _rows(rows[:PAGE]),
        "total": rows.count(),
    }
    return pages.render_page(request, "clusters/deploys.html", context)


@org_view(Permission.DEPLOY_RUN, methods=("POST",))
def request_deploy(request: OrgRequest, cluster: str) -> HttpResponse:
    """Queue a deploy and go to its page; pressed twice, both lead to the same one."""
    found = clusters.find(request, cluster)
    reason = request.POST.get("reason", "").strip()[:200]
    deploy = deploys.request(cluster=found, by=request.user, reason=reason)
    kwargs = {"org": request.organization.slug, "cluster": found.name, "number": deploy.number}
    return pages.go_to(request, reverse("clusters:deploy", kwargs=kwargs))


def _progress(deploy: Deploy) -> dict[str, Any]:
    """Return what the page's moving part shows: steps, how many are done, the tab's title."""
    steps = list(deploy.steps.all())
    done = sum(step.status in (DeployStep.Status.SUCCEEDED, DeployStep.Status.FAILED) for step in steps)
    current = next((step for step in steps if step.status == DeployStep.Status.RUNNING), None)
    state = f"({done}/{len(steps)}) " if not deploy.is_over else ""
    state = "Failed: " if deploy.status == Deploy.Status.FAILED else state
    return {
        "steps": steps,
        "done": done,
        "count": len(steps),
        "current": current,
        "title": f"{state}Deploy {deploy.number}",
        "duration": duration(deploy),
    }


@org_view(Permission.DEPLOY_VIEW)
def show(request: OrgRequest, cluster: str, number: int) -> HttpResponse:
    """Show one deploy: its steps and its log, from line `after` on when htmx asks for more."""
    deploy = _deploy(request, cluster, number)
    after = request.GET.get("after", "")
    # Fetched before the lines, so that a deploy that is over is known to have all its lines here.
    lines = deploy.lines.filter(number__gt=int(after) if after.isdecimal() and len(after) < 10 else 0)[:LINES]
    rows = list(lines)
    context = _progress(deploy) | {
        "cluster": deploy.cluster,
        "tab": "deploys",
        "deploy": deploy,
        "lines": rows,
        "cursor": rows[-1].number if rows else after or 0,
        "can_deploy": request.allows(Permission.DEPLOY_RUN),
        "who_may_deploy": who_may(Permission.DEPLOY_RUN),
    }
    return pages.render_page(request, "clusters/deploy.html", context, part="tail")


@org_view(Permission.DEPLOY_VIEW)
def download(request: OrgRequest, cluster: str, number: int) -> HttpResponse:
    """Answer the whole log as text, a line each: number, time, level, step, message."""
    deploy = _deploy(request, cluster, number)
    text = "".join(
        f"{line.number}\t{line.at:%Y-%m-%dT%H:%M:%SZ}\t{line.level}\t{line.step}\t{line.message}\n"
        for line in deploy.lines.iterator()
    )
    name = f"{deploy.cluster.name}-deploy-{deploy.number}.txt"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(text, content_type="text/plain; charset=utf-8", headers=headers)
