"""The API's calls on the organization itself."""

from datetime import datetime

from pydantic import Field

from accounts.organizations import forms, services
from accounts.organizations.models import Organization
from accounts.roles import Permission
from config.api import problems
from config.api.calls import ApiRequest, Calls, Sent, Shown

calls = Calls("Organization")


class OrganizationShown(Shown):
    """An organization."""

    name: str
    slug: str = Field(description="Its part of the URLs.")
    second_factor_required: bool
    sso_required: bool
    created_at: datetime


class OrganizationChange(Sent):
    """What of an organization is to change; what is left out stays."""

    name: str | None = None
    slug: str | None = Field(None, description="The old address leads nowhere from then on, also in the API.")


@calls.get("", Permission.ORGANIZATION_VIEW)
def get_organization(request: ApiRequest) -> OrganizationShown:
    """Show the organization that the token is of."""
    return OrganizationShown.model_validate(request.organization)


@calls.patch("", Permission.ORGANIZATION_MANAGE)
def change_organization(request: ApiRequest, sent: OrganizationChange) -> OrganizationShown:
    """Give the organization another name or address."""
    given = {name: value for name, value in sent.model_dump().items() if value is not None}
    cleaned = problems.checked(forms.OrganizationForm(forms.named(request.organization) | given))
    with problems.turning({services.SlugTaken: 409}):
        services.rename(
            organization=request.organization, name=cleaned["name"], slug=cleaned["slug"], by=request.user
        )
    return OrganizationShown.model_validate(Organization.objects.get(pk=request.organization.pk))
