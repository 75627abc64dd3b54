"""The API's calls on destinations: where audit events are forwarded to, and what people are told there."""

from typing import Any
from uuid import UUID

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.views.decorators.debug import sensitive_variables
from ninja import Query

from accounts import access
from accounts.outgoing import forms, kinds, services, views
from accounts.outgoing.api_shapes import (
    DeliveryShown,
    DestinationChange,
    DestinationMade,
    DestinationSent,
    DestinationShown,
    ReplaySent,
    SecretMade,
)
from accounts.outgoing.models import Delivery, Destination
from accounts.roles import Permission
from config.api import problems
from config.api.calls import ApiRequest, Calls
from config.api.paging import Page, Paging, cut

calls = Calls("Destinations")
FAILURES: dict[type[Exception], int] = {services.NameTaken: 409, services.CannotBe: 409}
LARGEST = 9_223_372_036_854_775_807


def _find(request: ApiRequest, destination: UUID, *, touch: bool = False) -> Destination:
    return views.find(request, destination, touch=touch)


@sensitive_variables()
def _form(
    request: ApiRequest, kind: str, found: Destination | None, data: dict[str, Any], sent: dict[str, str]
) -> forms.DestinationForm:
    """Return the page's own form, checked.

    :raises problems.Problem: a setting is unknown, or something is not valid
    :raises Refused: the log is asked for without the right to forward it
    """
    made = kinds.FORMS[kind]
    wants_log = data.get("what") == "log" or bool(data.get("more"))
    if wants_log and not made.TAKES_THE_LOG:
        raise problems.invalid("log", "This kind takes topics only.")
    if wants_log:
        access.require(request, Permission.AUDIT_MANAGE)
    may_forward = request.allows(Permission.AUDIT_MANAGE)
    own = set(made.base_fields) - {"name"}
    if unknown := sorted(set(sent) - own):
        raise problems.invalid_fields(
            {f"settings.{name}"[:200]: "There is no such field." for name in unknown}
        )
    form = made(request.organization, found, may_forward=may_forward, data=data | sent)
    try:
        problems.checked(form)
    except problems.Problem as problem:
        for error in problem.errors:
            named = {"more": "actions", "what": "log"} | {name: f"settings.{name}" for name in own}
            error.field = named.get(error.field, error.field)
        raise
    return form


def _choice(log: bool, slugs: list[str], actions: list[str]) -> dict[str, Any]:
    return {
        "what": "log" if log else "topics",
        "topics": [] if log else slugs,
        "more": "" if log else ", ".join(actions),
    }


@calls.get("/destinations", Permission.NOTIFICATION_MANAGE)
def list_destinations(request: ApiRequest, page: Query[Paging]) -> Page[DestinationShown]:
    """List the organization's destinations, by name."""
    owned = Destination.objects.owned_by(request.organization)
    rows = owned.defer("address", "secret", "former_secret")
    return cut(request, rows, page, by=["name"], shape=DestinationShown.of)


@calls.get("/destinations/{destination}", Permission.NOTIFICATION_MANAGE)
def get_destination(request: ApiRequest, destination: UUID) -> DestinationShown:
    """Show one destination and how it is."""
    return DestinationShown.of(_find(request, destination))


@calls.post("/destinations", Permission.NOTIFICATION_MANAGE, keep=False)
@sensitive_variables()
def create_destination(request: ApiRequest, sent: DestinationSent) -> DestinationMade:
    """Make a destination. A webhook's secret is in the answer, this once. The log takes the right to forward it."""
    data = {"name": sent.name, **_choice(sent.log, sent.topics, sent.actions)}
    data |= {"whole": "on"} if sent.whole else {}
    form = _form(request, sent.kind, None, data, sent.settings)
    with problems.turning(FAILURES):
        made = services.create(
            organization=request.organization,
            kind=sent.kind,
            whole=form.cleaned_data.get("whole", False),
            by=request.user,
            **form.wishes(),
        )
    secret = str(made.secret) if sent.kind == "webhook" else None
    return DestinationMade.model_validate(DestinationShown.facts(made) | {"secret": secret})


@calls.patch("/destinations/{destination}", Permission.NOTIFICATION_MANAGE)
@sensitive_variables()
def change_destination(request: ApiRequest, destination: UUID, sent: DestinationChange) -> DestinationShown:
    """Change a destination; an address and a secret that are left out stay."""
    found = _find(request, destination, touch=True)
    own = kinds.FORMS[found.kind]
    now = own(request.organization, found, may_forward=request.allows(Permission.AUDIT_MANAGE)).initial
    data = {name: value for name, value in now.items() if value is not None}
    data |= {"name": sent.name} if sent.name is not None else {}
    if {"log", "topics", "actions"} & sent.model_fields_set:
        data |= _choice(bool(sent.log), sent.topics or [], sent.actions or [])
    form = _form(request, found.kind, found, data, sent.settings)
    with problems.turning(FAILURES):
        services.change(
            destination=found,
            by=request.user,
            **form.wishes(),
        )
    return DestinationShown.of(_find(request, destination))


@calls.delete("/destinations/{destination}", Permission.NOTIFICATION_MANAGE)
def delete_destination(request: ApiRequest, destination: UUID) -> None:
    """Delete a destination and its log of deliveries."""
    services.delete(destination=_find(request, destination, touch=True), by=request.user)


@calls.post("/destinations/{destination}/test", Permission.NOTIFICATION_MANAGE, status=200)
def test_destination(request: ApiRequest, destination: UUID) -> DeliveryShown:
    """Send a test event now; what came of it is in the answer."""
    found = _find(request, destination, touch=True)
    return DeliveryShown.of(services.test(destination=found, by=request.user))


@calls.post("/destinations/{destination}/pause", Permission.NOTIFICATION_MANAGE, status=200)
def pause_destination(request: ApiRequest, destination: UUID) -> DestinationShown:
    """Send nothing until it is resumed; nothing is lost meanwhile as long as the log keeps it."""
    services.pause(destination=_find(request, destination, touch=True), by=request.user)
    return DestinationShown.of(_find(request, destination))


@calls.post("/destinations/{destination}/resume", Permission.NOTIFICATION_MANAGE, status=200)
def resume_destination(request: ApiRequest, destination: UUID) -> DestinationShown:
    """Go on behind the last event that was accepted."""
    services.resume(destination=_find(request, destination, touch=True), by=request.user)
    return DestinationShown.of(_find(request, destination))


@calls.post("/destinations/{destination}/secret", Permission.NOTIFICATION_MANAGE, keep=False)
@sensitive_variables()
def change_destination_secret(request: ApiRequest, destination: UUID) -> SecretMade:
    """Give a webhook another secret, which is in the answer, this once."""
    found = _find(request, destination, touch=True)
    if found.kind != Destination.Kind.WEBHOOK:
        raise problems.Problem(409, "Only a webhook has a secret of ours.")
    return SecretMade(secret=services.change_secret(destination=found, by=request.user))


@calls.get("/destinations/{destination}/deliveries", Permission.NOTIFICATION_MANAGE)
def list_deliveries(request: ApiRequest, destination: UUID, page: Query[Paging]) -> Page[DeliveryShown]:
    """List the last tries to send something to a destination, the newest first."""
    rows = _find(request, destination).deliveries.all()
    return cut(request, rows, page, by=["-at"], shape=DeliveryShown.of)


@calls.post(
    "/destinations/{destination}/deliveries/{delivery}/send-again", Permission.NOTIFICATION_MANAGE, status=200
)
def send_delivery_again(request: ApiRequest, destination: UUID, delivery: int) -> DeliveryShown:
    """Send the events of one delivery once more, with the same ids."""
    found = _find(request, destination, touch=True)
    if not 0 < delivery <= LARGEST:
        raise Http404
    sent = get_object_or_404(found.deliveries.exclude(reason=Delivery.Reason.TEST), pk=delivery)
    sent.destination = found
    with problems.turning(FAILURES):
        return DeliveryShown.of(services.send_again(delivery=sent, by=request.user))


@calls.post("/destinations/{destination}/replay", Permission.NOTIFICATION_MANAGE, status=200)
def replay_destination(request: ApiRequest, destination: UUID, sent: ReplaySent) -> DestinationShown:
    """Send everything again from a time on."""
    found = _find(request, destination, touch=True)
    if sent.since.tzinfo is None:
        raise problems.invalid("since", "Say the time zone, for example 2026-11-21T22:00:00Z.")
    form = forms.ReplayForm({"since": sent.since})
    since = problems.checked(form)["since"]
    with problems.turning(FAILURES):
        services.replay(destination=found, since=since, by=request.user)
    return DestinationShown.of(_find(request, destination))
