"""The audit event."""

from typing import Any, Self

from django.db import models

from accounts.organizations.models import Organization


class AuditEventQuerySet(models.QuerySet["AuditEvent"]):
    def owned_by(self, organization: Organization) -> Self:
        return self.filter(organization=organization)


class AuditEvent(models.Model):
    """One thing that was done. Names are copied; nothing but the organization is pointed at; never a value.

    `hash` is SHA-256 over `previous_hash` and the event's own content, so that the events of an
    organization form a chain. The database refuses UPDATE and DELETE by a trigger.
    """

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="audit_events")
    sequence = models.BigIntegerField()
    at = models.DateTimeField()
    actor_id = models.CharField(max_length=40, blank=True)
    actor_name = models.CharField(max_length=160)
    role = models.CharField(max_length=160, blank=True)
    # The API token that was shown, by its name and beginning.
    token = models.CharField(max_length=100, blank=True)
    action = models.CharField(max_length=60)
    target_type = models.CharField(max_length=40)
    target_id = models.CharField(max_length=40)
    target_name = models.CharField(max_length=260)
    # The cluster that the target is or belongs to, by its name.
    cluster = models.CharField(max_length=40, blank=True)
    details = models.JSONField(default=dict)
    origin = models.CharField(max_length=16)
    address = models.CharField(max_length=45, blank=True)
    user_agent = models.CharField(max_length=200, blank=True)
    request_id = models.CharField(max_length=40, blank=True)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        ordering = ["-sequence"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "sequence"], name="audit_sequence_has_no_twin")
        ]
        indexes = [models.Index(fields=["organization", "action", "-sequence"], name="audit_by_action")]

    def __str__(self) -> str:
        return f"{self.sequence}: {self.actor_name} {self.action} {self.target_name}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert; an event that exists is never written again."""
        if not self._state.adding:
            raise TypeError("An audit event is never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("An audit event is never deleted.")
