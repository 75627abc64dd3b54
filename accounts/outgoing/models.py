"""Where audit events are sent to, what was sent, and what was noted before somebody is told."""

import datetime
import uuid
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.encryption import EncryptedTextField
from accounts.organizations.models import Membership, Organization
from accounts.outgoing import causes

# Both secrets of a webhook are good for so long when one replaces the other.
BOTH_GOOD = datetime.timedelta(hours=24)


class DestinationQuerySet(models.QuerySet["Destination"]):
    def owned_by(self, organization: Organization) -> Self:
        """Keep the organization's own; what a member chose for themselves is apart."""
        return self.filter(organization=organization, membership=None)


class Destination(models.Model):
    """A reader of an organization's audit log: `cursor` is the last event that it took.

    It moves only after the destination accepted, so that an event may arrive twice, with the same id, but never not
    at all. While a worker sends, `lease_until` is in the future and `fence` is the number of its turn.
    """

    class Kind(models.TextChoices):
        WEBHOOK = "webhook", "Webhook"
        EMAIL = "email", "E-mail"
        SYSLOG = "syslog", "Syslog"
        OTLP = "otlp", "OpenTelemetry"
        FILE = "file", "File"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="destinations")
    # Whose choice it is; then it is by e-mail to that person, within what they may see.
    membership = models.OneToOneField(Membership, models.CASCADE, null=True, related_name="destination")
    kind = models.CharField(max_length=8, choices=Kind)
    name = models.CharField(max_length=40)
    # A URL may hold a token in its path, so it is kept as a secret is; `place` is what may be shown of it.
    address = EncryptedTextField(blank=True, default="")
    place = models.CharField(max_length=300, blank=True)
    # What signs a webhook, or the header that lets in at an OpenTelemetry collector.
    secret = EncryptedTextField(blank=True, default="")
    secret_set_at = models.DateTimeField(null=True)
    # Signs as well until then, so that a receiver can change over.
    former_secret = EncryptedTextField(blank=True, default="")
    former_until = models.DateTimeField(null=True)
    # Codes of actions, `group.*` for all of a group, `own:code` for what the member asked for; empty is every event.
    actions = ArrayField(models.CharField(max_length=64), default=list, blank=True)

    cursor = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveIntegerField(default=0)
    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=16, blank=True)
    last_delivered_at = models.DateTimeField(null=True)
    paused_at = models.DateTimeField(null=True)
    # Empty when a person paused it.
    paused_for = models.CharField(max_length=16, blank=True)
    created_by = models.CharField(max_length=160)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = DestinationQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "name"],
                condition=Q(membership=None),
                name="destination_name_is_unique",
            ),
            models.CheckConstraint(
                condition=Q(membership=None) | (Q(kind="email") & ~Q(actions=[])),
                name="personal_destination_is_mail_of_something",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def cause(self) -> causes.Cause | None:
        """Why the last try failed, or None."""
        return causes.CAUSES.get(self.last_error)

    @property
    def pause_cause(self) -> causes.Cause | None:
        """Why the console paused it, or None."""
        return causes.CAUSES.get(self.paused_for)

    @property
    def state(self) -> str:
        """The word of its badge."""
        if self.paused_at:
            return "stopped"
        if self.failing_since:
            return "failed"
        return "ok" if self.last_delivered_at else "waiting"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What signs now: the secret, and for a day the one before it."""
        both = self.former_until is not None and self.former_until > timezone.now() and self.former_secret
        return (self.secret, self.former_secret) if both else (self.secret,)


class Delivery(models.Model):
    """One try to send events, of which the last 200 of a destination are kept."""

    class Outcome(models.TextChoices):
        DELIVERED = "delivered", "Delivered"
        FAILED = "failed", "Failed"

    class Reason(models.TextChoices):
        TURN = "turn", "Event"
        TEST = "test", "Test"
        AGAIN = "again", "Sent again"

    destination = models.ForeignKey(Destination, models.CASCADE, related_name="deliveries")
    first = models.BigIntegerField()
    last = models.BigIntegerField()
    events = models.PositiveIntegerField()
    at = models.DateTimeField(auto_now_add=True)
    tried = models.PositiveIntegerField(default=1)
    reason = models.CharField(max_length=8, choices=Reason, default=Reason.TURN)
    status = models.PositiveIntegerField(null=True)
    milliseconds = models.PositiveIntegerField()
    outcome = models.CharField(max_length=16, choices=Outcome)
    cause = models.CharField(max_length=16, blank=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["destination", "-id"], name="deliveries_of_destination")]

    def __str__(self) -> str:
        return f"{self.first}-{self.last} to {self.destination}: {self.outcome}"

    @property
    def words(self) -> str:
        """Why it failed, or what was not quite well; empty when all was."""
        found = causes.CAUSES.get(self.cause)
        return found.reason if found else ""


class Noted(models.Model):
    """Something that was seen and is told once: that a thing fails, has drifted, or ends at a time.

    `told_at` is empty while it may be a flicker; `well_since` is when it was first seen well again.
    """

    kind = models.CharField(max_length=48)
    subject = models.UUIDField()
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    since = models.DateTimeField()
    seen_at = models.DateTimeField(db_index=True)
    told_at = models.DateTimeField(null=True)
    well_since = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "subject"], name="a_thing_is_noted_once")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.subject}"
