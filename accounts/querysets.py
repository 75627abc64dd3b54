"""The queryset that every model of an organization has."""

from typing import Any, ClassVar, Self

from django.db import models

from accounts.organizations.models import Organization


class OwnedQuerySet[M: models.Model](models.QuerySet[M]):
    """Rows that belong to an organization. Views start every query here."""

    # The lookup from this model to its organization.
    owner_path: ClassVar[str] = "organization"

    def owned_by(self, organization: Organization) -> Self:
        """Keep the rows of one organization."""
        return self.filter(**{self.owner_path: organization})

    def update(self, **values: Any) -> int:
        """Update rows; fields that are encrypted to their row can only be written by `save()`."""
        for name in values:
            if getattr(self.model._meta.get_field(name), "bound_to_row", False):
                raise TypeError(f"{self.model.__name__}.{name} is bound to its row; use save().")
        return super().update(**values)
