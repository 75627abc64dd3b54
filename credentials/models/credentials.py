"""Cloud credentials: the identities that the console itself uses to reach a cloud account."""

import datetime
import uuid
from typing import Any

from django.db import models
from django.utils import timezone

from accounts.encryption import EncryptedJSONField
from accounts.models import Organization, OwnedQuerySet
from accounts.naming import name_rule

# A credential that is older, and that nothing uses, is better deleted.
OLD = datetime.timedelta(days=90)
# One that ends within so many days is marked, and within so few in red.
SOON, VERY_SOON = datetime.timedelta(days=30), datetime.timedelta(days=7)
# What relates to a credential because it uses it.
USES = ("clusters", "accesses", "identities")


class CloudCredentialQuerySet(OwnedQuerySet["CloudCredential"]):
    """Credentials belong to the organization alone: no role is limited to some of them."""


class CloudCredential(models.Model):
    """An identity in one cloud account. `facts` is what may be shown of it, `secret` is what signs requests.

    Both are what the cloud's method makes of them (`credentials/clouds`); without a key, `secret` is empty.
    """

    class Cloud(models.TextChoices):
        AWS = "aws", "AWS"
        GCP = "gcp", "Google Cloud"
        AZURE = "azure", "Azure"
        SCALEWAY = "scaleway", "Scaleway"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="cloud_credentials")
    name = models.CharField(max_length=40, validators=[name_rule])
    cloud = models.CharField(max_length=8, choices=Cloud)
    method = models.CharField(max_length=24)
    facts = models.JSONField(default=dict)
    secret = EncryptedJSONField()
    set_at = models.DateTimeField()
    set_by = models.CharField(max_length=160)
    # When what it signs in with was made, as its cloud says, and when it ends; as its cloud says, or a person did.
    made_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    # After so many days its keys are due to be replaced; None is never, as it is for those without keys.
    rotate_days = models.PositiveIntegerField(null=True)
    # When the console signed in with it last; told to the minute. What the operators in clusters do is not in it.
    used_at = models.DateTimeField(null=True)
    # The last check: when, and what went wrong.
    checked_at = models.DateTimeField(null=True)
    check_error = models.CharField(max_length=300, blank=True)
    check_remedy = models.CharField(max_length=300, blank=True)
    version = models.PositiveIntegerField(default=1)
    created_by = models.CharField(max_length=160)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = CloudCredentialQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "name"], name="cloud_credential_name_is_unique_in_organization"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def account(self) -> str:
        """What it belongs to: an AWS account, a project of Google or Scaleway, an Azure subscription."""
        names = ("account", "subscription", "project")
        return str(next((self.facts[name] for name in names if self.facts.get(name)), ""))

    @property
    def account_label(self) -> str:
        """What its cloud calls what it belongs to."""
        return {"gcp": "Project", "azure": "Subscription", "scaleway": "Project"}.get(self.cloud, "Account")

    @property
    def identity(self) -> str:
        """Whose credential it is: an ARN, an e-mail address, a client, an access key or a principal."""
        names = ("arn", "email", "client", "key_id", "principal")
        return str(next((self.facts[name] for name in names if self.facts.get(name)), ""))

    @property
    def born(self) -> datetime.datetime:
        """When its key was made, or else when it was entered here."""
        return self.made_at or self.set_at

    @property
    def rotation(self) -> Any:
        """The rotation of it that is open (clusters/models/rotations.py), or None."""
        return self.rotations.exclude(status__in=("done", "undone")).first()

    @property
    def is_old(self) -> bool:
        return self.born < timezone.now() - OLD

    @property
    def ending(self) -> dict[str, str]:
        """When it ends in words, and the badge of those that end soon: amber a month before, red a week before."""
        if self.expires_at is None:
            return {"text": "", "tone": ""}
        left = self.expires_at - timezone.now()
        days = -(-left // datetime.timedelta(days=1))
        if left <= datetime.timedelta(0):
            return {"text": "Ended", "tone": "ended"}
        text = "Ends within a day" if days <= 1 else f"Ends in {days} days"
        return {"text": text, "tone": "ended" if left < VERY_SOON else "ending" if left < SOON else ""}

    @property
    def rotate_at(self) -> datetime.datetime | None:
        """When its keys are due to be replaced, by their age or because they end; None is never."""
        due = self.born + datetime.timedelta(days=self.rotate_days) if self.rotate_days else None
        return min((at for at in (due, self.expires_at) if at is not None), default=None)
