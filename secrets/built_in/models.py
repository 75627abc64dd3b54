"""The secrets that the console keeps itself, and their versions."""

import uuid

from django.db import models

from accounts.encryption import EncryptedTextField
from accounts.models import Organization, OwnedQuerySet


class StoredSecretQuerySet(OwnedQuerySet["StoredSecret"]):
    owner_path = "organization"


class StoredSecret(models.Model):
    """One secret of an organization. Its name stays: the values of its versions are bound to it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="stored_secrets")
    name = models.CharField(max_length=200, db_collation="C")
    tags = models.JSONField(default=dict, blank=True)
    description = models.CharField(max_length=500, blank=True)
    # The number of the last version that was made; numbers are never used twice.
    last_number = models.PositiveIntegerField(default=0)
    made_at = models.DateTimeField(auto_now_add=True)
    made_by = models.CharField(max_length=160, blank=True)
    changed_at = models.DateTimeField(auto_now=True)
    changed_by = models.CharField(max_length=160, blank=True)
    # Since when it is deleted; it can be brought back until it is purged.
    deleted_at = models.DateTimeField(null=True)

    objects = StoredSecretQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="stored_name_is_unique"),
        ]
        indexes = [models.Index(fields=["deleted_at"], name="stored_deleted")]

    def __str__(self) -> str:
        return self.name


class ValueField(EncryptedTextField):
    """A value, bound to its organization, its secret's name and its number: moved to another place it is unreadable."""

    def context(self, instance: models.Model) -> str:
        secret = instance.secret  # type: ignore[attr-defined]
        number = instance.number  # type: ignore[attr-defined]
        return f"{instance._meta.label}.{self.attname}:{secret.organization_id}:{number}:{secret.name}"


class StoredVersion(models.Model):
    """One value of a secret, never changed once it is made."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    secret = models.ForeignKey(StoredSecret, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    value = ValueField()
    made_at = models.DateTimeField(auto_now_add=True)
    by = models.CharField(max_length=160, blank=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["secret", "number"], name="stored_number_is_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.secret} version {self.number}"
