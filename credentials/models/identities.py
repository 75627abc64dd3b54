"""Who the console is to clouds that trust it without a key: a subject for each organization, and the key that signs."""

import uuid

from django.db import models

from accounts.encryption import EncryptedTextField
from accounts.models import Organization


def _new_subject() -> str:
    return f"keyhaven-{uuid.uuid4().hex}"


class Subject(models.Model):
    """The name by which clouds tell an organization from all others: AWS's external id, a token's `sub`. No secret."""

    organization = models.OneToOneField(
        Organization, models.CASCADE, primary_key=True, related_name="subject"
    )
    name = models.CharField(max_length=64, unique=True, default=_new_subject, editable=False)

    def __str__(self) -> str:
        return self.name


class SigningKey(models.Model):
    """An RSA key with which the console signs tokens for clouds; the newest that does not wait signs, all are published."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # PEM, PKCS 8
    private = EncryptedTextField()
    # The public key as JWK, as it is published; `waiting` in it, which is not published, keeps it from signing.
    public = models.JSONField()
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-made_at"]

    def __str__(self) -> str:
        return str(self.id)
