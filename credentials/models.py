"""Cloud credentials: the identities that the console itself uses to reach a cloud account."""

import datetime
import uuid
from typing import Any, Self

from django.db import models
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts.encryption import EncryptedJSONField
from accounts.models import Organization, OwnedQuerySet
from accounts.naming import name_rule

# A credential that is older, and that nothing uses, is better deleted.
OLD = datetime.timedelta(days=90)
# What relates to a credential because it uses it.
USES = ("clusters", "accesses", "identities")


def _count(name: str) -> Coalesce:
    """Count related rows in a query of their own: joined, each cluster would meet each access."""
    relation: Any = CloudCredential._meta.get_field(name)
    column = relation.field.name
    rows = relation.related_model.objects.filter(**{column: OuterRef("pk")}).order_by()
    return Coalesce(Subquery(rows.values(column).annotate(rows=Count("pk")).values("rows")), 0)


class CloudCredentialQuerySet(OwnedQuerySet["CloudCredential"]):
    def with_usage(self) -> Self:
        """Add `clusters_count`, `accesses_count` and `identities_count`."""
        return self.annotate(**{f"{name}_count": _count(name) for name in USES})


class CloudCredential(models.Model):
    """An identity in one cloud account. `facts` is what may be shown of it, `secret` is what signs requests.

    AWS, `static`: facts {"partition", "arn", "account", "key_id"}, secret {"access_key_id", "secret_access_key", "session_token"?}.
    Google, `key`: facts {"email", "project", "key_id"}, secret {"key": the key.json as text}.
    """

    class Cloud(models.TextChoices):
        AWS = "aws", "AWS"
        GCP = "gcp", "Google Cloud"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="cloud_credentials")
    name = models.CharField(max_length=40, validators=[name_rule])
    cloud = models.CharField(max_length=8, choices=Cloud)
    method = models.CharField(max_length=16)
    facts = models.JSONField(default=dict)
    secret = EncryptedJSONField()
    set_at = models.DateTimeField()
    set_by = models.CharField(max_length=160)
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
        """The AWS account or the Google project that it belongs to."""
        return str(self.facts.get("account") or self.facts.get("project") or "")

    @property
    def identity(self) -> str:
        """Whose credential it is: an ARN or an e-mail address."""
        return str(self.facts.get("arn") or self.facts.get("email") or "")

    @property
    def used(self) -> bool:
        """Whether anything uses it, of one that was read `with_usage`."""
        return any(getattr(self, f"{name}_count") for name in USES)

    @property
    def is_old(self) -> bool:
        return self.set_at < timezone.now() - OLD
