"""What others made in a cluster, and taking it over."""

from typing import Any, Literal

from django.core.paginator import Paginator
from django.http import HttpResponse, QueryDict
from django.urls import reverse
from django.utils.http import urlencode

from accounts.access import OrgRequest, org_view
from accounts.roles import Permission, who_may
from clusters import kubernetes
from clusters import services as cluster_services
from clusters.models import Cluster
from clusters.views import clusters
from config import pages
from external_secrets.exchange import afterwards, finding, planning, reaching, taking
from external_secrets.exchange.finding import Found
from external_secrets.exchange.reading import Foreign
from external_secrets.exchange.rows import Row, State
from external_secrets.limits import Limits
from external_secrets.views import lookup

PAGE = 50
STATES = (("ready", "Ready"), ("failed", "Failed"), ("unknown", "Not looked at"))
type Word = Literal["ready", "failed", "unknown"]
_READY: dict[str, Word] = {"True": "ready", "False": "failed"}


def is_wanted(one: Foreign, asked: dict[str, str]) -> bool:
    """Tell whether one is like what was asked for: `q`, `namespace` and `state`."""
    text = asked["q"].lower()
    words = (one.id, one.secret, one.store.name, one.manager, *map(str, one.references))
    return (
        (not text or any(text in word.lower() for word in words))
        and asked["namespace"] in ("", one.namespace)
        and asked["state"] in ("", state_of(one))
    )


def state_of(one: Foreign) -> Word:
    """Return what the operator says of it in a word."""
    return _READY.get(one.ready, "unknown")


def _asked(query: QueryDict) -> dict[str, str]:
    return {
        name: query.get(name, "").replace("\x00", "").strip()[:200] for name in ("q", "namespace", "state")
    }


def _look(request: OrgRequest, cluster: Cluster) -> tuple[Found, kubernetes.ClusterError | None]:
    try:
        return reaching.reached(finding.look(cluster), request.authority, cluster), None
    except kubernetes.ClusterError as error:
        return Found(), error


def _limits(request: OrgRequest, cluster: Cluster) -> Limits | None:
    """Return the limits within which what others made is compared: where one may link, else where one may look."""
    return lookup.limits(request, cluster)


@org_view(Permission.EXTERNAL_SECRET_VIEW)
def found(request: OrgRequest, cluster: str) -> HttpResponse:
    """Show what others made in a cluster, filtered by what the URL says, 50 external secrets a page."""
    here = clusters.find(request, cluster)
    seen, error = _look(request, here)
    asked = _asked(request.GET)
    wanted = [one for one in seen.externals if is_wanted(one, asked)]
    page = Paginator(wanted, PAGE).get_page(request.GET.get("page"))
    kept = {name: value for name, value in asked.items() if value}
    context = clusters.page_context(request, here, "found") | {
        "found": seen,
        "error": error,
        "rows": _rows(request, here, seen, list(page)),
        "page": page,
        "matching": len(wanted),
        "older": f"?{urlencode(kept | {'page': page.number - 1})}" if page.has_previous() else "",
        "newer": f"?{urlencode(kept | {'page': page.number + 1})}" if page.has_next() else "",
        "asked": asked,
        "is_filtered": bool(kept),
        "namespaces": sorted({one.namespace for one in seen.externals}),
        "states": STATES,
        "can_take": request.allows(Permission.EXTERNAL_SECRET_MANAGE, cluster=cluster) and not seen.is_old,
        "may_take": request.allows(Permission.EXTERNAL_SECRET_MANAGE, cluster=cluster),
        "who_may_take": who_may(Permission.EXTERNAL_SECRET_MANAGE),
    }
    return pages.render_page(request, "external_secrets/found.html", context, part="results")


def _rows(request: OrgRequest, cluster: Cluster, seen: Found, shown: list[Foreign]) -> list[dict[str, Any]]:
    """Return the external secrets of a page with their users, and whether they are linked already."""
    plan = planning.plan(
        cluster, planning.Sources(shown, seen.stores, seen.uses), limits=_limits(request, cluster)
    )
    linked: dict[str, int] = {}
    for row in plan.rows:
        if row.state == State.EQUAL:
            linked[row.foreign.id] = linked.get(row.foreign.id, 0) + 1
    return [
        {
            "one": one,
            "store": seen.stores.get(one.store),
            "uses": seen.uses_of(one),
            "linked": linked.get(one.id, 0),
            "state": state_of(one),
        }
        for one in shown
    ]


# -- taking over -------------------------------------------------------------------------------------------
def _url(request: OrgRequest, cluster: Cluster, wanted: list[str]) -> str:
    kwargs = {"org": request.organization.slug, "cluster": cluster.name}
    url = reverse("external_secrets:take_over", kwargs=kwargs)
    return f"{url}?{urlencode({'es': wanted}, doseq=True)}"


@org_view(Permission.EXTERNAL_SECRET_MANAGE, methods=("GET", "HEAD", "POST"))
def take_over(request: OrgRequest, cluster: str) -> HttpResponse:
    """Show what external secrets of others would become here, and link what was chosen of it."""
    here = clusters.find(request, cluster)
    asked = request.POST if request.method == "POST" else request.GET
    wanted = [one.replace("\x00", "") for one in asked.getlist("es")][: taking.MOST]
    seen, error = _look(request, here)
    if request.method == "POST" and asked.get("then") == "services" and error is None:
        cluster_services.refresh_services(here)
    plan = planning.plan(here, seen.sources(wanted), chosen(asked), _limits(request, here))
    problem = ""
    if request.method == "POST" and asked.get("then") == "take":
        made, problem = take(request, here, plan, "external_secret.taken_over")
        if made:
            pages.toast(
                request, f"{made} secret{' is' if made == 1 else 's are'} linked. Deploy {here} next."
            )
            return pages.go_to(request, _url(request, here, wanted))
    context = (
        clusters.page_context(request, here, "found")
        | plan_context(plan, asked, problem)
        | {
            "error": error,
            "wanted": wanted,
            "missing": sorted(set(wanted) - {one.id for one in seen.externals}) if error is None else [],
            "is_old": seen.is_old,
            "steps": afterwards.steps(plan, seen.uses),
            "may_add": request.allows(Permission.ACCESS_MANAGE, cluster=cluster),
        }
    )
    return pages.render_page(
        request, "external_secrets/take_over.html", context, status=422 if problem else 200
    )


def chosen(asked: QueryDict) -> dict[str, str]:
    """Return the accesses that a form chose, by the slug of the store that they stand for."""
    return {
        name.removeprefix("access."): str(value).replace("\x00", "")
        for name, value in asked.items()
        if name.startswith("access.") and value
    }


def take(request: OrgRequest, cluster: Cluster, plan: planning.Plan, action: str) -> tuple[int, str]:
    """Link what the form chose of a plan; return how many links it made, or why none."""
    rows, stale = planning.by_id(request.POST.getlist("row"), plan)
    if stale:
        return 0, "What you chose has changed since the page was shown. Look at it again, then link it."
    if not rows:
        return 0, "Choose what to link."
    if len(rows) > taking.MOST:
        return 0, f"Link at most {taking.MOST} at once."
    try:
        return len(taking.take(cluster=cluster, rows=rows, by=request.user, action=action)), ""
    except taking.NotTaken as error:
        return 0, f"Nothing is linked. {error}"


def plan_context(plan: planning.Plan, asked: QueryDict, problem: str) -> dict[str, Any]:
    """Return what a page shows of a plan: its rows by external secret, and what is ticked."""
    groups: dict[str, list[Row]] = {}
    for row in plan.rows:
        groups.setdefault(row.foreign.id, []).append(row)
    ticked = set(asked.getlist("row")) if problem else {row.token for row in plan.takeable}
    return {
        "plan": plan,
        "bundles": [{"one": rows[0].foreign, "rows": rows} for rows in groups.values()],
        "counts": [(str(state), plan.count(state)) for state in State if plan.count(state)],
        "ticked": ticked,
        "problem": problem,
    }
