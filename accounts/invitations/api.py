"""The API's calls on invitations."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.views.decorators.debug import sensitive_variables
from ninja import Query
from pydantic import Field

from accounts import delegation
from accounts.custom_roles.api import RoleName, named
from accounts.invitations import mailing, services
from accounts.invitations.forms import InviteForm
from accounts.invitations.models import Invitation
from accounts.members.services import NoRole
from accounts.roles import Permission
from config.api import problems
from config.api.calls import ApiRequest, Calls, Sent, Shown
from config.api.paging import Page, Paging, cut

calls = Calls("Invitations")
FAILURES: dict[type[Exception], int] = {
    services.NotPossible: 409,
    services.Gone: 409,
    NoRole: 422,
    delegation.MoreThanHeld: 422,
}


class InvitationShown(Shown):
    """An invitation that waits for an answer, perhaps for too long."""

    id: UUID
    email: str = Field(description="Empty where whoever has the link may come in.")
    roles: list[RoleName]
    invited_by: str
    created_at: datetime
    sent_at: datetime | None
    expires_at: datetime
    expired: bool

    @classmethod
    def of(cls, invitation: Invitation) -> Self:
        return cls.model_validate(_facts(invitation))


class InvitationMade(InvitationShown):
    """A new invitation."""

    link: str | None = Field(
        description="What lets its holder in, once; it is in this answer alone. Null where it was sent by e-mail."
    )


class InvitationSent(Sent):
    """Whom to invite, with which roles, for how long."""

    email: str = Field("", description="Left out for a link that you hand over.")
    roles: list[str] = Field(
        max_length=100,
        description="Built-in roles by their word, custom ones by their id.",
        examples=[["viewer"]],
    )
    days: Literal[1, 7, 30] = 7


def _facts(invitation: Invitation) -> dict[str, object]:
    names = [name for name in InvitationShown.model_fields if name != "roles"]
    roles = named(invitation.roles, invitation.custom_roles.all())
    return {name: getattr(invitation, name) for name in names} | {"roles": roles}


@calls.get("/invitations", Permission.MEMBER_MANAGE)
def list_invitations(request: ApiRequest, page: Query[Paging]) -> Page[InvitationShown]:
    """List the invitations that were neither accepted nor revoked, the newest first."""
    rows = Invitation.objects.owned_by(request.organization).pending().prefetch_related("custom_roles")
    return cut(request, rows, page, by=["-created_at"], shape=InvitationShown.of)


@calls.post("/invitations", Permission.MEMBER_MANAGE, keep=False)
@sensitive_variables()
def create_invitation(request: ApiRequest, sent: InvitationSent) -> InvitationMade:
    """Invite somebody, by e-mail or by a link that you hand over.

    The calling token must hold what the roles allow. Where the mail could not be sent, the answer has the link.
    """
    data = sent.model_dump() | {"how": "email" if sent.email else "link", "days": str(sent.days)}
    cleaned = problems.checked(InviteForm(request.organization, request.authority, data))
    with problems.turning(FAILURES):
        made = services.invite(
            organization=request.organization,
            email=cleaned["email"],
            roles=cleaned["roles"].roles,
            custom_roles=cleaned["roles"].custom_roles,
            days=cleaned["days"],
            by=request.user,
            authority=request.authority,
        )
    sent_by_mail = bool(made.invitation.email) and mailing.send(made)
    link = None if sent_by_mail else mailing.link(made)
    return InvitationMade.model_validate(_facts(made.invitation) | {"link": link})


@calls.delete("/invitations/{invitation}", Permission.MEMBER_MANAGE)
def revoke_invitation(request: ApiRequest, invitation: UUID) -> None:
    """Let nobody in by an invitation any more."""
    owned = Invitation.objects.owned_by(request.organization).select_related("organization")
    found = get_object_or_404(owned, pk=invitation)
    with problems.turning(FAILURES):
        services.revoke(invitation=found, by=request.user, authority=request.authority)
