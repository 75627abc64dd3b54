"""Replacing what a cloud credential signs in with, and which clusters have moved to the new values."""

import uuid

from django.db import models
from django.db.models import Q

from accounts.encryption import EncryptedJSONField
from accounts.models import OwnedQuerySet
from clusters.models.clusters import Cluster
from clusters.models.deploys import Deploy
from credentials.models import CloudCredential


class RotationQuerySet(OwnedQuerySet["Rotation"]):
    owner_path = "credential__organization"


class Rotation(models.Model):
    """One guided replacement: the new values are stored, clusters move by deploys, then the old key is retired.

    Until it ends, the old values are kept, and everything can be taken back.
    """

    class Status(models.TextChoices):
        # The console is about to make a key in the cloud; `new_key` is empty or what has to be removed again.
        MAKING = "making", "Making the key"
        MOVING = "moving", "Clusters are moving"
        # Every cluster has moved; the old key waits to be confirmed unused, then disabled, then deleted.
        CONFIRMING = "confirming", "Retiring the old key"
        DONE = "done", "Done"
        UNDONE = "undone", "Taken back"

    class Old(models.TextChoices):
        """What became of the old key in the cloud."""

        ACTIVE = "active", "Still works"
        DISABLED = "disabled", "Disabled"
        DELETED = "deleted", "Deleted"
        BY_HAND = "by hand", "Removed by hand"

    OVER = (Status.DONE, Status.UNDONE)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    credential = models.ForeignKey(CloudCredential, models.CASCADE, related_name="rotations")
    status = models.CharField(max_length=16, choices=Status, default=Status.MOVING)
    # Whether the console made the new key itself.
    made_here = models.BooleanField(default=False)
    old_secret = EncryptedJSONField(null=True)
    old_facts = models.JSONField(default=dict)
    new_facts = models.JSONField(default=dict)
    old = models.CharField(max_length=16, choices=Old, default=Old.ACTIVE)
    # When the old key was seen used last by the cloud, and when that was asked.
    old_used_at = models.DateTimeField(null=True)
    old_asked_at = models.DateTimeField(null=True)
    started_by = models.CharField(max_length=160)
    started_at = models.DateTimeField(auto_now_add=True)
    moved_at = models.DateTimeField(null=True)
    confirmed_by = models.CharField(max_length=160, blank=True)
    ended_by = models.CharField(max_length=160, blank=True)
    ended_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)

    objects = RotationQuerySet.as_manager()

    class Meta:
        ordering = ["-started_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["credential"],
                condition=~Q(status__in=("done", "undone")),
                name="credential_has_one_rotation_at_a_time",
            )
        ]

    def __str__(self) -> str:
        return f"Rotation of {self.credential}"


class Move(models.Model):
    """A cluster that used the credential when it was replaced; it has moved once a deploy carried `generation`."""

    rotation = models.ForeignKey(Rotation, models.CASCADE, related_name="moves")
    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="moves")
    generation = models.PositiveIntegerField()
    # The deploy that was asked for last.
    deploy = models.ForeignKey(Deploy, models.SET_NULL, null=True, related_name="+")
    moved_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["cluster__name"]
        constraints = [
            models.UniqueConstraint(fields=["rotation", "cluster"], name="cluster_moves_once_in_a_rotation")
        ]

    def __str__(self) -> str:
        return f"{self.cluster} in {self.rotation}"
