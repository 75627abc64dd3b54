"""The API's calls on accesses: the clusters' ways into secret managers."""

from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.views.decorators.debug import sensitive_variables
from ninja import Query

from accesses import about, api_shapes, drafts, entering, forms, outcomes, services, situations, trials
from accesses.api_shapes import AccessChange, AccessSent, AccessShown, ProvidersShown
from accesses.models import Access, AccessDraft
from accesses.providers import PROVIDERS, ConfigurationForm, Method
from accounts import tags
from accounts.roles import Permission
from clusters.api import find as find_cluster
from config.api import problems
from config.api.calls import ApiRequest, Calls
from config.api.paging import Page, Paging, cut

calls = Calls("Accesses")
FAILURES: dict[type[Exception], int] = {
    services.NameTaken: 409,
    services.NotUsable: 422,
    services.Changed: 409,
    services.InUse: 409,
    situations.NotPossible: 409,
}


def visible(request: ApiRequest, permission: Permission) -> QuerySet[Access]:
    """Return the accesses on which something may be done; nothing is decrypted for a list."""
    within = Access.objects.within(request.organization, request.authority, permission)
    return within.select_related("cluster__organization", "cloud_credential")


def find(request: ApiRequest, cluster: str, access: str, permission: Permission) -> Access:
    """Return an access by its cluster and name, if something may be done on it.

    :raises Http404: there is none
    """
    return get_object_or_404(visible(request, permission), cluster__name=cluster, name=access)


def _page(request: ApiRequest, rows: QuerySet[Access], page: Paging, by: list[str]) -> Page[AccessShown]:
    unsealed = rows.defer("credential", "cloud_credential__secret")
    found: Page[Access] = cut(request, unsealed, page, by=by, shape=lambda access: access)
    made = about.identities_of(found.items)
    shown = [AccessShown.of(access, made.get(access.pk)) for access in found.items]
    return Page(items=shown, next=found.next)


def _shown(request: ApiRequest, access: Access, permission: Permission) -> AccessShown:
    """Return an access as it is now."""
    fresh = get_object_or_404(visible(request, permission), pk=access.pk)
    return AccessShown.of(fresh, about.identities_of([fresh]).get(fresh.pk))


def _method(provider: str, method: str) -> Method:
    known = PROVIDERS.get(provider)
    if known is None:
        raise problems.invalid("provider", f"There are {', '.join(PROVIDERS)}.")
    way = known.method(method)
    if way is None:
        raise problems.invalid("method", f"There are {', '.join(one.slug for one in known.methods)}.")
    return way


def _check(form: ConfigurationForm, sent: dict[str, str]) -> None:
    """Check what was sent; what is wrong with a field of the method is told as `fields.…`.

    :raises problems.Problem: a field is unknown, closed or not valid
    """
    own = set(form.base_fields)
    unknown = sorted(set(sent) - own)
    if unknown:
        raise problems.invalid_fields({f"fields.{name}"[:200]: "There is no such field." for name in unknown})
    closed = [name for name in sent if form.fields[name].disabled and sent[name].lower() not in ("", "false")]
    if closed:
        raise problems.invalid_fields({f"fields.{name}": str(form.fields[name].help_text) for name in closed})
    try:
        problems.checked(form)
    except problems.Problem as problem:
        for error in problem.errors:
            error.field = f"fields.{error.field}" if error.field in own else error.field
        raise


def _heard(result: trials.Result, form: ConfigurationForm, *, apart: bool) -> trials.Result:
    """Return what is kept of a test; where `apart` is said, no answer is none that is missed.

    :raises problems.Problem: what was sent does not work
    """
    if result.silent and apart:
        return outcomes.apart(result.reason)
    if result.usable:
        return result
    said = f"{result.reason} {result.remedy}".strip()
    if result.about in form.fields:
        raise problems.invalid(f"fields.{result.about}", said)
    raise problems.Problem(422, said)


@calls.get("/accesses", Permission.ACCESS_VIEW)
def list_accesses(request: ApiRequest, page: Query[Paging], q: str = "") -> Page[AccessShown]:
    """List the accesses of all clusters, by cluster and name; `q` keeps those whose name holds a text."""
    rows = visible(request, Permission.ACCESS_VIEW).filter(name__icontains=q)
    return _page(request, rows, page, ["cluster__name", "name"])


@calls.get("/clusters/{cluster}/accesses", Permission.ACCESS_VIEW)
def list_cluster_accesses(request: ApiRequest, cluster: str, page: Query[Paging]) -> Page[AccessShown]:
    """List the accesses of a cluster, by name."""
    found = find_cluster(request, cluster, Permission.ACCESS_VIEW)
    return _page(request, visible(request, Permission.ACCESS_VIEW).filter(cluster=found), page, ["name"])


@calls.get("/clusters/{cluster}/providers", Permission.ACCESS_VIEW)
def list_providers(request: ApiRequest, cluster: str) -> ProvidersShown:
    """List the kinds of secret managers, the ways in which this cluster can sign in, and the fields of each."""
    found = find_cluster(request, cluster, Permission.ACCESS_VIEW)
    sees = request.allows(Permission.CREDENTIAL_VIEW)
    around = [situations.of(found, slug, sees_credentials=sees) for slug in PROVIDERS]
    return ProvidersShown(items=[api_shapes.provider(situation) for situation in around])


@calls.get("/clusters/{cluster}/accesses/{access}", Permission.ACCESS_VIEW)
def get_access(request: ApiRequest, cluster: str, access: str) -> AccessShown:
    """Show one access, by its name."""
    found = find(request, cluster, access, Permission.ACCESS_VIEW)
    return AccessShown.of(found, about.identities_of([found]).get(found.pk))


@calls.post("/clusters/{cluster}/accesses", Permission.ACCESS_MANAGE)
@sensitive_variables()
def create_access(request: ApiRequest, cluster: str, sent: AccessSent) -> AccessShown:
    """Try an access and store it; the next deploy brings its store to the cluster."""
    found = find_cluster(request, cluster, Permission.ACCESS_MANAGE)
    method = _method(sent.provider, sent.method)
    obstacle = method.obstacle(situations.of(found, sent.provider))
    if obstacle is not None:
        raise problems.Problem(409, f"{obstacle.reason} {obstacle.remedy}".strip())
    # Together, so that a draft with a credential in it is left behind by nothing that goes wrong.
    with transaction.atomic(), problems.turning(FAILURES):
        draft = AccessDraft(cluster=found, by=request.user, provider=sent.provider, method=method.slug)
        data = {**sent.fields, "name": sent.name, "namespaces": sent.namespaces}
        sees = request.allows(Permission.CREDENTIAL_VIEW)
        form = forms.details_form(draft, method, data, sees_credentials=sees)
        _check(form, sent.fields)
        drafts.settle(found)
        draft.save(force_insert=True)
        entering.answer(draft, form)
        _heard(drafts.test_draft(draft), form, apart=sent.only_cluster_reaches)
        made = services.create(draft=draft, by=request.user, apart=sent.only_cluster_reaches)
    return _shown(request, made, Permission.ACCESS_MANAGE)


@calls.patch("/clusters/{cluster}/accesses/{access}", Permission.ACCESS_MANAGE)
@sensitive_variables()
def change_access(request: ApiRequest, cluster: str, access: str, sent: AccessChange) -> AccessShown:
    """Change an access: its namespaces, its fields, or how it signs in; the next deploy applies it."""
    found = find(request, cluster, access, Permission.ACCESS_MANAGE)
    method = _method(found.provider, sent.method or found.method)
    namespaces = found.namespaces if sent.namespaces is None else sent.namespaces
    data = {**_kept(found, method), **sent.fields, "namespaces": namespaces}
    sees = request.allows(Permission.CREDENTIAL_VIEW)
    form = forms.edit_form(found, method, data, sees_credentials=sees)
    with problems.turning(FAILURES):
        services.check_version(found, sent.version)
        entering.keep_rules(found, method)
        _check(form, sent.fields)
        values, result = entering.values_of(found, method, form), None
        if values.is_new_to(found):
            result = _heard(entering.try_values(found, values), form, apart=sent.only_cluster_reaches)
        services.change(
            access=found, values=values, result=result, seen_version=sent.version, by=request.user
        )
    return _shown(request, found, Permission.ACCESS_MANAGE)


def _kept(access: Access, method: Method) -> dict[str, str]:
    """Return the fields of a method that stay as they are where nothing else is sent; no secret is among them."""
    named = access.cloud_credential.name if access.cloud_credential else ""
    ends = access.expires_at.strftime("%Y-%m-%dT%H:%M:%S") if access.expires_at else ""
    there = access.configuration | {"cloud_credential": named, "expires_at": ends}
    there |= {name: getattr(access, name) for name in method.form.SEES}
    there |= {"tags": tags.as_lines(access.tags), "refresh_seconds": access.refresh_seconds or ""}
    return {name: str(value) for name, value in there.items() if name in method.form.base_fields}


@calls.post("/clusters/{cluster}/accesses/{access}/test", Permission.ACCESS_MANAGE, status=200)
def test_access(request: ApiRequest, cluster: str, access: str) -> AccessShown:
    """Test an access now, by its own identity; what was found is in the answer."""
    found = find(request, cluster, access, Permission.ACCESS_MANAGE)
    services.verify(found, by=request.user)
    return _shown(request, found, Permission.ACCESS_MANAGE)


@calls.delete("/clusters/{cluster}/accesses/{access}", Permission.ACCESS_MANAGE)
def delete_access(request: ApiRequest, cluster: str, access: str) -> None:
    """Delete an access that nothing uses; the next deploy removes its store."""
    with problems.turning(FAILURES):
        services.delete(access=find(request, cluster, access, Permission.ACCESS_MANAGE), by=request.user)
