"""Which keys the database needs. Of a key itself nothing is stored but the beginning of its digest."""

from django.db import models


class EncryptionKey(models.Model):
    """A key of FIELD_ENCRYPTION_KEY that was given to a console; once retired, nothing may be written with it."""

    id = models.CharField(primary_key=True, max_length=8, editable=False)
    first_seen_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["first_seen_at", "id"]

    def __str__(self) -> str:
        return self.id
