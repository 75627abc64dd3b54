"""The API's calls on deploys, and on what one would change."""

from datetime import datetime, timedelta
from typing import Any, Literal, Self

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query
from pydantic import Field

from accounts.roles import Permission
from clusters import deploys, looks
from clusters.addons import Change
from clusters.api import find
from clusters.models import Cluster, Deploy, Look
from config.api import problems
from config.api.calls import ApiRequest, Calls, Sent, Shown
from config.api.paging import Page, Paging, cut

calls = Calls("Deploys")


class StepShown(Shown):
    """One step of a deploy."""

    slug: str
    label: str
    status: str
    summary: str
    started_at: datetime | None
    finished_at: datetime | None


class DeployShown(Shown):
    """One run that brings a cluster to its configured state."""

    cluster: str
    number: int
    kind: str
    status: str
    by: str
    reason: str
    error: str
    remedy: str
    not_before: datetime | None
    not_after: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, deploy: Deploy) -> Self:
        return cls.model_validate(_facts(deploy))


class DeployWhole(DeployShown):
    """A deploy with its steps."""

    steps: list[StepShown]

    @classmethod
    def of(cls, deploy: Deploy) -> Self:
        return cls.model_validate(
            _facts(deploy) | {"steps": [StepShown.model_validate(step) for step in deploy.steps.all()]}
        )


class DeploySent(Sent):
    """A deploy that is asked for: now, or within a maintenance window."""

    reason: str = Field("", max_length=200, description="For the history: why, or a ticket.")
    not_before: datetime | None = Field(None, description="Begin at this time or later; with a time zone.")
    window_minutes: int = Field(60, ge=5, le=1440, description="It begins within so long, or not at all.")
    overwrite: list[str] = Field(
        [],
        max_length=500,
        description="Decisions to take fields from others, as `decision` in the list of changes says.",
    )


class ChangeShown(Shown):
    """Something that a deploy would do now."""

    step: str
    action: str
    object: str = Field(examples=["Deployment shop/api"])
    fields: list[str]
    causes: list[str] = Field(description="`cluster`: somebody changed it there; `configuration`: here.")
    restarts: bool = Field(description="Pods are started anew by it.")
    notes: list[str]
    problem: str = Field(description="Why the API server would refuse it.")
    decision: str | None = Field(description="What `overwrite` has to hold, where others own its fields.")


class ChangesShown(Shown):
    """What a deploy would change, as it was last looked at."""

    at: datetime | None
    waiting: bool = Field(description="A look is under way.")
    error: str
    items: list[ChangeShown]


def _facts(deploy: Deploy) -> dict[str, Any]:
    names = [name for name in DeployShown.model_fields if name not in ("cluster", "by")]
    facts = {name: getattr(deploy, name) for name in names}
    return facts | {"cluster": deploy.cluster.name, "by": deploy.by_name}


def _change(facts: dict[str, Any]) -> ChangeShown:
    change = Change.of(facts)
    return ChangeShown(
        step=facts["step"],
        action=change.action,
        object=change.path,
        fields=[field.path for field in change.fields],
        causes=facts["causes"],
        restarts=change.restarts,
        notes=list(change.notes),
        problem=change.problem,
        decision=change.decision if change.conflicts else None,
    )


def _visible(request: ApiRequest, permission: Permission = Permission.DEPLOY_VIEW) -> QuerySet[Deploy]:
    within = Deploy.objects.within(request.organization, request.authority, permission)
    return within.select_related("cluster").defer("snapshot")


def _find(request: ApiRequest, cluster: str, number: int, permission: Permission) -> Deploy:
    if number > 2_147_483_647:
        raise problems.Problem(404)
    return get_object_or_404(_visible(request, permission), cluster__name=cluster, number=number)


@calls.get("/deploys", Permission.DEPLOY_VIEW)
def list_deploys(
    request: ApiRequest,
    page: Query[Paging],
    status: Literal["", "scheduled", "queued", "running", "succeeded", "failed", "cancelled"] = "",
) -> Page[DeployShown]:
    """List the deploys of all clusters, the newest first."""
    rows = _visible(request)
    rows = rows.filter(status=status) if status else rows
    return cut(request, rows, page, by=["-created_at"], shape=DeployShown.of)


@calls.get("/clusters/{cluster}/deploys", Permission.DEPLOY_VIEW)
def list_cluster_deploys(request: ApiRequest, cluster: str, page: Query[Paging]) -> Page[DeployShown]:
    """List the deploys of a cluster, the newest first."""
    rows = _visible(request).filter(cluster=find(request, cluster, Permission.DEPLOY_VIEW))
    return cut(request, rows, page, by=["-number"], shape=DeployShown.of)


@calls.get("/clusters/{cluster}/deploys/{number}", Permission.DEPLOY_VIEW)
def get_deploy(request: ApiRequest, cluster: str, number: int) -> DeployWhole:
    """Show one deploy and its steps."""
    return DeployWhole.of(_find(request, cluster, number, Permission.DEPLOY_VIEW))


@calls.get("/clusters/{cluster}/deploys/{number}/log", Permission.DEPLOY_VIEW, media="text/plain")
def get_deploy_log(request: ApiRequest, cluster: str, number: int, after: int = 0) -> StreamingHttpResponse:
    """Show the log as text, a line each: number, time, level, step, message; from the line `after` on."""
    lines = _find(request, cluster, number, Permission.DEPLOY_VIEW).lines.filter(
        number__gt=max(0, min(after, 2_147_483_647))
    )
    text = (
        f"{line.number}\t{line.at:%Y-%m-%dT%H:%M:%SZ}\t{line.level}\t{line.step}\t{line.message}\n"
        for line in lines.iterator()
    )
    return StreamingHttpResponse(text, content_type="text/plain; charset=utf-8")


@calls.post("/clusters/{cluster}/deploys", Permission.DEPLOY_RUN)
def request_deploy(request: ApiRequest, cluster: str, sent: DeploySent) -> DeployWhole:
    """Ask for a deploy; one that waits already carries this request as well, and is what is answered."""
    found = find(request, cluster, Permission.DEPLOY_RUN)
    asked: dict[str, Any] = {
        "cluster": found,
        "by": request.user,
        "reason": sent.reason,
        "overwrite": sent.overwrite,
    }
    with problems.turning({deploys.CannotBe: 409}):
        if sent.not_before is None:
            return DeployWhole.of(deploys.request(**asked))
        if sent.not_before.tzinfo is None:
            raise problems.invalid("not_before", "Say the time zone, for example 2026-11-21T22:00:00Z.")
        window = timedelta(minutes=sent.window_minutes)
        return DeployWhole.of(deploys.schedule(**asked, not_before=sent.not_before, window=window))


@calls.post("/clusters/{cluster}/deploys/{number}/cancel", Permission.DEPLOY_RUN, status=200)
def cancel_deploy(request: ApiRequest, cluster: str, number: int) -> DeployWhole:
    """Cancel a deploy: at once while it waits, at the next safe point while it runs."""
    with problems.turning({deploys.CannotBe: 409}):
        return DeployWhole.of(
            deploys.cancel(deploy=_find(request, cluster, number, Permission.DEPLOY_RUN), by=request.user)
        )


@calls.post("/clusters/{cluster}/deploys/{number}/retry", Permission.DEPLOY_RUN)
def retry_deploy(request: ApiRequest, cluster: str, number: int) -> DeployWhole:
    """Ask for a deploy that begins with the step at which this one stopped."""
    with problems.turning({deploys.CannotBe: 409}):
        return DeployWhole.of(
            deploys.retry(deploy=_find(request, cluster, number, Permission.DEPLOY_RUN), by=request.user)
        )


@calls.get("/clusters/{cluster}/changes", Permission.DEPLOY_VIEW)
def list_changes(request: ApiRequest, cluster: str) -> ChangesShown:
    """List what a deploy would change, as a worker last saw it."""
    return _changes(find(request, cluster, Permission.DEPLOY_VIEW))


def _changes(cluster: Cluster) -> ChangesShown:
    seen = Look.objects.filter(cluster=cluster).first()
    if seen is None:
        return ChangesShown(at=None, waiting=False, error="", items=[])
    return ChangesShown(
        at=seen.at,
        waiting=seen.asked_at is not None,
        error=seen.error,
        items=[_change(one) for one in seen.changes],
    )


@calls.post("/clusters/{cluster}/changes/look", Permission.DEPLOY_RUN, status=200)
def look_at_changes(request: ApiRequest, cluster: str) -> ChangesShown:
    """Have a worker look at the cluster now; the list of changes has what it saw."""
    found = find(request, cluster, Permission.DEPLOY_RUN)
    looks.ask(found)
    return _changes(found)
