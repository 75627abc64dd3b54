"""The inventory of upstream names, and the links from them to services."""

import datetime
import uuid

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from accesses.models import Access
from accounts.models import OwnedQuerySet
from clusters.models import Service

variable_rule = RegexValidator(
    r"^[A-Za-z_][A-Za-z0-9_]*\Z",
    "Use letters, digits and underscores, and start with a letter or an underscore.",
)


class InventoryQuerySet(OwnedQuerySet["InventoryEntry"]):
    owner_path = "access__cluster__organization"


class InventoryEntry(models.Model):
    """One upstream secret's name and public facts; never its value."""

    access = models.ForeignKey(Access, models.CASCADE, related_name="inventory")
    name = models.CharField(max_length=2048, db_collation="C")
    reference = models.CharField(max_length=2048)
    description = models.TextField(blank=True)
    tags = models.JSONField(default=dict)
    changed_at = models.DateTimeField(null=True)

    objects = InventoryQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["access", "name"], name="inventory_names_are_unique")]

    def __str__(self) -> str:
        return self.name


class InventoryState(models.Model):
    """How fresh an access's inventory is: when it was read whole, or why it could not be."""

    class Cause(models.TextChoices):
        REFUSED = "refused", "Access denied"
        UNREACHABLE = "unreachable", "Unreachable"
        THROTTLED = "throttled", "Throttled"
        ELSEWHERE = "elsewhere", "Not listed from here"
        FAILED = "failed", "Failed"

    access = models.OneToOneField(Access, models.CASCADE, primary_key=True, related_name="inventory_state")
    # Asked for, and maybe not begun; begun, and maybe dead; both empty again at the end.
    asked_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)
    entries = models.PositiveIntegerField(default=0)
    cause = models.CharField(max_length=16, choices=Cause, blank=True)
    # The exact permission that the secret manager misses, where it says so.
    permission = models.CharField(max_length=200, blank=True)
    error = models.TextField(blank=True)
    remedy = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"Inventory of {self.access}"


class ExternalSecretQuerySet(OwnedQuerySet["ExternalSecret"]):
    owner_path = "service__cluster__organization"


class ExternalSecret(models.Model):
    """A link: one upstream reference becomes one variable of one container of a service."""

    class Status(models.TextChoices):
        NEVER = "never deployed", "Never deployed"
        SYNCED = "in sync", "In sync"
        WAITING = "waiting", "Waiting"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    service = models.ForeignKey(Service, models.CASCADE, related_name="external_secrets")
    access = models.ForeignKey(Access, models.PROTECT, related_name="external_secrets")
    key = models.CharField(max_length=2048)
    json_field = models.CharField(max_length=300, blank=True)
    version = models.CharField(max_length=100, blank=True)
    container = models.CharField(max_length=63)
    variable = models.CharField(max_length=200, validators=[variable_rule])
    refresh_seconds = models.PositiveIntegerField(default=3600)

    status = models.CharField(max_length=16, choices=Status, default=Status.NEVER)
    status_reason = models.TextField(blank=True)
    status_remedy = models.TextField(blank=True)
    # A deploy could not bring it: what the operator says of it is not the whole truth until another deploy has.
    refused = models.BooleanField(default=False)
    synced_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)
    # What the operator said of it, oldest first, redacted: [{"at", "type", "reason", "message", "count"}]
    events = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ExternalSecretQuerySet.as_manager()

    class Meta:
        ordering = ["variable"]
        constraints = [
            models.UniqueConstraint(
                fields=["service", "container", "variable"], name="variable_is_unique_in_container"
            ),
            models.CheckConstraint(condition=Q(refresh_seconds__gte=60), name="refresh_is_at_least_a_minute"),
        ]

    def __str__(self) -> str:
        return f"{self.variable} of {self.service}"

    @property
    def next_refresh_at(self) -> datetime.datetime | None:
        """When the operator reads it next; unknown while it is not in sync."""
        if self.synced_at is None or self.status != self.Status.SYNCED:
            return None
        return self.synced_at + datetime.timedelta(seconds=self.refresh_seconds)

    @property
    def object_name(self) -> str:
        """The name of the ExternalSecret and of its target Secret: a DNS label that tells what it is."""
        words = self.variable.lower().replace("_", "-").strip("-")[:40].strip("-") or "secret"
        return f"{words}-{self.id.hex[:8]}"
