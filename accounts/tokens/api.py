"""The API's calls on API tokens. A personal token is made in the console alone, where a fresh proof is asked for."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.views.decorators.debug import sensitive_variables
from ninja import Query
from pydantic import Field

from accounts import delegation
from accounts.custom_roles.api import RoleName, named
from accounts.roles import Permission
from accounts.tokens import services
from accounts.tokens.forms import TokenForm
from accounts.tokens.models import ApiToken
from accounts.tokens.views import visible
from config.api import problems
from config.api.calls import ApiRequest, Calls, Sent, Shown
from config.api.paging import Page, Paging, cut

calls = Calls("API tokens")


class TokenShown(Shown):
    """An API token; its value is not kept."""

    id: UUID
    name: str
    kind: Literal["personal", "organization"]
    prefix: str = Field(description="What its value begins with.")
    state: Literal["active", "expired", "revoked"]
    roles: list[RoleName]
    expires_at: datetime | None
    last_used_at: datetime | None
    last_used_from: str
    created_at: datetime
    created_by: str
    revoked_at: datetime | None
    revoked_by: str

    @classmethod
    def of(cls, token: ApiToken) -> Self:
        return cls.model_validate(_facts(token))


class TokenMade(TokenShown):
    """A new API token with its value, which is shown this once."""

    value: str = Field(repr=False)


class TokenSent(Sent):
    """A token of the organization that is to be made."""

    name: str = Field(examples=["pipeline"])
    roles: list[str] = Field(
        max_length=50,
        description="Built-in roles by their word, custom ones by their id.",
        examples=[["viewer"]],
    )
    expires: Literal["7", "30", "90", "365", "never"] = Field("90", description="After how many days.")


def _facts(token: ApiToken) -> dict[str, object]:
    holder = token.membership if token.is_of_the_organization else token
    names = [name for name in TokenShown.model_fields if name not in ("kind", "roles")]
    return {name: getattr(token, name) for name in names} | {
        "kind": "organization" if token.is_of_the_organization else "personal",
        "roles": named(holder.roles, holder.custom_roles.all()),
    }


@calls.get("/tokens", Permission.ORGANIZATION_VIEW)
def list_tokens(request: ApiRequest, page: Query[Paging]) -> Page[TokenShown]:
    """List API tokens, the newest first: the caller's own, or all of them for who manages tokens."""
    return cut(request, visible(request), page, by=["-created_at"], shape=TokenShown.of)


@calls.post("/tokens", Permission.TOKEN_MANAGE, keep=False)
@sensitive_variables()
def create_token(request: ApiRequest, sent: TokenSent) -> TokenMade:
    """Make an API token of the organization.

    Its value is in this answer alone. It gets no role that the calling token does not hold itself.
    """
    form = TokenForm(
        sent.model_dump(), organization=request.organization, authority=request.authority, endless=True
    )
    problems.checked(form)
    with problems.turning({delegation.MoreThanHeld: 422}):
        made = services.create_for_organization(
            organization=request.organization, wish=form.wish, authority=request.authority, by=request.user
        )
    return TokenMade.model_validate(_facts(made.token) | {"value": made.value})


@calls.delete("/tokens/{token}", Permission.ORGANIZATION_VIEW)
def revoke_token(request: ApiRequest, token: UUID) -> None:
    """Revoke an API token: the calling one itself, or any for who manages tokens. Its next call is refused."""
    ending = visible(request)
    if request.token and not request.allows(Permission.TOKEN_MANAGE):
        # A token that leaked ends no other.
        ending = ending.filter(pk=request.token.pk)
    services.revoke(token=get_object_or_404(ending, pk=token), by=request.user)
