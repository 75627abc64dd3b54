"""The operator's page: what it is, what we set, what proves that it works; upgrading and uninstalling it."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.urls import reverse

from accesses import chart, forms, operators, releases
from accesses.models import OperatorState
from accesses.steps import proof, readiness
from accounts.access import OrgRequest, org_view
from accounts.roles import Permission, who_may
from clusters import deploys, kubernetes
from clusters.forms import UninstallForm
from clusters.models import Cluster, Deploy, DeployStep
from clusters.views import clusters
from config import pages


def _url(request: OrgRequest, cluster: Cluster) -> str:
    kwargs = {"org": request.organization.slug, "cluster": cluster.name}
    return reverse("accesses:operator", kwargs=kwargs)


def _last_step(cluster: Cluster) -> DeployStep | None:
    """Return the newest step of a deploy that looked at the operator."""
    looked = DeployStep.objects.filter(
        deploy__cluster=cluster, slug="operator", deploy__kind=Deploy.Kind.DEPLOY, started_at__isnull=False
    )
    return looked.select_related("deploy").order_by("-deploy__number").first()


def _checks(cluster: Cluster, state: OperatorState | None, last: DeployStep | None) -> list[dict[str, Any]]:
    """Return the checks as facts: passed when the last deploy's log says so, else not known."""
    said: set[str] = set()
    if last is not None and state is not None:
        lines = last.deploy.lines.filter(step=last.slug, level="info")
        said = set(lines.values_list("message", flat=True))
    passed = [(check.label, check.how, check.said in said) for check in readiness.ALL]
    proved = (
        state is not None and bool(state.proved_version) and state.proved_version == cluster.operator_version
    )
    return [
        {"label": label, "text": how, "ok": ok or None, "word": "yes" if ok else "not known"}
        for label, how, ok in (*passed, (proof.LABEL, proof.HOW, proved))
    ]


def _commands(cluster: Cluster, following: releases.Release | None) -> str:
    """Return what somebody who installed the operator with Helm runs to upgrade it."""
    if following is None:
        return ""
    space = cluster.operator_namespace
    return (
        f"helm list --namespace {space}\n"
        f"helm upgrade RELEASE external-secrets --repo https://charts.external-secrets.io "
        f"--version {following.chart} --namespace {space} --reuse-values"
    )


def _page(request: OrgRequest, cluster: Cluster, refusal: str = "") -> HttpResponse:
    state = OperatorState.objects.filter(cluster=cluster).first()
    last = _last_step(cluster)
    if state is None and last is not None and last.status != DeployStep.Status.FAILED:
        # It was uninstalled since.
        last = None
    following = releases.next_after(cluster.operator_version) if state else None
    version = cluster.operator_version.removeprefix("v") or settings.OPERATOR_CHART_VERSION
    context = clusters.page_context(request, cluster, "add-ons") | {
        "state": state,
        "checks": _checks(cluster, state, last),
        "last": last,
        "following": following,
        "adopted_commands": _commands(cluster, following),
        "chart": str(settings.OPERATOR_CHART).replace("{version}", version),
        "pin": settings.OPERATOR_CHART_VERSION,
        "proved": state is not None and bool(state.proved_version),
        "values": chart.set_for(cluster.aws_endpoint),
        "refusal": refusal,
        "can_manage_accesses": request.allows(Permission.ACCESS_MANAGE, cluster=cluster.name),
        "who_may_manage": who_may(Permission.ACCESS_MANAGE),
    }
    return pages.render_page(request, "accesses/operator.html", context, status=422 if refusal else 200)


def _decide(request: OrgRequest, cluster: Cluster, act: Callable[[], None], said: str) -> HttpResponse:
    """Carry a decision out and go back to the page, which says why where it is not possible."""
    try:
        act()
    except operators.NotPossible as error:
        return _page(request, cluster, str(error))
    pages.toast(request, said)
    return pages.go_to(request, _url(request, cluster))


@org_view(Permission.ACCESS_VIEW)
def operator(request: OrgRequest, cluster: str) -> HttpResponse:
    """Show the operator of a cluster, whoever installed it."""
    return _page(request, clusters.find(request, cluster))


@org_view(Permission.ACCESS_MANAGE, methods=("POST",))
def upgrade(request: OrgRequest, cluster: str) -> HttpResponse:
    """Decide to upgrade to the version that the person saw, or with the wish `withdraw` take that back."""
    found = clusters.find(request, cluster)
    version = request.POST.get("version", "")[:40]
    if request.POST.get("wish") == "withdraw":
        return _decide(
            request,
            found,
            lambda: operators.withdraw_upgrade(cluster=found, by=request.user),
            "The operator stays as it is.",
        )
    return _decide(
        request,
        found,
        lambda: operators.request_upgrade(cluster=found, version=version, by=request.user),
        f"Deploy to upgrade to {version}.",
    )


@org_view(Permission.ACCESS_MANAGE, methods=("POST",))
def prove(request: OrgRequest, cluster: str) -> HttpResponse:
    """Have the next deploy prove that the operator works."""
    found = clusters.find(request, cluster)
    return _decide(
        request,
        found,
        lambda: operators.prove_again(cluster=found, by=request.user),
        "Deploy to prove that the operator works.",
    )


@org_view(Permission.ACCESS_MANAGE, methods=("GET", "POST"), dangerous=True)
def endpoint(request: OrgRequest, cluster: str) -> HttpResponse:
    """Let all AWS accesses of a cluster ask another endpoint, or AWS itself again."""
    found = clusters.find(request, cluster)
    state = OperatorState.objects.filter(cluster=found).first()
    posted = request.POST if request.method == "POST" else None
    form = forms.EndpointForm(posted, initial={"endpoint": found.aws_endpoint})
    if form.is_valid():
        differs = operators.lead(cluster=found, endpoint=form.cleaned_data["endpoint"], by=request.user)
        pages.toast(request, f"Deploy {found} to apply it." if differs else "It stays as it is.")
        return pages.go_to(request, _url(request, found))
    context = {
        "cluster": found,
        "form": form,
        "state": state,
        "used": found.accesses.filter(provider__startswith="aws-").order_by("name"),
        "variables": chart.endpoints(form["endpoint"].value() or "https://…").shown,
    }
    status = 422 if form.is_bound else 200
    return pages.render_page(request, "accesses/operator_endpoint.html", context, status=status)


@org_view(Permission.CLUSTER_MANAGE, methods=("GET", "POST"), dangerous=True)
def uninstall(request: OrgRequest, cluster: str) -> HttpResponse:
    """Show what would stop without the operator; with the cluster's name typed, uninstall it."""
    found = clusters.find(request, cluster)
    form = UninstallForm(found.name, request.POST if request.method == "POST" else None)
    stops, refusal = _stops(found)
    if form.is_valid() and not refusal:
        try:
            deploy = deploys.uninstall(cluster=found, by=request.user)
        except deploys.CannotBe as error:
            form.add_error(None, str(error))
        else:
            kwargs = {"org": request.organization.slug, "cluster": found.name, "number": deploy.number}
            return pages.go_to(request, reverse("clusters:deploy", kwargs=kwargs))
    context = {
        "cluster": found,
        "form": form,
        "refusal": refusal,
    }
    context |= told(request, found, stops)
    status = 422 if form.is_bound else 200
    return pages.render_page(request, "accesses/uninstall_operator.html", context, status=status)


def told(request: OrgRequest, cluster: Cluster, stops: list[operators.Stopped]) -> dict[str, Any]:
    """Return of what would stop what may be seen; the rest is counted, for nobody should stop it unawares."""
    place = {"cluster": cluster.name}
    seen = [
        one
        for one in stops
        if request.authority.everywhere(Permission.EXTERNAL_SECRET_VIEW, namespace=one.namespace, **place)
    ]
    services = sorted({one.service for one in seen if one.service}, key=str)
    return {"stops": seen, "services": services, "hidden": len(stops) - len(seen)}


def why_not_ours(cluster: Cluster) -> str:
    """Return why the operator is not ours to uninstall, or an empty string."""
    state = OperatorState.objects.filter(cluster=cluster).first()
    if state is None:
        return "No deploy has found an operator on this cluster."
    if state.adopted:
        return "Somebody else installed this operator. Uninstall it in the way in which it was installed."
    return ""


def _stops(cluster: Cluster) -> tuple[list[operators.Stopped], str]:
    """Return what would stop, and why the operator cannot be uninstalled, or an empty string."""
    refusal = why_not_ours(cluster)
    if refusal:
        return [], refusal
    try:
        return operators.what_stops(cluster), ""
    except kubernetes.ClusterError as error:
        return [], f"What would stop is not known: {error.reason} {error.remedy}"
