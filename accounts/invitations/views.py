"""Inviting people: the form, the link that is shown once, sending again, revoking."""

import uuid

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from accounts import delegation
from accounts.access import OrgRequest, org_view
from accounts.invitations import forms, mailing, services
from accounts.invitations.models import Invitation
from accounts.members import services as members
from accounts.roles import Permission
from config import pages


def _team(request: OrgRequest) -> str:
    return reverse("accounts:team", kwargs={"org": request.organization.slug})


@org_view(Permission.MEMBER_MANAGE, methods=("GET", "POST"), dangerous=True)
def invite(request: OrgRequest) -> HttpResponse:
    """Invite somebody, by e-mail or by a link."""
    data = request.POST if request.method == "POST" else None
    form = forms.InviteForm(request.organization, request.authority, data)
    if form.is_valid():
        chosen = form.cleaned_data["roles"]
        try:
            made = services.invite(
                organization=request.organization,
                email=form.cleaned_data["email"],
                roles=chosen.roles,
                custom_roles=chosen.custom_roles,
                days=form.cleaned_data["days"],
                by=request.user,
                authority=request.authority,
            )
        except services.NotPossible as error:
            form.add_error("email", str(error))
        except (members.NoRole, delegation.MoreThanHeld) as error:
            form.add_error("roles", str(error))
        else:
            return _made(request, made)
    status = 422 if form.is_bound else 200
    return pages.render_page(request, "accounts/invite.html", {"form": form}, status=status)


def _made(request: OrgRequest, made: services.Made) -> HttpResponse:
    """Send the mail; show the link, this once, when there is no mail or it could not be sent."""
    if made.invitation.email and mailing.send(made):
        pages.toast(request, f"The invitation is on its way to {made.invitation.email}.")
        return pages.go_to(request, _team(request))
    context = {"invitation": made.invitation, "link": mailing.link(made)}
    return pages.render_page(request, "accounts/invitation_made.html", context)


def _find(request: OrgRequest, invitation: uuid.UUID) -> Invitation:
    owned = Invitation.objects.owned_by(request.organization).select_related("organization")
    return get_object_or_404(owned, pk=invitation)


@org_view(Permission.MEMBER_MANAGE, methods=("POST",), dangerous=True)
def resend(request: OrgRequest, invitation: uuid.UUID) -> HttpResponse:
    """Make another link and send it; the old one is dead."""
    found = _find(request, invitation)
    try:
        made = services.resend(invitation=found, by=request.user, authority=request.authority)
    except services.Gone:
        return _too_late(request)
    except (services.NotPossible, delegation.MoreThanHeld) as error:
        return _refused(request, found, str(error))
    return _made(request, made)


@org_view(Permission.MEMBER_MANAGE, methods=("POST",))
def revoke(request: OrgRequest, invitation: uuid.UUID) -> HttpResponse:
    """Let nobody in by an invitation any more."""
    found = _find(request, invitation)
    try:
        services.revoke(invitation=found, by=request.user, authority=request.authority)
    except services.Gone:
        return _too_late(request)
    except delegation.MoreThanHeld as error:
        return _refused(request, found, str(error))
    pages.toast(request, f"The invitation of {found} is revoked.")
    return pages.go_to(request, _team(request))


def _too_late(request: OrgRequest) -> HttpResponse:
    pages.toast(request, "That invitation was accepted or revoked meanwhile.")
    return pages.go_to(request, _team(request))


def _refused(request: OrgRequest, invitation: Invitation, why: str) -> HttpResponse:
    context = {"invitation": invitation, "why": why}
    return pages.render_page(request, "accounts/invitation_refused.html", context, status=422)
