"""The pages of notifications: what I am told of, and the organization's destinations."""

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables

from accounts import access
from accounts.access import OrgRequest, org_view
from accounts.outgoing import forms, kinds, places, reading, services, topics
from accounts.outgoing.forms import DestinationForm
from accounts.outgoing.models import Delivery, Destination
from accounts.roles import Permission
from config import pages

MANAGE = Permission.NOTIFICATION_MANAGE
# Each kind's icon, and the line that says what it is for.
KINDS = {
    Destination.Kind.WEBHOOK: ("webhook", "Signed JSON by POST, for chat, on-call or anything of your own."),
    Destination.Kind.EMAIL: ("mail", "A mail to addresses, several events in one."),
    Destination.Kind.SYSLOG: ("scroll-text", "RFC 5424 over TLS, TCP or UDP, for a SIEM."),
    Destination.Kind.OTLP: ("telescope", "Log records for an OpenTelemetry collector."),
    Destination.Kind.FILE: ("file-text", "JSON lines on the console's own disk, for a log shipper."),
}


def url_of(request: OrgRequest, name: str, **arguments: Any) -> str:
    return reverse(f"accounts:{name}", kwargs={"org": request.organization.slug} | arguments)


def find(request: OrgRequest, destination: Any, *, touch: bool = False) -> Destination:
    """Return one of the organization's destinations; to `touch` one of the log takes the right to forward it.

    :raises Http404: there is none
    :raises Refused: the right is missing
    """
    owned = Destination.objects.owned_by(request.organization).select_related("organization", "membership")
    found: Destination = get_object_or_404(owned, pk=destination)
    if touch and topics.is_the_log(found.actions):
        access.require(request, Permission.AUDIT_MANAGE)
    return found


def _described(row: Destination) -> dict[str, Any]:
    held = topics.chosen(row.actions)
    left = sorted(set(row.actions) - set(topics.expand(held)))
    words = [topic.label for topic in topics.TOPICS if topic.slug in held] + left
    return {
        "row": row,
        "icon": KINDS[Destination.Kind(row.kind)][0],
        "what": words or ["The whole audit log"],
        "waiting": reading.waiting(row),
    }


@org_view(Permission.CLUSTER_VIEW, methods=("GET", "POST"))
def index(request: OrgRequest) -> HttpResponse:
    """Choose what I am told of; for those who may, list the organization's destinations and how they are."""
    offered = [topic for topic in topics.PERSONAL if request.allows(topic.permission)]
    mine = Destination.objects.filter(membership=request.membership).first()
    chosen = topics.chosen(mine.actions, topics.PERSONAL) if mine else []
    form = forms.PersonalForm(offered, chosen, request.POST if request.method == "POST" else None)
    if form.is_valid():
        services.choose(membership=request.membership, slugs=form.cleaned_data["topics"])
        pages.toast(request, "What you are told of is saved.")
        return pages.go_to(request, url_of(request, "notifications"))
    can_manage = request.allows(MANAGE)
    rows = Destination.objects.owned_by(request.organization) if can_manage else Destination.objects.none()
    hidden = ("address", "secret", "former_secret")
    context = {
        "form": form,
        "mine": mine,
        "can_manage": can_manage,
        "rows": [_described(row) for row in rows.select_related("organization").defer(*hidden)],
    }
    return pages.render_page(
        request, "accounts/notifications.html", context, status=422 if form.is_bound else 200
    )


@org_view(MANAGE, methods=("GET", "POST"), dangerous=True)
@sensitive_variables()
def new(request: OrgRequest) -> HttpResponse:
    """Choose a kind, then say where to; a webhook's secret is shown once, as the answer."""
    kind = request.GET.get("kind", "")
    if kind not in kinds.FORMS:
        offered = [(slug, slug.label, *about) for slug, about in KINDS.items()]
        context: dict[str, Any] = {"kinds": offered, "files": settings.AUDIT_FILES_DIR}
        return pages.render_page(request, "accounts/notification_kinds.html", context)
    form = _form(request, kind, None)
    if form.is_valid():
        made = _made(request, kind, form)
        if made is not None:
            pages.toast(request, f"{made.name} is there. Send a test to see whether it arrives.")
            if kind == Destination.Kind.WEBHOOK:
                return _once(request, made, str(made.secret))
            return pages.go_to(request, url_of(request, "notification", destination=made.pk))
    context = {"form": form, "kind": Destination.Kind(kind), "about": KINDS[Destination.Kind(kind)][1]}
    return pages.render_page(
        request, "accounts/notification_form.html", context, status=422 if form.is_bound else 200
    )


def _form(request: OrgRequest, kind: str, destination: Destination | None) -> DestinationForm:
    data = request.POST if request.method == "POST" else None
    may_forward = request.allows(Permission.AUDIT_MANAGE)
    return kinds.FORMS[kind](request.organization, destination, may_forward=may_forward, data=data)


@sensitive_variables()
def _made(request: OrgRequest, kind: str, form: DestinationForm) -> Destination | None:
    try:
        return services.create(
            organization=request.organization,
            kind=kind,
            whole=form.cleaned_data.get("whole", False),
            by=request.user,
            **form.wishes(),
        )
    except services.NameTaken as error:
        form.add_error("name", str(error))
    return None


@sensitive_variables()
def _once(request: OrgRequest, destination: Destination, secret: str) -> HttpResponse:
    """Show a secret, in this answer alone."""
    context = {"destination": destination, "secret": secret}
    return pages.render_page(request, "accounts/notification_secret.html", context)


@org_view(MANAGE)
def detail(request: OrgRequest, destination: Any) -> HttpResponse:
    """Show how a destination is, and what was sent."""
    found = find(request, destination)
    return _page(request, found, forms.ReplayForm())


def _page(
    request: OrgRequest, destination: Destination, replay: forms.ReplayForm, status: int = 200
) -> HttpResponse:
    context = _described(destination) | {
        "destination": destination,
        "deliveries": destination.deliveries.all()[:50],
        "replay": replay,
        "can_touch": request.allows(Permission.AUDIT_MANAGE) or not topics.is_the_log(destination.actions),
    }
    return pages.render_page(request, "accounts/notification.html", context, status=status)


@org_view(MANAGE, methods=("GET", "POST"), dangerous=True)
@sensitive_variables()
def edit(request: OrgRequest, destination: Any) -> HttpResponse:
    """Change where to and what; an address or a token that is left blank stays."""
    found = find(request, destination, touch=True)
    form = _form(request, found.kind, found)
    if form.is_valid():
        try:
            differs = services.change(
                destination=found,
                by=request.user,
                **form.wishes(),
            )
        except services.NameTaken as error:
            form.add_error("name", str(error))
        else:
            pages.toast(request, f"{found.name} is changed." if differs else "Nothing differs.")
            return pages.go_to(request, url_of(request, "notification", destination=found.pk))
    context = {
        "form": form,
        "destination": found,
        "kind": Destination.Kind(found.kind),
        "stored": getattr(form, "STORED", ()) if places.is_sealed(found.kind) else (),
    }
    return pages.render_page(
        request, "accounts/notification_form.html", context, status=422 if form.is_bound else 200
    )


@org_view(MANAGE, methods=("GET", "POST"), dangerous=True)
def delete(request: OrgRequest, destination: Any) -> HttpResponse:
    """Delete a destination by typing its name."""
    found = find(request, destination, touch=True)
    form = forms.DeleteForm(found.name, request.POST if request.method == "POST" else None)
    if form.is_valid():
        services.delete(destination=found, by=request.user)
        pages.toast(request, f"{found.name} is deleted.")
        return pages.go_to(request, url_of(request, "notifications"))
    context = {"destination": found, "form": form}
    return pages.render_page(
        request, "accounts/notification_delete.html", context, status=422 if form.is_bound else 200
    )


@org_view(MANAGE, methods=("POST",))
def test(request: OrgRequest, destination: Any) -> HttpResponse:
    """Send a test event; the first line of the deliveries says what came of it."""
    found = find(request, destination, touch=True)
    services.test(destination=found, by=request.user)
    return _back(request, found)


def _back(request: OrgRequest, destination: Destination) -> HttpResponse:
    url = url_of(request, "notification", destination=destination.pk)
    return pages.go_to(request, f"{url}#deliveries-h")


@org_view(MANAGE, methods=("POST",))
def pause(request: OrgRequest, destination: Any) -> HttpResponse:
    """Pause a destination, or go on with it."""
    found = find(request, destination, touch=True)
    if request.POST.get("act") == "resume":
        services.resume(destination=found, by=request.user)
    else:
        services.pause(destination=found, by=request.user)
    return pages.go_to(request, url_of(request, "notification", destination=found.pk))


@org_view(MANAGE, methods=("POST",), dangerous=True)
@sensitive_variables()
def secret(request: OrgRequest, destination: Any) -> HttpResponse:
    """Give a webhook another secret and show it once."""
    found = find(request, destination, touch=True)
    if found.kind != Destination.Kind.WEBHOOK:
        return _back(request, found)
    return _once(request, found, services.change_secret(destination=found, by=request.user))


@org_view(MANAGE, methods=("POST",))
def replay(request: OrgRequest, destination: Any) -> HttpResponse:
    """Send everything again from a time on."""
    found = find(request, destination, touch=True)
    form = forms.ReplayForm(request.POST)
    if form.is_valid():
        try:
            services.replay(destination=found, since=form.cleaned_data["since"], by=request.user)
        except services.CannotBe as error:
            form.add_error("since", str(error))
        else:
            pages.toast(request, "It is sent again from then on.")
            return _back(request, found)
    return _page(request, found, form, status=422)


@org_view(MANAGE, methods=("POST",))
def send_again(request: OrgRequest, destination: Any, delivery: int) -> HttpResponse:
    """Send the events of one delivery once more."""
    found = find(request, destination, touch=True)
    sent: Delivery = get_object_or_404(found.deliveries.exclude(reason=Delivery.Reason.TEST), pk=delivery)
    sent.destination = found
    try:
        services.send_again(delivery=sent, by=request.user)
    except services.CannotBe as error:
        pages.toast(request, str(error))
    return _back(request, found)
