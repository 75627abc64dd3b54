"""The invitation."""

import uuid
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from accounts.organizations.models import CustomRole, Organization
from accounts.roles import Role


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def owned_by(self, organization: Organization) -> Self:
        return self.filter(organization=organization)

    def open(self) -> Self:
        """Keep what can still be accepted."""
        return self.filter(accepted_at=None, revoked_at=None, expires_at__gt=timezone.now())


class Invitation(models.Model):
    """A way into an organization, once, for whoever holds the link; of its token only a hash is kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="invitations")
    # Whom it is for; blank for a link that is handed over by other means.
    email = models.EmailField(blank=True)
    roles = ArrayField(models.CharField(max_length=16, choices=Role), default=list, blank=True)
    custom_roles = models.ManyToManyField(CustomRole, related_name="invitations", blank=True)
    digest = models.CharField(max_length=64, unique=True)
    invited_by = models.CharField(max_length=160)
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    accepted_by = models.CharField(max_length=160, blank=True)
    revoked_at = models.DateTimeField(null=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.email or f"link {self.id.hex[:8]}"
