"""One deploy: its steps, what it changed, its log."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404

from accounts.access import OrgRequest, org_view
from accounts.roles import Permission, who_may
from clusters import deltas, progress
from clusters.addons import Change
from clusters.models import Deploy, DeployStep
from config import pages

# So many changes are shown; the rest is in the log.
CHANGES = 200


def find(request: OrgRequest, cluster: str, number: int) -> Deploy:
    """Return a deploy of the organization, or 404."""
    owned = Deploy.objects.within(request.organization, request.authority, Permission.DEPLOY_VIEW)
    rows = owned.select_related("cluster", "retry_of").defer("snapshot")
    return get_object_or_404(rows, cluster__name=cluster, number=number)


@org_view(Permission.DEPLOY_VIEW)
def show(request: OrgRequest, cluster: str, number: int) -> HttpResponse:
    """Show one deploy; when htmx asks, its progress and its log from line `after` on."""
    found = find(request, cluster, number)
    seen = progress.of(found)
    after = request.GET.get("after", "")
    since = int(after) if after.isdecimal() and len(after) < 10 else 0
    lines = seen.lines(since)
    deploy = seen.deploy
    stopped = (DeployStep.Status.FAILED, DeployStep.Status.CANCELLED)
    context = {
        "cluster": found.cluster,
        "tab": "deploys",
        "deploy": deploy,
        "retry_of": found.retry_of,
        "progress": seen,
        "steps": [
            {"row": step, "took": progress.duration(step.started_at, step.finished_at)} for step in seen.steps
        ],
        "title": seen.title,
        "duration": progress.duration(deploy.started_at, deploy.finished_at),
        "lines": lines,
        "cursor": lines[-1].number if lines else since,
        "can_deploy": request.allows(Permission.DEPLOY_RUN, cluster=found.cluster.name),
        "can_retry": deploy.is_over and any(step.status in stopped for step in seen.steps),
        "who_may_deploy": who_may(Permission.DEPLOY_RUN),
    }
    if deploy.is_over:
        context |= _changes(deploy)
    return pages.render_page(request, "clusters/deploy.html", context, part="tail")


def _changes(deploy: Deploy) -> dict[str, Any]:
    """Return what a deploy that is over did, and how its configuration differs from the last success."""
    rows = list(deploy.changes.all()[: CHANGES + 1])
    before, delta = deltas.since_last_success(deploy)
    return {
        "changes": [
            {"change": Change.of(row.facts), "undone": row.done_at is None} for row in rows[:CHANGES]
        ],
        "more_changes": len(rows) > CHANGES,
        "before": before,
        "delta": deltas.rows(delta[:CHANGES]),
    }


@org_view(Permission.DEPLOY_VIEW)
def download(request: OrgRequest, cluster: str, number: int) -> HttpResponse:
    """Answer the whole log as text, a line each: number, time, level, step, message."""
    deploy = find(request, cluster, number)
    text = "".join(
        f"{line.number}\t{line.at:%Y-%m-%dT%H:%M:%SZ}\t{line.level}\t{line.step}\t{line.message}\n"
        for line in deploy.lines.iterator()
    )
    name = f"{deploy.cluster.name}-deploy-{deploy.number}.txt"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(text, content_type="text/plain; charset=utf-8", headers=headers)
