"""The API's calls on many external secrets at once, and on reading again."""

from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from pydantic import Field

from accesses.api import find as find_access
from accesses.models import Access
from accounts.roles import Permission
from clusters.api import find as find_cluster
from config.api import problems
from config.api.calls import ApiRequest, Calls, Sent
from config.api.problems import FieldProblem, Problem
from external_secrets import batches, forms, services, syncing
from external_secrets.api import links, shapes
from external_secrets.api.shapes import Counted, ExternalSecretShown, LinesSent, RelocationSent
from external_secrets.models import ExternalSecret
from external_secrets.views import lookup

calls = Calls("External secrets")
MANAGE = Permission.EXTERNAL_SECRET_MANAGE


class FailedSent(Sent):
    """Which of those that failed."""

    access: str = Field("", max_length=40, description="Only what comes through this one; empty is all.")


def _access(request: ApiRequest, cluster: str, name: str) -> Access:
    try:
        return find_access(request, cluster, name, MANAGE)
    except Http404:
        raise problems.invalid("access", f"There is no such access of {cluster}.") from None


@calls.post("/clusters/{cluster}/external-secrets/batch", Permission.EXTERNAL_SECRET_MANAGE)
def create_external_secrets(request: ApiRequest, cluster: str, sent: LinesSent) -> Counted:
    """Link many secrets to one service or namespace: all or none. What is wrong is told by line, `lines.0` is the first."""
    find_cluster(request, cluster, MANAGE)
    links.allow_namespace(request, cluster, sent)
    access = _access(request, cluster, sent.access)
    broken = [at for at, line in enumerate(sent.lines) if "\n" in line or "\r" in line]
    if broken:
        raise problems.invalid(f"lines.{broken[0]}", "A line has no end of line within.")
    data = {
        **shapes.placed(sent),
        "lines": "\n".join(sent.lines),
        "refresh_seconds": sent.refresh_seconds or "",
    }
    limits = lookup.limits(request, access.cluster)
    form = forms.BulkForm(access, lookup.around(request, access), data=data, limits=limits)
    _check_lines(form)
    place = form.target_place
    if place is None:
        raise problems.invalid("service", "Name either a service or a namespace.")
    with problems.turning({services.NotAllowed: 422, batches.Refused: 409}):
        made = batches.link_many(access=access, place=place, by=request.user, lines=form.line_values)
    return Counted(count=made)


def _check_lines(form: forms.BulkForm) -> None:
    """Check the page's own form; it tells of lines by number, and only of the first few.

    :raises Problem: by field and line
    """
    if form.is_valid():
        return
    wrong = [FieldProblem(field=f"lines.{one.number - 1}", detail=one.error) for one in form.listed.wrong]
    with links.told_by_field():
        try:
            problems.checked(form)
        except Problem as problem:
            others = [error for error in problem.errors if not (wrong and error.field == "lines")]
            raise Problem(422, errors=[*others, *wrong]) from None


def _chosen(request: ApiRequest, cluster: str, ids: list[UUID]) -> list[ExternalSecret]:
    owned: QuerySet[ExternalSecret] = ExternalSecret.objects.within(
        request.organization, request.authority, MANAGE
    )
    rows = owned.filter(cluster__name=cluster, pk__in=ids).select_related(*lookup.RELATED)
    found = list(rows.order_by("variable", "path", "pk"))
    missing = set(ids) - {link.pk for link in found}
    if missing:
        raise problems.invalid("ids", f"There are no such external secrets here: {len(missing)} of them.")
    return found


@calls.post("/clusters/{cluster}/external-secrets/relocate", Permission.EXTERNAL_SECRET_MANAGE, status=200)
def relocate_external_secrets(request: ApiRequest, cluster: str, sent: RelocationSent) -> Counted:
    """Bring external secrets to another service, container or namespace of their cluster: all or none."""
    find_cluster(request, cluster, MANAGE)
    links.allow_namespace(request, cluster, sent)
    chosen = _chosen(request, cluster, sent.ids)
    access = chosen[0].access
    form = forms.RelocateForm(
        access,
        lookup.around(request, access),
        data=shapes.placed(sent),
        limits=lookup.limits(request, access.cluster),
    )
    with links.told_by_field():
        problems.checked(form)
    place = form.target_place
    if place is None:
        raise problems.invalid("service", "Name either a service or a namespace.")
    with problems.turning({batches.Refused: 409, services.Clash: 409}):
        return Counted(count=batches.move_to(links=chosen, place=place, by=request.user))


@calls.post("/external-secrets/{external_secret}/sync", Permission.EXTERNAL_SECRET_MANAGE, status=202)
def sync_external_secret(request: ApiRequest, external_secret: UUID) -> ExternalSecretShown:
    """Have the operator read an external secret again now; its state says what came of it."""
    found = lookup.link(request, external_secret, MANAGE)
    _sync(request, [found])
    return links.shown(request, found.pk, MANAGE)


@calls.post("/clusters/{cluster}/external-secrets/sync-failed", Permission.EXTERNAL_SECRET_MANAGE, status=202)
def sync_failed_external_secrets(request: ApiRequest, cluster: str, sent: FailedSent) -> Counted:
    """Have the operator read again what failed on a cluster, all of it or what comes through one access."""
    found = find_cluster(request, cluster, MANAGE)
    access = _access(request, cluster, sent.access) if sent.access else None
    failed = syncing.failed(found, access).inside(request.authority, MANAGE)
    return Counted(count=_sync(request, failed.select_related("access", "cluster__organization")))


def _sync(request: ApiRequest, wanted: list[ExternalSecret] | QuerySet[ExternalSecret]) -> int:
    try:
        return syncing.sync_now(links=wanted, by=request.user)
    except syncing.NotPossible as error:
        raise Problem(409, f"{error} {error.remedy}") from None
