"""Deploys: one row a run, one a step, one a log line."""

import uuid

from django.db import models
from django.db.models import Q

from accounts.authority import Paths
from accounts.models import OwnedQuerySet, User
from clusters.models.clusters import Cluster


class DeployQuerySet(OwnedQuerySet["Deploy"]):
    owner_path = "cluster__organization"
    paths = Paths(cluster="cluster__name")


class Deploy(models.Model):
    """One run that brings a cluster to its configured state.

    While it runs, `lease_until` is in the future and `fence` is the number of the worker's turn: a
    worker whose number is not the row's has lost the run and may not write.
    """

    class Kind(models.TextChoices):
        DEPLOY = "deploy", "Deploy"
        UNINSTALL = "uninstall", "Uninstall operator"
        REMOVE = "remove", "Remove what was made"
        REMOVE_ALL = "remove-all", "Remove what was made, and the operator"

    class Status(models.TextChoices):
        SCHEDULED = "scheduled", "Scheduled"
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Deploying"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    OVER = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="deploys")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.DEPLOY)
    by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    by_name = models.CharField(max_length=160)
    reason = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=16, choices=Status, default=Status.QUEUED)
    generation = models.PositiveIntegerField(default=0)
    # What was configured when it ran: manifests without a value. Two deploys are compared by it.
    snapshot = models.JSONField(null=True)
    # Decisions (`Change.decision`) to take fields from other field managers.
    overwrite = models.JSONField(default=list, blank=True)
    # A retry begins with this step; those before it succeeded in the deploy that it retries.
    first_step = models.CharField(max_length=40, blank=True)
    retry_of = models.ForeignKey("self", models.SET_NULL, null=True, related_name="+")
    # A maintenance window: not before, and not begun after.
    not_before = models.DateTimeField(null=True)
    not_after = models.DateTimeField(null=True)
    cancel_asked_at = models.DateTimeField(null=True)
    cancelled_by = models.CharField(max_length=160, blank=True)
    error = models.TextField(blank=True)
    remedy = models.TextField(blank=True)
    fence = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = DeployQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["cluster", "number"], name="deploy_number_is_unique_in_cluster"),
            models.UniqueConstraint(
                fields=["cluster"], condition=Q(status="running"), name="one_running_deploy_per_cluster"
            ),
            models.UniqueConstraint(
                fields=["cluster"], condition=Q(status="queued"), name="one_queued_deploy_per_cluster"
            ),
            models.UniqueConstraint(
                fields=["cluster"], condition=Q(status="scheduled"), name="one_scheduled_deploy_per_cluster"
            ),
            models.CheckConstraint(
                condition=~Q(status="scheduled") | Q(not_before__isnull=False),
                name="scheduled_deploy_has_a_time",
            ),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=False) | Q(status__in=("scheduled", "queued", "running")),
                name="ended_deploy_has_an_end",
            ),
        ]

    def __str__(self) -> str:
        return f"Deploy {self.number} of {self.cluster.name}"

    @property
    def is_over(self) -> bool:
        return self.status in self.OVER

    @property
    def is_stopping(self) -> bool:
        return self.cancel_asked_at is not None and not self.is_over


class DeployStep(models.Model):
    """One step of a deploy, with its own status, times and one line that says what it did."""

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"
        SKIPPED = "skipped", "Skipped"

    deploy = models.ForeignKey(Deploy, models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField()
    slug = models.CharField(max_length=40)
    label = models.CharField(max_length=60)
    status = models.CharField(max_length=16, choices=Status, default=Status.WAITING)
    summary = models.TextField(blank=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["deploy", "slug"], name="a_step_happens_once_in_a_deploy")
        ]

    def __str__(self) -> str:
        return self.label


class DeployLine(models.Model):
    """One line of a deploy's log. Never holds a value of a secret."""

    class Level(models.TextChoices):
        INFO = "info", "Info"
        WARNING = "warning", "Warning"
        ERROR = "error", "Error"

    deploy = models.ForeignKey(Deploy, models.CASCADE, related_name="lines")
    step = models.CharField(max_length=40)
    number = models.PositiveIntegerField()
    level = models.CharField(max_length=8, choices=Level, default=Level.INFO)
    message = models.TextField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["deploy", "number"], name="log_lines_are_numbered")]

    def __str__(self) -> str:
        return self.message


class DeployChange(models.Model):
    """One object that a deploy changes. It is written before the cluster is, and `done` afterwards.

    A worker that dies in between leaves `done` empty, and the next one finds out what is so.
    """

    deploy = models.ForeignKey(Deploy, models.CASCADE, related_name="changes")
    step = models.CharField(max_length=40)
    kind = models.CharField(max_length=63)
    namespace = models.CharField(max_length=63, blank=True)
    name = models.CharField(max_length=253)
    # `addons.Change.facts`; of a Secret no value.
    facts = models.JSONField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["deploy", "kind", "namespace", "name"], name="an_object_changes_once_in_a_deploy"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"
