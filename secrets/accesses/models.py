"""Accesses, and the draft that the wizard keeps."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from accounts.models import OwnedQuerySet, User
from clusters.models import Cluster
from clusters.models.clusters import name_rule
from credentials.encryption import EncryptedJSONField


class AccessQuerySet(OwnedQuerySet["Access"]):
    owner_path = "cluster__organization"


class Access(models.Model):
    """One cluster's configured way into one secret manager.

    Its three states are never merged: *accepted* (the API server took the store), *validated* (the operator's
    Ready condition) and *verified* (names were listed with the access's own identity).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="accesses")
    provider = models.CharField(max_length=40)
    method = models.CharField(max_length=40)
    name = models.CharField(max_length=40, validators=[name_rule])
    configuration = models.JSONField(default=dict)
    credential = EncryptedJSONField(null=True)
    credential_set_at = models.DateTimeField(null=True)
    credential_set_by = models.CharField(max_length=160, blank=True)
    # The namespaces whose external secrets may use the store: its `conditions`.
    namespaces = ArrayField(models.CharField(max_length=63))
    version = models.PositiveIntegerField(default=1)

    accepted_at = models.DateTimeField(null=True)
    accepted_error = models.TextField(blank=True)
    # When the API server was last asked; `accepted_at` is when it last said yes.
    accepted_checked_at = models.DateTimeField(null=True)
    validated = models.BooleanField(null=True)
    validated_reason = models.CharField(max_length=300, blank=True)
    validated_remedy = models.CharField(max_length=300, blank=True)
    validated_at = models.DateTimeField(null=True)
    verified_at = models.DateTimeField(null=True)
    verified_error = models.TextField(blank=True)
    verified_remedy = models.TextField(blank=True)
    # The last test, as in the draft, without the names that it saw; `verified_at` is when one last went well.
    result = models.JSONField(default=dict, blank=True)
    tested_at = models.DateTimeField(null=True)

    created_at = models.DateTimeField(auto_now_add=True)
    # When the configuration last changed: what a deploy or a test finds is written past `save()`.
    updated_at = models.DateTimeField(auto_now=True)

    objects = AccessQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["cluster", "name"], name="access_name_is_unique_in_cluster"),
            models.CheckConstraint(condition=~Q(namespaces=[]), name="access_names_its_namespaces"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def store_name(self) -> str:
        """The name of the ClusterSecretStore and of its credential Secret; unique in the cluster for good."""
        return f"{self.name}-{self.id.hex[:8]}"


class AccessDraftQuerySet(OwnedQuerySet["AccessDraft"]):
    owner_path = "cluster__organization"


class AccessDraft(models.Model):
    """What a person has entered so far in the wizard; ends when the access is made or the draft is discarded."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="access_drafts")
    by = models.ForeignKey(User, models.CASCADE, related_name="+")
    provider = models.CharField(max_length=40, blank=True)
    method = models.CharField(max_length=40, blank=True)
    name = models.CharField(max_length=40, blank=True)
    configuration = models.JSONField(default=dict)
    credential = EncryptedJSONField(null=True)
    credential_set_at = models.DateTimeField(null=True)
    namespaces = ArrayField(models.CharField(max_length=63), default=list)
    # The last test: `services.Result` as JSON.
    result = models.JSONField(default=dict)
    tested_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AccessDraftQuerySet.as_manager()

    class Meta:
        ordering = ["-updated_at"]

    def __str__(self) -> str:
        return self.name or "New access"


class OperatorState(models.Model):
    """What deploys found of the operator, beside its version and namespace, which are the cluster's."""

    cluster = models.OneToOneField(Cluster, models.CASCADE, primary_key=True, related_name="operator_state")
    # Somebody else installed it, and looks after it.
    adopted = models.BooleanField()
    seen_at = models.DateTimeField()
    # The chart version that somebody decided to upgrade to, as `2.9.0`; the next deploy does it.
    wanted = models.CharField(max_length=40, blank=True)
    # The version that a deploy saw at work, and when: it made a Secret of a test store.
    proved_version = models.CharField(max_length=40, blank=True)
    proved_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Operator of {self.cluster}"
