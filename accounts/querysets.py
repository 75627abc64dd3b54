"""The queryset that every model of an organization has."""

from typing import Any, ClassVar, Self

from django.db import models

from accounts.authority import Authority, Paths
from accounts.organizations.models import Organization
from accounts.roles import Permission


class OwnedQuerySet[M: models.Model](models.QuerySet[M]):
    """Rows that belong to an organization. Views start every query with `within`."""

    # The lookup from this model to its organization.
    owner_path: ClassVar[str] = "organization"
    # Those to what roles are limited by.
    paths: ClassVar[Paths] = Paths()

    def owned_by(self, organization: Organization) -> Self:
        """Keep the rows of one organization."""
        return self.filter(**{self.owner_path: organization})

    def within(self, organization: Organization, authority: Authority, permission: Permission) -> Self:
        """Keep the rows of one organization on which somebody may do something."""
        return self.owned_by(organization).inside(authority, permission)

    def inside(self, authority: Authority, permission: Permission) -> Self:
        """Keep the rows on which somebody may do something, of rows that are the organization's already."""
        return self.filter(authority.limit(permission, self.paths))

    def update(self, **values: Any) -> int:
        """Update rows; fields that are encrypted to their row can only be written by `save()`."""
        for name in values:
            if getattr(self.model._meta.get_field(name), "bound_to_row", False):
                raise TypeError(f"{self.model.__name__}.{name} is bound to its row; use save().")
        return super().update(**values)
