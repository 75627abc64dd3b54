"""The audit event."""

from typing import Any, Self

from django.db import models

from accounts.organizations.models import Organization


class AuditEventQuerySet(models.QuerySet["AuditEvent"]):
    """Events; what `queries.events` asked for stays with them, for `queries.page` to choose the way that is short."""

    organization = 0
    # The actions that are asked for, each a range of an index; none where all are.
    branches: tuple[str, ...] = ()
    # The word of a text that the index of texts is asked for.
    word = ""
    # Where the time that is asked for begins and ends in the sequence.
    since: int | None = None
    until: int | None = None

    def owned_by(self, organization: Organization) -> Self:
        return self.filter(organization=organization)

    def _clone(self) -> Self:
        clone: Self = super()._clone()  # type: ignore[misc]
        for name in ("organization", "branches", "word", "since", "until"):
            setattr(clone, name, getattr(self, name))
        return clone


def _partial(column: str, name: str, without: str) -> models.Index:
    """Return an index by a column that leaves out its usual value, for which writes then do not pay."""
    fields = ["organization", column, "sequence"]
    return models.Index(fields=fields, condition=~models.Q(**{column: without}), name=name)


class AuditEvent(models.Model):
    """One thing that was done. Names are copied; nothing but the organization is pointed at; never a value.

    `hash` is SHA-256 over `previous_hash` and every other column, so that the events of an organization form a chain
    (accounts/audit/chain.py). Triggers let in only the next event of a chain, and refuse UPDATE, DELETE and TRUNCATE.
    """

    # The unique constraint below is the index of this key.
    organization = models.ForeignKey(
        Organization, models.PROTECT, related_name="audit_events", db_index=False
    )
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
    # How the hash is made: 1 until the log had heads, 2 since.
    scheme = models.PositiveSmallIntegerField(default=1)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        ordering = ["-sequence"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "sequence"], name="audit_sequence_has_no_twin")
        ]
        # Each filter is a range of one of these, and each ends with the sequence, in which pages are cut. The one of
        # texts (`audit_by_text`) and the triggers are in migration 0008.
        indexes = [
            models.Index(fields=["organization", "action", "-sequence"], name="audit_by_action"),
            models.Index(fields=["organization", "actor_id", "sequence"], name="audit_by_actor"),
            models.Index(fields=["organization", "target_id", "sequence"], name="audit_by_target"),
            models.Index(fields=["organization", "at", "sequence"], name="audit_by_time"),
            _partial("cluster", "audit_by_cluster", ""),
            _partial("address", "audit_by_address", ""),
            _partial("token", "audit_by_token", ""),
            _partial("request_id", "audit_by_request", ""),
            # Most events come from the console; they are found in the order of the log.
            _partial("origin", "audit_by_origin", "console"),
        ]

    def __str__(self) -> str:
        return f"{self.sequence}: {self.actor_name} {self.action} {self.target_name}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert; an event that exists is never written again."""
        if not self._state.adding:
            raise TypeError("An audit event is never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("An audit event is never deleted.")


class AuditHead(models.Model):
    """Where an organization's chain ends. Kept by the trigger that lets events in; nobody else writes it."""

    organization = models.OneToOneField(
        Organization, models.PROTECT, primary_key=True, related_name="audit_head"
    )
    sequence = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.sequence}: {self.hash}"


class AuditMark(models.Model):
    """What is left where the oldest events were pruned: up to which, its hash, and how many. Made by `audit_prune`."""

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="audit_marks")
    through_sequence = models.BigIntegerField()
    hash = models.CharField(max_length=64)
    events = models.BigIntegerField()
    # The newest of them, and for how many days events were to be kept.
    newest_at = models.DateTimeField()
    days = models.PositiveIntegerField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["through_sequence"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "through_sequence"], name="audit_mark_is_unique")
        ]

    def __str__(self) -> str:
        return f"pruned through {self.through_sequence}"


class AuditKey(models.Model):
    """The public half of a key that digests were signed with; old ones stay, so that old digests can be checked."""

    id = models.CharField(primary_key=True, max_length=16)
    public_key = models.CharField(max_length=64)
    first_used_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.id


class AuditDigest(models.Model):
    """Where a chain stood when a day (UTC) had ended, signed, and following from the digest before."""

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="audit_digests")
    day = models.DateField()
    through_sequence = models.BigIntegerField()
    hash = models.CharField(max_length=64)
    # How many events the day had, and those since the digest before.
    events = models.BigIntegerField()
    previous_signature = models.CharField(max_length=128, blank=True)
    key = models.ForeignKey(AuditKey, models.PROTECT, related_name="digests")
    signature = models.CharField(max_length=128)

    class Meta:
        ordering = ["day"]
        constraints = [models.UniqueConstraint(fields=["organization", "day"], name="audit_digest_is_daily")]

    def __str__(self) -> str:
        return f"{self.day}: through {self.through_sequence}"
