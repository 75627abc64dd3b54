"""The API's calls on members: people, and the machines that act by the organization's tokens."""

from datetime import datetime
from typing import Self

from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404
from ninja import Query
from pydantic import Field

from accounts import delegation
from accounts.custom_roles.api import RoleName, named
from accounts.members import services
from accounts.members.forms import RolesForm
from accounts.organizations.models import Membership
from accounts.roles import Permission
from config.api import problems
from config.api.calls import ApiRequest, Calls, Sent, Shown
from config.api.paging import Page, Paging, cut

calls = Calls("Members")
FAILURES: dict[type[Exception], int] = {
    services.NoRole: 422,
    services.LastOwner: 409,
    delegation.MoreThanHeld: 422,
}


class MemberShown(Shown):
    """A person in the organization, or a machine."""

    id: int
    name: str
    email: str = Field(description="Empty for a machine.")
    machine: bool
    active: bool = Field(description="Whether the person may sign in, or the machine's token be used.")
    roles: list[RoleName]
    last_active_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, member: Membership) -> Self:
        user = member.user
        return cls(
            id=member.pk,
            name=user.name,
            email="" if user.is_machine else user.email,
            machine=user.is_machine,
            active=user.is_active,
            roles=named(member.roles, member.custom_roles.all()),
            last_active_at=member.last_active_at,
            created_at=member.created_at,
        )


class RolesSent(Sent):
    """The roles that a member is to have."""

    roles: list[str] = Field(
        max_length=100,
        description="Built-in roles by their word, custom ones by their id.",
        examples=[["viewer"]],
    )


def _members(request: ApiRequest) -> QuerySet[Membership]:
    owned = Membership.objects.owned_by(request.organization).select_related("user", "organization")
    return owned.prefetch_related("custom_roles")


def _find(request: ApiRequest, member: int) -> Membership:
    return get_object_or_404(_members(request), pk=member)


@calls.get("/members", Permission.MEMBER_VIEW)
def list_members(request: ApiRequest, page: Query[Paging], q: str = "") -> Page[MemberShown]:
    """List the members, by name; `q` keeps those whose name or address has a part."""
    rows = _members(request)
    if q:
        rows = rows.filter(Q(user__name__icontains=q) | Q(user__is_machine=False, user__email__icontains=q))
    return cut(request, rows, page, by=["user__name"], shape=MemberShown.of)


@calls.get("/members/{member}", Permission.MEMBER_VIEW)
def get_member(request: ApiRequest, member: int) -> MemberShown:
    """Show one member."""
    return MemberShown.of(_find(request, member))


@calls.put("/members/{member}/roles", Permission.MEMBER_MANAGE)
def change_member_roles(request: ApiRequest, member: int, sent: RolesSent) -> MemberShown:
    """Give a member other roles; they hold from the member's next request on.

    The calling token must hold what the member had, and what is given.
    """
    found = _find(request, member)
    form = RolesForm(sent.model_dump())
    form.fields["roles"].offer(request.organization, request.authority)  # type: ignore[attr-defined]
    chosen = problems.checked(form)["roles"]
    with problems.turning(FAILURES):
        services.change_roles(
            membership=found,
            roles=chosen.roles,
            custom_roles=chosen.custom_roles,
            by=request.user,
            authority=request.authority,
        )
    return MemberShown.of(_find(request, member))


@calls.delete("/members/{member}", Permission.MEMBER_MANAGE)
def remove_member(request: ApiRequest, member: int) -> None:
    """Take a member out, with their API tokens and the invitations they sent that are still open."""
    with problems.turning(FAILURES):
        services.remove(membership=_find(request, member), by=request.user, authority=request.authority)
