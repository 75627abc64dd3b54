"""What a deploy would change now: the preview before it, and the drift after it."""

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from accounts.access import OrgRequest, org_view
from accounts.roles import Permission
from clusters import addons, looks
from clusters.addons import Change
from clusters.forms import DeployForm
from clusters.models import Cluster, Deploy, Look
from clusters.views import clusters
from config import pages

SHOWN = 300


@org_view(Permission.DEPLOY_VIEW)
def show(request: OrgRequest, cluster: str) -> HttpResponse:
    """Show the last look at a cluster; while one is under way, htmx asks each second."""
    return page(request, clusters.find(request, cluster), DeployForm())


@org_view(Permission.DEPLOY_RUN, methods=("POST",))
def look(request: OrgRequest, cluster: str) -> HttpResponse:
    """Have a worker look at the cluster now, and go to where it will be seen."""
    found = clusters.find(request, cluster)
    looks.ask(found)
    kwargs = {"org": request.organization.slug, "cluster": found.name}
    return pages.go_to(request, reverse("clusters:changes", kwargs=kwargs))


def page(request: OrgRequest, cluster: Cluster, form: DeployForm) -> HttpResponse:
    """Answer the page of changes, 422 when the form was sent and cannot be."""
    seen = Look.objects.filter(cluster=cluster).first()
    now = timezone.now()
    waiting = seen is not None and (
        seen.asked_at is not None or (seen.held_until is not None and seen.held_until > now)
    )
    context = clusters.page_context(request, cluster, "changes") | {
        "look": seen,
        "hidden": max(0, len(seen.changes) - SHOWN) if seen else 0,
        "waiting": waiting,
        "parts": _parts(seen) if seen else [],
        "restarts": [row["change"].path for row in _rows(seen)] if seen else [],
        "stale": seen is not None and seen.at is not None and seen.generation != cluster.generation,
        "form": form,
        "now": now,
        "running": cluster.deploys.filter(status__in=(Deploy.Status.QUEUED, Deploy.Status.RUNNING)).first(),
    }
    status = 422 if form.is_bound else 200
    return pages.render_page(request, "clusters/changes.html", context, part="look", status=status)


def _row(facts: dict[str, Any]) -> dict[str, Any]:
    beside = {"step": facts["step"], "causes": facts["causes"], "deployed": facts.get("deployed", {})}
    change = Change.of(facts)
    fields = [{"field": field, "deployed": beside["deployed"].get(field.path, "")} for field in change.fields]
    return beside | {"change": change, "fields": fields}


def _rows(seen: Look) -> list[dict[str, Any]]:
    """Return the changes that start pods anew."""
    return [row for row in map(_row, seen.changes) if row["change"].restarts]


def _parts(seen: Look) -> list[dict[str, Any]]:
    """Return the changes by the step that makes them, in the order of the steps."""
    # What stands in the way comes first: it asks for a decision.
    ordered = sorted(seen.changes, key=lambda facts: not (facts["conflicts"] or facts["problem"]))
    rows = [_row(facts) for facts in ordered[:SHOWN]]
    known = {step.slug: step.label for step in addons.steps()}
    parts = [
        {"label": label, "rows": [row for row in rows if row["step"] == slug]}
        for slug, label in known.items()
    ]
    parts.append({"label": "Other", "rows": [row for row in rows if row["step"] not in known]})
    return [part for part in parts if part["rows"]]
