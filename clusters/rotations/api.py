"""The API's calls on rotations of cloud credentials."""

import datetime
import uuid
from collections.abc import Callable
from typing import Any, Literal, Self

from django.shortcuts import get_object_or_404
from django.views.decorators.debug import sensitive_variables
from ninja import Query
from pydantic import Field

from accounts.roles import Permission
from clusters.models import Rotation
from clusters.rotations import forms, making, moving, retiring, services, showing, undoing
from config.api import problems
from config.api.calls import ApiRequest, Calls, Sent, Shown
from config.api.paging import Page, Paging, cut
from credentials import services as credentials
from credentials.clouds.errors import ProviderError
from credentials.models import CloudCredential

calls = Calls("Rotations")
FAILURES: dict[type[Exception], int] = {
    services.CannotBe: 409,
    credentials.Changed: 409,
    credentials.InUse: 409,
}


class ClusterMove(Shown):
    """A cluster that uses the credential, and how far it is."""

    cluster: str
    state: str = Field(description="`waiting`, `deploying`, `failed` or `moved`.")
    deploy: int | None = Field(description="The number of the deploy that brings the new key.")
    error: str


class RotationShown(Shown):
    """A rotation of a credential: the new key is stored, clusters move to it by deploys, the old key is retired."""

    id: uuid.UUID
    credential: str
    status: str = Field(description="`making`, `moving`, `confirming`, `done` or `undone`.")
    made_here: bool = Field(description="Keyhaven made the new key itself.")
    old: str = Field(description="The old key: `active`, `disabled`, `deleted` or `by hand`.")
    old_key: str = Field(description="Its ID.")
    new_key: str
    old_used_at: datetime.datetime | None = Field(description="When it was used last, as the cloud says.")
    old_asked_at: datetime.datetime | None = Field(description="When the cloud was asked that.")
    doubt: str = Field(
        description="Why the old key may still be in use; empty once the cloud says it is not."
    )
    error: str
    started_by: str
    started_at: datetime.datetime
    moved_at: datetime.datetime | None
    ended_by: str
    ended_at: datetime.datetime | None

    @classmethod
    def of(cls, rotation: Rotation) -> Self:
        return cls.model_validate(_facts(rotation))


class RotationWhole(RotationShown):
    """A rotation with its clusters."""

    clusters: list[ClusterMove]
    hidden: int = Field(description="How many more clusters there are that the token may not see.")
    problems: list[str] = Field([], description="Which deploys could not be asked for, and why.")


class RotationSent(Sent):
    """A rotation to begin: with a new key that somebody made, or `make` to have Keyhaven make it."""

    values: dict[str, str] = Field(
        {}, repr=False, max_length=20, description="The method's secret fields. They are tried before."
    )
    make: bool = False
    other_identity: bool = Field(False, description="The new key is of another identity, and that is meant.")
    ends_on: datetime.date | None = Field(None, description="Where the cloud does not tell.")


class DeploysSent(Sent):
    """The clusters to deploy; without any, all that wait and that the token may deploy."""

    clusters: list[str] = Field([], max_length=1000)


class RetireSent(Sent):
    """What is to become of the old key."""

    act: Literal["ask", "disable", "enable", "delete", "removed"] = Field(
        description="`ask` the cloud when it was used last; `removed`: a person removed it in the cloud."
    )
    override: bool = Field(False, description="Delete it although it may still be in use.")


def _facts(rotation: Rotation) -> dict[str, Any]:
    own = {"credential", "old_key", "new_key", "doubt"}
    facts = {name: getattr(rotation, name) for name in RotationShown.model_fields if name not in own}
    confirming = rotation.status == Rotation.Status.CONFIRMING
    return facts | {
        "credential": rotation.credential.name,
        "old_key": services.key_of(rotation.old_facts),
        "new_key": services.key_of(rotation.new_facts),
        "doubt": retiring.doubt(rotation) if confirming else "",
    }


def _whole(request: ApiRequest, rotation: Rotation, **more: Any) -> RotationWhole:
    rotation.refresh_from_db()
    seen = showing.see(rotation, request.allows)
    clusters = [
        ClusterMove(
            cluster=state.name,
            state=state.word,
            deploy=state.deploy.number if state.deploy else None,
            error=state.deploy.error if state.deploy and state.word == "failed" else "",
        )
        for state, _ in seen.shown
    ]
    hidden = sum(seen.hidden.values())
    return RotationWhole.model_validate(_facts(rotation) | {"clusters": clusters, "hidden": hidden} | more)


def _credential(request: ApiRequest, name: str, permission: Permission) -> CloudCredential:
    rows = CloudCredential.objects.within(request.organization, request.authority, permission)
    return get_object_or_404(rows.select_related("organization"), name=name)


def _find(
    request: ApiRequest,
    name: str,
    rotation: uuid.UUID,
    permission: Permission = Permission.CREDENTIAL_MANAGE,
) -> Rotation:
    found = _credential(request, name, permission)
    return get_object_or_404(found.rotations.select_related("credential__organization"), pk=rotation)


@calls.get("/credentials/{credential}/rotations", Permission.CREDENTIAL_VIEW)
def list_rotations(request: ApiRequest, credential: str, page: Query[Paging]) -> Page[RotationShown]:
    """List the rotations of a credential, the newest first."""
    found = _credential(request, credential, Permission.CREDENTIAL_VIEW)
    rows = found.rotations.select_related("credential")
    return cut(request, rows, page, by=["-started_at"], shape=RotationShown.of)


@calls.get("/credentials/{credential}/rotations/{rotation}", Permission.CREDENTIAL_VIEW)
def get_rotation(request: ApiRequest, credential: str, rotation: uuid.UUID) -> RotationWhole:
    """Show one rotation, and how far each cluster is."""
    return _whole(request, _find(request, credential, rotation, Permission.CREDENTIAL_VIEW))


@calls.post("/credentials/{credential}/rotations", Permission.CREDENTIAL_MANAGE)
@sensitive_variables()
def begin_rotation(request: ApiRequest, credential: str, sent: RotationSent) -> RotationWhole:
    """Begin a rotation: a new key is tried and stored, or Keyhaven makes one, which takes some seconds."""
    found = _credential(request, credential, Permission.CREDENTIAL_MANAGE)
    try:
        with problems.turning(FAILURES):
            begun = (
                making.ask(credential=found, by=request.user) if sent.make else _entered(request, found, sent)
            )
    except ProviderError as error:
        raise problems.Problem(422, f"{error.reason} {error.remedy}") from None
    return _whole(request, begun)


@sensitive_variables()
def _entered(request: ApiRequest, credential: CloudCredential, sent: RotationSent) -> Rotation:
    method = services.method_of(credential)
    if method is None or services.why_not(credential):
        raise services.CannotBe(services.why_not(credential))
    extra = {"other_identity": "on"} if sent.other_identity else {}
    extra |= {"ends_on": sent.ends_on.isoformat()} if sent.ends_on else {}
    form = forms.values_form(method, credential, sent.values | extra, {})
    unknown = sorted(set(sent.values) - set(form.secret_names()))
    if unknown:
        raise problems.invalid_fields(
            {f"values.{name}": "There is no such secret field." for name in unknown}
        )
    problems.checked(form)
    return services.begin(
        credential=credential,
        secret=form.secret({}),
        given=form.given(),
        by=request.user,
        other_identity=sent.other_identity,
        until=forms.until(form),
    )


@calls.post("/credentials/{credential}/rotations/{rotation}/deploys", Permission.CREDENTIAL_VIEW, status=200)
def deploy_rotation(
    request: ApiRequest, credential: str, rotation: uuid.UUID, sent: DeploysSent
) -> RotationWhole:
    """Ask for the deploys that bring the new key, of clusters that wait for it and where the token has deploy:run."""
    found = _find(request, credential, rotation, Permission.CREDENTIAL_VIEW)
    asked = moving.deploy(
        rotation=found,
        by=request.user,
        may=lambda name: request.allows(Permission.DEPLOY_RUN, cluster=name),
        names=sent.clusters or None,
    )
    refused = [
        f"{state.name}: the token may not deploy it."
        for state, may in showing.see(found, request.allows).shown
        if not may and state.word != "moved" and (not sent.clusters or state.name in sent.clusters)
    ]
    return _whole(request, found, problems=asked.problems + refused)


@calls.post("/credentials/{credential}/rotations/{rotation}/retire", Permission.CREDENTIAL_MANAGE, status=200)
def retire_rotated_key(
    request: ApiRequest, credential: str, rotation: uuid.UUID, sent: RetireSent
) -> RotationWhole:
    """Ask for the old key's last use, disable it, enable it, delete it, or say that it was removed."""
    found, by = _find(request, credential, rotation), request.user
    acts: dict[str, Callable[[], object]] = {
        "ask": lambda: retiring.ask(found),
        "disable": lambda: retiring.disable(rotation=found, by=by),
        "enable": lambda: retiring.enable(rotation=found, by=by),
        "delete": lambda: retiring.delete(rotation=found, by=by, override=sent.override),
        "removed": lambda: retiring.by_hand(rotation=found, by=by),
    }
    try:
        with problems.turning(FAILURES):
            acts[sent.act]()
    except ProviderError as error:
        raise problems.Problem(422, f"{error.reason} {error.remedy}") from None
    return _whole(request, found)


@calls.post(
    "/credentials/{credential}/rotations/{rotation}/take-back", Permission.CREDENTIAL_MANAGE, status=200
)
def take_rotation_back(request: ApiRequest, credential: str, rotation: uuid.UUID) -> RotationWhole:
    """Store the old values again. Where clusters had moved, the answer is the rotation that brings them back."""
    found = _find(request, credential, rotation)
    try:
        with problems.turning(FAILURES):
            on = undoing.take_back(rotation=found, by=request.user)
    except ProviderError as error:
        raise problems.Problem(422, f"{error.reason} {error.remedy}") from None
    return _whole(request, on)
