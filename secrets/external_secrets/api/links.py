"""The API's calls on external secrets: listed, made, changed, removed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal
from uuid import UUID

from django.http import Http404
from ninja import Query

from accesses.api import find as find_access
from accesses.models import Access
from accounts import access as door
from accounts.roles import Permission
from clusters.api import find as find_cluster
from config.api import problems
from config.api.calls import ApiRequest, Calls
from config.api.paging import Page, Paging, cut
from config.api.problems import FieldProblem
from external_secrets import browsing, forms, references, services
from external_secrets.api import shapes
from external_secrets.api.shapes import ExternalSecretChange, ExternalSecretSent, ExternalSecretShown
from external_secrets.models import ExternalSecret
from external_secrets.views import addresses, linked, linking, lookup

calls = Calls("External secrets")
FAILURES: dict[type[Exception], int] = {
    services.Clash: 409,
    services.Changed: 409,
    services.NotAllowed: 422,
}
# What another name for a value has not of its own.
_READ = {"takes", "key", "tags", "json_field", "version", "region", "role_arn", "audience"}
# How the page's form calls what is called otherwise here.
_NAMES = {"place": "service", "below": "key", "version_id": "version", "version_stage": "version"}


class Filter(Paging):
    """Which external secrets."""

    q: str = ""
    status: Literal["", "never deployed", "in sync", "waiting", "failed"] = ""
    cluster: str = ""
    access: str = ""
    namespace: str = ""
    service: UUID | None = None
    scope: Literal["", "service", "namespace"] = ""
    kind: Literal["", "variable", "file", "several", "alias"] = ""

    def found(self, request: ApiRequest) -> Any:
        """Return those that may be seen."""
        may = (request.organization, request.authority, Permission.EXTERNAL_SECRET_VIEW)
        wanted = {name: getattr(self, name) for name in ("q", "status", "scope", "kind")}
        rows = linked.filtered(ExternalSecret.objects.within(*may), wanted)
        places = {
            "cluster__name": self.cluster,
            "access__name": self.access,
            "namespace": self.namespace,
            "service": self.service,
        }
        return rows.filter(**{name: value for name, value in places.items() if value})


@contextmanager
def told_by_field() -> Iterator[None]:
    """Call the fields of the page's form as they are called here."""
    try:
        yield
    except problems.Problem as problem:
        problem.errors = [
            FieldProblem(field=_NAMES.get(error.field, error.field), detail=error.detail)
            for error in problem.errors
        ]
        raise


def allow_namespace(request: ApiRequest, cluster: str, sent: shapes.PlaceSent) -> None:
    """Refuse a place that is none, or a namespace that the token does not reach; that is written down.

    :raises problems.Problem: both a service and a namespace are named, or neither
    """
    if (sent.service is None) == (not sent.namespace):
        raise problems.invalid("service", "Name either a service or a namespace.")
    if sent.namespace:
        door.require(request, Permission.EXTERNAL_SECRET_MANAGE, cluster=cluster, namespace=sent.namespace)


@calls.get("/external-secrets", Permission.EXTERNAL_SECRET_VIEW)
def list_external_secrets(request: ApiRequest, wanted: Query[Filter]) -> Page[ExternalSecretShown]:
    """List external secrets, by what the service sees: the variable, the file, or the secret's name.

    `q` keeps those with a text in the variable, the path, the secret's name, the field, the namespace, the service or
    the container.
    """
    rows = wanted.found(request).select_related(*addresses.RELATED).defer(*addresses.SEALED)
    titled = rows.annotate(by=linked.TITLE)
    return cut(request, titled, wanted, by=["by"], shape=ExternalSecretShown.of)


@calls.get("/external-secrets/{external_secret}", Permission.EXTERNAL_SECRET_VIEW)
def get_external_secret(request: ApiRequest, external_secret: UUID) -> ExternalSecretShown:
    """Show one external secret and its state."""
    return shown(request, external_secret, Permission.EXTERNAL_SECRET_VIEW)


def shown(request: ApiRequest, external_secret: UUID, permission: Permission) -> ExternalSecretShown:
    """Return an external secret as it is now."""
    return ExternalSecretShown.of(lookup.link(request, external_secret, permission))


@calls.post("/clusters/{cluster}/external-secrets", Permission.EXTERNAL_SECRET_MANAGE)
def create_external_secret(
    request: ApiRequest, cluster: str, sent: ExternalSecretSent
) -> ExternalSecretShown:
    """Link a secret to a service or a namespace, or give its value another name; the next deploy brings it there."""
    may = Permission.EXTERNAL_SECRET_MANAGE
    find_cluster(request, cluster, may)
    allow_namespace(request, cluster, sent)
    if (sent.alias_of is None) == (not sent.access):
        raise problems.invalid("access", "Name either an access or an external secret in alias_of.")
    if sent.alias_of is None:
        page = _new(request, cluster, sent)
    else:
        page = _other_name(request, cluster, sent, sent.alias_of)
    return ExternalSecretShown.of(_written(request, page))


def _new(request: ApiRequest, cluster: str, sent: ExternalSecretSent) -> linking.Page:
    try:
        access = find_access(request, cluster, sent.access, Permission.EXTERNAL_SECRET_MANAGE)
    except Http404:
        raise problems.invalid("access", f"There is no such access of {cluster}.") from None
    form = forms.LinkForm(
        access,
        lookup.around(request, access),
        data=_data(sent, access),
        limits=lookup.limits(request, access.cluster),
    )
    return linking.Page(form, access)


def _other_name(request: ApiRequest, cluster: str, sent: ExternalSecretSent, alias_of: UUID) -> linking.Page:
    try:
        original = lookup.link(request, alias_of, Permission.EXTERNAL_SECRET_MANAGE)
    except Http404:
        raise problems.invalid("alias_of", "There is no such external secret.") from None
    if original.cluster.name != cluster:
        raise problems.invalid("alias_of", f"It is not on {cluster}.")
    _refuse_read(sent)
    named = sent.model_copy(update={"variable": sent.variable or ""})
    form = forms.AliasForm(
        original,
        lookup.around(request, original.access),
        data=_data(named, original.access),
        limits=lookup.limits(request, original.cluster),
    )
    return linking.Page(form, original.access, original=original)


def _refuse_read(sent: shapes.LinkFields) -> None:
    """Refuse what says what is read: another name takes what its original takes.

    :raises problems.Problem: some of it was sent
    """
    if given := _READ & sent.model_fields_set:
        raise problems.invalid_fields(
            dict.fromkeys(sorted(given), "Another name takes what its original takes.")
        )


def _data(sent: shapes.LinkFields, access: Access) -> dict[str, Any]:
    rules = references.options(access)
    if sent.version and not any(rules.fields_of(sent.version).values()):
        raise problems.invalid("version", shapes.VERSION)
    return shapes.filled_in(sent, rules)


@calls.patch("/external-secrets/{external_secret}", Permission.EXTERNAL_SECRET_MANAGE)
def change_external_secret(
    request: ApiRequest, external_secret: UUID, sent: ExternalSecretChange
) -> ExternalSecretShown:
    """Change what an external secret takes, as what it arrives, or where; the next deploy brings it there."""
    found = lookup.link(request, external_secret, Permission.EXTERNAL_SECRET_MANAGE)
    given = sent.model_dump(exclude_unset=True, exclude={"revision"})
    now = shapes.current(found)
    if {"service", "namespace"} & given.keys():
        now = {
            name: value for name, value in now.items() if name not in ("service", "namespace", "container")
        }
    wanted = shapes.LinkFields.model_construct(**{**_empty(), **now, **given})
    allow_namespace(request, found.cluster.name, wanted)
    data = _data(wanted, found.access)
    around = lookup.around(request, found.access, found)
    filled: dict[str, Any] = {"data": data, "editing": found, "initial": now | {"file_mode": found.file_mode}}
    filled["limits"] = lookup.limits(request, found.cluster)
    form: linking.Form
    if found.alias_of is not None:
        _refuse_read(sent)
        form = forms.AliasForm(found.alias_of, around, **filled)
    else:
        form = forms.LinkForm(found.access, around, **filled)
    page = linking.Page(form, found.access, found.service, found, found.alias_of, sent.revision)
    _written(request, page)
    return shown(request, found.pk, Permission.EXTERNAL_SECRET_MANAGE)


def _empty() -> dict[str, Any]:
    return {"service": None, "namespace": None, "container": ""}


def _written(request: ApiRequest, page: linking.Page) -> ExternalSecret:
    """Check the page's own form, and make or change the link.

    :raises problems.Problem: why not, by field
    """
    form = page.form
    with told_by_field():
        problems.checked(form)
        linking.refuse_unknown(page, browsing.state_of(page.access))
        problems.checked(form)
    place = form.target_place
    if place is None:
        raise problems.invalid("service", "Name either a service or a namespace.")
    common: dict[str, Any] = {"access": page.access, "place": place, "by": request.user}
    common |= {"values": form.link_values, "overrides": form.overrides}
    with problems.turning(FAILURES):
        if page.editing is None:
            return services.link(**common, alias_of=page.original)
        return services.change(link=page.editing, seen_version=page.seen, **common)


@calls.delete("/external-secrets/{external_secret}", Permission.EXTERNAL_SECRET_MANAGE)
def unlink_external_secret(request: ApiRequest, external_secret: UUID) -> None:
    """Remove an external secret and its other names; the next deploy takes what they brought away."""
    found = lookup.link(request, external_secret, Permission.EXTERNAL_SECRET_MANAGE)
    services.unlink(link=found, by=request.user)
