"""The API's calls on cloud credentials."""

import contextlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.views.decorators.debug import sensitive_variables
from ninja import Query
from pydantic import AwareDatetime, Field

from accounts.roles import Permission
from config.api import problems
from config.api.calls import ApiRequest, Calls, Sent, Shown
from config.api.paging import Page, Paging, cut
from credentials import clouds, forms, listing, reminders, services, usage
from credentials.clouds.errors import ProviderError
from credentials.fields import SecretForm
from credentials.models import CloudCredential
from credentials.views import common

calls = Calls("Credentials")
FAILURES: dict[type[Exception], int] = {services.NameTaken: 409, services.Changed: 409}
Values = dict[str, str]


class CredentialShown(Shown):
    """A cloud credential: whose it is, never what signs."""

    name: str
    cloud: str
    method: str
    identity: str = Field(description="An ARN, an e-mail address, a client, a principal or an access key.")
    account: str = Field(description="What it belongs to: an AWS account, a project, a subscription.")
    facts: dict[str, Any] = Field(description="What may be shown of it.")
    version: int
    set_at: datetime
    set_by: str
    made_at: datetime | None = Field(description="When its key was made, where its cloud tells.")
    expires_at: datetime | None = Field(description="When it ends, as its cloud or a person says.")
    used_at: datetime | None = Field(
        description="When Keyhaven itself signed in with it last, to the minute."
    )
    rotate_days: int | None = Field(description="After how many days its keys are due; null is never.")
    rotate_at: datetime | None = Field(description="When its keys are due, by their age or because they end.")
    checked_at: datetime | None
    check_error: str
    check_remedy: str
    created_by: str
    created_at: datetime


class CredentialUsers(Shown):
    """What uses a credential: clusters by their name, accesses as `cluster/access`."""

    clusters: list[str]
    accesses: list[str]
    identities: list[str] = Field(description="Accesses for which it made a role, as `cluster/access`.")
    hidden: int = Field(description="How many more there are that the token may not see.")


class CredentialSent(Sent):
    """A credential to store; it is tried before."""

    cloud: str = Field(examples=["aws"])
    method: str = Field(examples=["static"])
    name: str = Field(examples=["aws-prod"])
    values: Values = Field(
        repr=False,
        max_length=20,
        description="The method's fields: `partition`, `access_key_id` and `secret_access_key` of `aws`/`static`; `key` "
        "(the key.json as text) of `gcp`/`key`.",
    )
    expires_at: AwareDatetime | None = Field(None, description="When it ends, where its cloud does not tell.")


class CredentialChange(Sent):
    """Another name, other values, other reminders; what is left out stays. New values are tried before they replace
    the old ones."""

    version: int = Field(
        ge=1, le=2_147_483_647, description="As it was read: another one in between is a conflict."
    )
    name: str | None = None
    values: Values = Field({}, repr=False, max_length=20)
    rotate_days: int | None = Field(
        None, ge=1, le=forms.MOST_DAYS, description="After how many days its keys are due; null is never."
    )
    expires_at: AwareDatetime | None = Field(None, description="When it ends, where its cloud does not tell.")


def _visible(request: ApiRequest, permission: Permission) -> QuerySet[CloudCredential]:
    return CloudCredential.objects.within(request.organization, request.authority, permission)


def _find(request: ApiRequest, name: str, permission: Permission) -> CloudCredential:
    return get_object_or_404(_visible(request, permission), name=name)


@sensitive_variables()
def _form(
    request: ApiRequest, found: CloudCredential | None, cloud: str, method: str, sent: Values
) -> SecretForm:
    """Return the page's own form, checked.

    :raises problems.Problem: no such method, an unknown field, or a field that is not valid
    """
    known = clouds.CLOUDS.get(cloud)
    way = next((one for one in known.methods if one.slug == method), None) if known else None
    if way is None:
        raise problems.invalid("method", "There is no such method of this cloud.")
    form = forms.credential_form(request.organization, way, found, sent, {})
    unknown = sorted(set(sent) - set(form.fields))
    if unknown:
        raise problems.invalid_fields({f"values.{name}": "There is no such field." for name in unknown})
    problems.checked(form)
    return form


@contextlib.contextmanager
def _unless_used(request: ApiRequest, found: CloudCredential) -> Iterator[None]:
    """Turn the refusal to touch what is in use into a problem, which names no user that may not be seen."""
    try:
        yield
    except services.InUse as error:
        hidden = usage.users(found, request.authority)["hidden"]
        raise problems.Problem(409, common.IN_USE if hidden else str(error)) from None


State = Literal["", "failing", "expiring", "due", "rotating", "unused"]


@calls.get("/credentials", Permission.CREDENTIAL_VIEW)
def list_credentials(
    request: ApiRequest, page: Query[Paging], q: str = "", cloud: str = "", state: State = ""
) -> Page[CredentialShown]:
    """List the cloud credentials, by name; `q` keeps those whose name or identity holds a text."""
    rows = listing.with_use(_visible(request, Permission.CREDENTIAL_VIEW))
    asked = {"q": q, "cloud": cloud, "state": state}
    found = listing.filtered(rows, asked).defer("secret")
    return cut(request, found, page, by=["name"], shape=CredentialShown.model_validate)


@calls.get("/credentials/{credential}", Permission.CREDENTIAL_VIEW)
def get_credential(request: ApiRequest, credential: str) -> CredentialShown:
    """Show one credential, by its name."""
    return CredentialShown.model_validate(_find(request, credential, Permission.CREDENTIAL_VIEW))


@calls.get("/credentials/{credential}/usage", Permission.CREDENTIAL_VIEW)
def get_credential_usage(request: ApiRequest, credential: str) -> CredentialUsers:
    """Show what uses a credential: while anything does, it can't be deleted."""
    seen = usage.users(_find(request, credential, Permission.CREDENTIAL_VIEW), request.authority)
    return CredentialUsers(
        clusters=[one.name for one in seen["clusters"]],
        accesses=[f"{one.cluster.name}/{one.name}" for one in seen["accesses"]],
        identities=[f"{one.cluster.name}/{one.access_name}" for one in seen["identities"]],
        hidden=seen["hidden"],
    )


@calls.post("/credentials", Permission.CREDENTIAL_MANAGE)
@sensitive_variables()
def create_credential(request: ApiRequest, sent: CredentialSent) -> CredentialShown:
    """Try a credential and store it, encrypted."""
    form = _form(request, None, sent.cloud, sent.method, {"name": sent.name, **sent.values})
    try:
        with problems.turning(FAILURES):
            made = services.create(
                organization=request.organization,
                name=form.cleaned_data["name"],
                cloud=sent.cloud,
                method=sent.method,
                secret=form.secret({}),
                given=form.given(),
                until=sent.expires_at or forms.until_of(form),
                by=request.user,
            )
    except ProviderError as error:
        raise problems.Problem(422, f"{error.reason} {error.remedy}") from None
    return CredentialShown.model_validate(made)


@calls.patch("/credentials/{credential}", Permission.CREDENTIAL_MANAGE)
@sensitive_variables()
def change_credential(request: ApiRequest, credential: str, sent: CredentialChange) -> CredentialShown:
    """Rename a credential, replace its values or set its reminders; `expires_at` is of the new values where there are any."""
    found = _find(request, credential, Permission.CREDENTIAL_MANAGE)
    kept = {name: value for name, value in found.facts.items() if isinstance(value, str)}
    fields = forms.credential_form(
        request.organization, clouds.known(found.cloud, found.method)[1], found
    ).fields
    given = {name: value for name, value in kept.items() if name in fields}
    form = _form(
        request, found, found.cloud, found.method, {**given, "name": sent.name or found.name, **sent.values}
    )
    try:
        with problems.turning(FAILURES), _unless_used(request, found):
            services.change(
                credential=found,
                name=form.cleaned_data["name"],
                secret=form.secret(found.secret),
                given=form.given(),
                seen_version=sent.version,
                until=sent.expires_at or forms.until_of(form),
                by=request.user,
            )
    except ProviderError as error:
        raise problems.Problem(422, f"{error.reason} {error.remedy}") from None
    found.refresh_from_db()
    _remind(request, found, sent)
    return CredentialShown.model_validate(found)


def _remind(request: ApiRequest, found: CloudCredential, sent: CredentialChange) -> None:
    """Set what was sent of the reminders; what was left out stays."""
    if not {"rotate_days", "expires_at"} & sent.model_fields_set:
        return
    named = {
        name: getattr(sent, name) for name in ("rotate_days", "expires_at") if name in sent.model_fields_set
    }
    days = named.get("rotate_days", found.rotate_days)
    until = named.get("expires_at", found.expires_at)
    reminders.remind(credential=found, rotate_days=days, until=until, by=request.user)
    found.refresh_from_db()


@calls.post("/credentials/{credential}/check", Permission.CREDENTIAL_MANAGE, status=200)
def check_credential(request: ApiRequest, credential: str) -> CredentialShown:
    """Try a credential now; what was found is in the answer."""
    found = _find(request, credential, Permission.CREDENTIAL_MANAGE)
    services.check(found, by=request.user)
    found.refresh_from_db()
    return CredentialShown.model_validate(found)


@calls.delete("/credentials/{credential}", Permission.CREDENTIAL_MANAGE)
def delete_credential(request: ApiRequest, credential: str) -> None:
    """Delete a credential that nothing uses."""
    found = _find(request, credential, Permission.CREDENTIAL_MANAGE)
    with _unless_used(request, found):
        services.delete(credential=found, by=request.user)
