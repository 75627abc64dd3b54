"""The API's calls on roles: the built-in ones, and the organization's own."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Self
from uuid import UUID

from django.shortcuts import get_object_or_404
from ninja import Query
from pydantic import Field

from accounts import delegation
from accounts.custom_roles import rules, services
from accounts.organizations.models import CustomRole
from accounts.roles import CONSEQUENCES, PERMISSIONS, Permission, Role, in_order
from config.api import problems
from config.api.calls import ApiRequest, Calls, Sent, Shown
from config.api.paging import Page, Paging, cut

calls = Calls("Roles")
FAILURES: dict[type[Exception], int] = {
    services.NameTaken: 409,
    services.Changed: 409,
    delegation.MoreThanHeld: 422,
}


class RoleName(Shown):
    """A role that somebody has. A built-in one's id is its word, a custom one's a UUID."""

    id: str = Field(examples=["viewer"])
    name: str


class BuiltInRole(RoleName):
    """A role that every organization has."""

    description: str
    permissions: list[str]


class BuiltInRoles(Shown):
    """The built-in roles, strongest first."""

    items: list[BuiltInRole]


class RoleShown(Shown):
    """A custom role. Of clusters, namespaces and beginnings of secrets' names, no entry means all."""

    id: UUID
    name: str
    description: str
    permissions: list[str]
    clusters: list[str]
    namespaces: list[str]
    prefixes: list[str]
    version: int = Field(description="Goes up with each change; send it with the next one.")

    @classmethod
    def of(cls, role: CustomRole) -> Self:
        return cls.model_validate(role)


class RoleSent(Sent):
    """A custom role as it is to be."""

    name: str = Field(max_length=40)
    description: str = Field("", max_length=200)
    permissions: list[Permission] = Field(max_length=50)
    clusters: list[str] = Field([], max_length=rules.MOST, description="Names; `*` stands for anything.")
    namespaces: list[str] = Field([], max_length=rules.MOST, description="Names; `*` stands for anything.")
    prefixes: list[str] = Field([], max_length=rules.MOST, description="Beginnings of secrets' names.")

    def wanted(self) -> rules.Wanted:
        return rules.Wanted(
            name=" ".join(self.name.split()),
            description=" ".join(self.description.split()),
            permissions=rules.complete(self.permissions),
            clusters=tuple(dict.fromkeys(self.clusters)),
            namespaces=tuple(dict.fromkeys(self.namespaces)),
            prefixes=tuple(dict.fromkeys(self.prefixes)),
        )


class RoleChange(RoleSent):
    """A custom role as it is to be, and which version of it is replaced."""

    version: int = Field(ge=1, le=2**31 - 1)


def named(roles: Iterable[str], custom_roles: Iterable[CustomRole]) -> list[RoleName]:
    """Return roles of both kinds by id and name, strongest first."""
    built_in = [RoleName(id=role.value, name=str(role.label)) for role in in_order(roles)]
    return [*built_in, *(RoleName(id=str(role.pk), name=role.name) for role in custom_roles)]


def _find(request: ApiRequest, role: UUID) -> CustomRole:
    return get_object_or_404(CustomRole.objects.owned_by(request.organization), pk=role)


@calls.get("/built-in-roles", Permission.MEMBER_VIEW)
def list_built_in_roles(request: ApiRequest) -> BuiltInRoles:
    """List the roles that every organization has, and what each allows."""
    return BuiltInRoles(
        items=[
            BuiltInRole(
                id=role.value,
                name=str(role.label),
                description=CONSEQUENCES[role],
                permissions=[one.value for one in Permission if one in PERMISSIONS[role]],
            )
            for role in Role
        ]
    )


@calls.get("/roles", Permission.MEMBER_VIEW)
def list_roles(request: ApiRequest, page: Query[Paging]) -> Page[RoleShown]:
    """List the organization's own roles, by name."""
    owned = CustomRole.objects.owned_by(request.organization)
    return cut(request, owned, page, by=["name"], shape=RoleShown.of)


@calls.get("/roles/{role}", Permission.MEMBER_VIEW)
def get_role(request: ApiRequest, role: UUID) -> RoleShown:
    """Show one of the organization's own roles."""
    return RoleShown.of(_find(request, role))


@calls.post("/roles", Permission.ROLE_MANAGE)
def create_role(request: ApiRequest, sent: RoleSent) -> RoleShown:
    """Make a role. It allows no more than the calling token."""
    with problems.turning(FAILURES), _by_field():
        role = services.create(
            organization=request.organization,
            wanted=sent.wanted(),
            by=request.user,
            authority=request.authority,
        )
    return RoleShown.of(role)


@calls.put("/roles/{role}", Permission.ROLE_MANAGE)
def change_role(request: ApiRequest, role: UUID, sent: RoleChange) -> RoleShown:
    """Replace a role, for everybody who has it from their next request on."""
    found = _find(request, role)
    with problems.turning(FAILURES), _by_field():
        services.change(
            role=found,
            wanted=sent.wanted(),
            seen_version=sent.version,
            by=request.user,
            authority=request.authority,
        )
    return RoleShown.of(_find(request, role))


@calls.delete("/roles/{role}", Permission.ROLE_MANAGE)
def delete_role(request: ApiRequest, role: UUID) -> None:
    """Delete a role, and take it from everybody who has it."""
    with problems.turning(FAILURES):
        services.delete(role=_find(request, role), by=request.user, authority=request.authority)


@contextlib.contextmanager
def _by_field() -> Iterator[None]:
    try:
        yield
    except services.Invalid as error:
        raise problems.invalid_fields(error.problems) from error
