"""The invitation."""

import uuid
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from accounts.authority import Grant, built_in
from accounts.organizations.models import CustomRole, Organization, User
from accounts.roles import Role, in_order


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def owned_by(self, organization: Organization) -> Self:
        return self.filter(organization=organization)

    def pending(self) -> Self:
        """Keep what was neither accepted nor revoked, also if it has expired."""
        return self.filter(accepted_at=None, revoked_at=None)

    def open(self) -> Self:
        """Keep what can still be accepted."""
        return self.pending().filter(expires_at__gt=timezone.now())


class Invitation(models.Model):
    """A way into an organization, once, for whoever holds the link; of its token only a hash is kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="invitations")
    # Whom it is for; blank for a link that is handed over by other means.
    email = models.EmailField(blank=True)
    roles = ArrayField(models.CharField(max_length=16, choices=Role), default=list, blank=True)
    custom_roles = models.ManyToManyField(CustomRole, related_name="invitations", blank=True)
    digest = models.CharField(max_length=64, unique=True)
    # Who asked: by name, and as long as there is such a person, by the person.
    invited_by = models.CharField(max_length=160)
    inviter = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    # How long a link is good, from each time that it is sent.
    days = models.PositiveSmallIntegerField(default=7)
    created_at = models.DateTimeField(auto_now_add=True)
    # When the link went out by mail; whoever has it then has shown that the address is theirs.
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

    @property
    def grants(self) -> list[Grant]:
        """What accepting it gives."""
        return [
            *(built_in(role) for role in in_order(self.roles)),
            *(r.grant for r in self.custom_roles.all()),
        ]

    @property
    def role_list(self) -> list[str]:
        """Each role in words, strongest first."""
        return [grant.role for grant in self.grants]

    @property
    def expired(self) -> bool:
        return self.expires_at <= timezone.now()

    def revoke(self) -> None:
        """Let nobody in by it any more."""
        self.revoked_at = timezone.now()
        self.save(update_fields=["revoked_at"])
