"""The API's calls on what others made in a cluster, and on its configuration as YAML."""

from typing import Annotated, Literal

from django.http import HttpResponse
from ninja import Query
from pydantic import Field, StringConstraints

from accounts.roles import Permission
from clusters import kubernetes
from clusters.api import elsewhere, find
from clusters.models import Cluster
from config.api import paging, problems
from config.api.calls import ApiRequest, Calls, Sent, Shown
from config.api.problems import FieldProblem, Problem
from external_secrets.api.shapes import Counted
from external_secrets.exchange import exporting, finding, importing, planning, reaching, taking, yamls
from external_secrets.exchange.finding import Found
from external_secrets.exchange.reading import Foreign
from external_secrets.exchange.rows import Row
from external_secrets.views import found as pages
from external_secrets.views import lookup

calls = Calls("Exchange")
VIEW, MANAGE = Permission.EXTERNAL_SECRET_VIEW, Permission.EXTERNAL_SECRET_MANAGE
Name = Annotated[str, StringConstraints(max_length=520)]
TOKENS = "Those of the plan to link, by their `row`; left out, all that can be."
ACCESSES = "Which access stands for a store, by the store's `id`; left out, the one that fits best."


class FoundShown(Shown):
    """An external secret that others made."""

    id: str = Field(examples=["shop/db"])
    namespace: str
    name: str
    secret: str = Field(description="The name of its Secret.")
    store: str
    takes: list[str]
    manager: str
    state: Literal["ready", "failed", "unknown"]
    problem: str = Field(description="Why nothing of it can be taken over.")


class FoundPage(Shown):
    """Some of what others made, by id, and what kept the console from seeing more."""

    items: list[FoundShown]
    next: str | None
    troubles: list[str]


class Wanted(paging.Paging):
    """Which of them."""

    q: str = Field("", max_length=200)
    namespace: str = Field("", max_length=200)
    state: Literal["", "ready", "failed", "unknown"] = ""


class RowShown(Shown):
    """A link that would be made, or why it cannot be."""

    row: str
    external_secret: str
    state: Literal["new", "equal", "changed", "needs a place", "unsupported"]
    reason: str
    place: str
    access: str
    key: str
    json_field: str
    variable: str
    path: str


class StoreShown(Shown):
    """A store that is read from, and the accesses that read the same."""

    id: str
    name: str
    provider: str
    accesses: list[str]
    chosen: str


class PlanShown(Shown):
    """What would become of external secrets of others. Nothing is written."""

    rows: list[RowShown]
    stores: list[StoreShown]
    ignored: list[str] = Field(description="What of the YAML becomes nothing, and why.")


class PlanSent(Sent):
    """Which external secrets of others."""

    ids: list[Name] = Field(min_length=1, max_length=taking.MOST)
    accesses: dict[str, str] = Field({}, max_length=200, description=ACCESSES)


class TakeSent(PlanSent):
    """Which external secrets of others are linked here."""

    rows: list[str] | None = Field(None, max_length=taking.MOST, description=TOKENS)


class YamlSent(Sent):
    """ExternalSecrets, the stores that they read from, and the workloads that use their Secrets; no Secrets."""

    yaml: str = Field(repr=False, min_length=1, max_length=yamls.LARGEST)
    accesses: dict[str, str] = Field({}, max_length=200, description=ACCESSES)


class ImportSent(YamlSent):
    """What of the YAML is linked."""

    rows: list[str] | None = Field(None, max_length=taking.MOST, description=TOKENS)


def _look(request: ApiRequest, cluster: Cluster) -> Found:
    try:
        return reaching.reached(finding.look(cluster), request.authority, cluster)
    except kubernetes.ClusterError as error:
        raise elsewhere(error) from None


def _found(one: Foreign) -> FoundShown:
    return FoundShown(
        **{name: getattr(one, name) for name in ("id", "namespace", "name", "secret", "manager", "problem")},
        store=str(one.store),
        takes=[str(reference) for reference in one.references],
        state=pages.state_of(one),
    )


def _row(row: Row) -> RowShown:
    values = {name: str(row.values.get(name, "")) for name in ("key", "json_field", "variable", "path")}
    return RowShown(
        row=row.token,
        external_secret=row.foreign.id,
        state=row.state.value,
        reason=row.reason,
        place=row.place.words if row.place else "",
        access=row.match.access.name if row.match else "",
        **values,
    )


def _shown(plan: planning.Plan, ignored: list[yamls.Mistake] | None = None) -> PlanShown:
    stores = [
        StoreShown(
            id=one.store.slug,
            name=str(one.store.key),
            provider=one.store.provider,
            accesses=[match.access.name for match in one.matches],
            chosen=one.chosen.access.name if one.chosen else "",
        )
        for one in plan.choices
    ]
    return PlanShown(
        rows=[_row(row) for row in plan.rows], stores=stores, ignored=[_said(one) for one in ignored or ()]
    )


def _said(mistake: yamls.Mistake) -> str:
    return f"Line {mistake.line}: {mistake.text}" if mistake.line else mistake.text


def _take(
    request: ApiRequest, cluster: Cluster, plan: planning.Plan, tokens: list[str] | None, action: str
) -> Counted:
    """Link what was chosen of a plan, all of it or nothing.

    :raises Problem: the plan is another one by now, or something is in the way
    """
    rows, stale = (plan.takeable, 0) if tokens is None else planning.by_id(tokens, plan)
    if stale:
        raise Problem(409, "What you chose has changed since it was planned. Plan again, then link it.")
    if not rows:
        raise problems.invalid("rows", "There is nothing that can be linked.")
    if len(rows) > taking.MOST:
        raise problems.invalid("rows", f"Link at most {taking.MOST} at once.")
    with problems.turning({taking.NotTaken: 409}):
        made = taking.take(cluster=cluster, rows=rows, by=request.user, action=action)
    return Counted(count=len(made))


@calls.get("/clusters/{cluster}/found", Permission.EXTERNAL_SECRET_VIEW)
def list_found(request: ApiRequest, cluster: str, wanted: Query[Wanted]) -> FoundPage:
    """List the external secrets that others made in a cluster, by a look at it."""
    seen = _look(request, find(request, cluster, VIEW))
    asked = {"q": wanted.q, "namespace": wanted.namespace, "state": wanted.state}
    rows = sorted((one for one in seen.externals if pages.is_wanted(one, asked)), key=lambda one: one.id)
    if wanted.cursor:
        after = paging.unseal(request, ("id",), wanted.cursor)[0]
        rows = [one for one in rows if one.id > after]
    shown = rows[: wanted.limit]
    more = len(rows) > len(shown)
    return FoundPage(
        items=[_found(one) for one in shown],
        next=paging.seal(request, ("id",), [shown[-1].id]) if more else None,
        troubles=[f"{one.title} {one.text}" for one in seen.troubles],
    )


def _plan(request: ApiRequest, cluster: Cluster, sent: PlanSent) -> planning.Plan:
    seen = _look(request, cluster)
    missing = sorted(set(sent.ids) - {one.id for one in seen.externals})
    if missing:
        raise problems.invalid("ids", f"{len(missing)} of them are not there.")
    return planning.plan(cluster, seen.sources(sent.ids), sent.accesses, lookup.limits(request, cluster))


@calls.post("/clusters/{cluster}/found/plan", Permission.EXTERNAL_SECRET_MANAGE, status=200)
def plan_take_over(request: ApiRequest, cluster: str, sent: PlanSent) -> PlanShown:
    """Show what external secrets of others would become here."""
    return _shown(_plan(request, find(request, cluster, MANAGE), sent))


@calls.post("/clusters/{cluster}/found/take-over", Permission.EXTERNAL_SECRET_MANAGE)
def take_over(request: ApiRequest, cluster: str, sent: TakeSent) -> Counted:
    """Link what others made, all that was chosen or nothing; what they made stays until it is removed there."""
    here = find(request, cluster, MANAGE)
    return _take(request, here, _plan(request, here, sent), sent.rows, "external_secret.taken_over")


@calls.get("/clusters/{cluster}/export", Permission.EXTERNAL_SECRET_VIEW, media="application/yaml")
def export_cluster(request: ApiRequest, cluster: str) -> HttpResponse:
    """Take a cluster's configuration away as plain YAML of the operator's, as far as the token may see it."""
    here = find(request, cluster, VIEW)
    made = exporting.export(here, request.authority)
    exporting.record(cluster=here, found=made, by=request.user)
    return HttpResponse(made.text, "application/yaml; charset=utf-8", headers={"Cache-Control": "no-store"})


def _parsed(sent: YamlSent) -> importing.Parsed:
    """Return what YAML says.

    :raises Problem: it has mistakes, which are told by line, or nothing in it could become a link
    """
    parsed = importing.parse(sent.yaml)
    mistakes = sorted(parsed.mistakes + parsed.values)
    if not mistakes and not parsed.externals:
        mistakes = [*parsed.ignored, yamls.Mistake(0, "There is no ExternalSecret in it.")]
    if mistakes:
        raise Problem(422, errors=[FieldProblem(field="yaml", detail=_said(one)) for one in mistakes[:100]])
    return parsed


@calls.post("/clusters/{cluster}/import/plan", Permission.EXTERNAL_SECRET_MANAGE, status=200)
def plan_import(request: ApiRequest, cluster: str, sent: YamlSent) -> PlanShown:
    """Show what YAML would become here."""
    here, parsed = find(request, cluster, MANAGE), _parsed(sent)
    plan = planning.plan(here, parsed.sources(), sent.accesses, lookup.limits(request, here))
    return _shown(plan, parsed.ignored)


@calls.post("/clusters/{cluster}/import", Permission.EXTERNAL_SECRET_MANAGE)
def import_yaml(request: ApiRequest, cluster: str, sent: ImportSent) -> Counted:
    """Link what YAML says, all that was chosen or nothing."""
    here, parsed = find(request, cluster, MANAGE), _parsed(sent)
    plan = planning.plan(here, parsed.sources(), sent.accesses, lookup.limits(request, here))
    return _take(request, here, plan, sent.rows, "external_secret.imported")
