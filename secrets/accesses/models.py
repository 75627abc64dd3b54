"""Accesses, and the draft that the wizard keeps."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from accounts.authority import Paths
from accounts.encryption import EncryptedJSONField
from accounts.models import OwnedQuerySet, User
from accounts.naming import name_rule
from clusters.models import Cluster
from credentials.models import CloudCredential


def service_account_of(access_id: uuid.UUID) -> str:
    """Return the name of an access's ServiceAccount."""
    return f"keyhaven-{access_id.hex[:8]}"


class AccessQuerySet(OwnedQuerySet["Access"]):
    owner_path = "cluster__organization"
    # One that is open to a namespace of somebody's may be used there, and is seen.
    paths = Paths(cluster="cluster__name", namespaces="namespaces")


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
    # Chosen instead of keys of its own, or to make and check its role.
    cloud_credential = models.ForeignKey(
        CloudCredential, models.PROTECT, null=True, blank=True, related_name="accesses"
    )
    # When a temporary credential ends, as far as somebody said so.
    expires_at = models.DateTimeField(null=True, blank=True)
    # The namespaces whose external secrets may use the store: its `conditions`.
    namespaces = ArrayField(models.CharField(max_length=63))
    # What the names begin with that it sees, links and writes; empty is all.
    prefix = models.CharField(max_length=200, blank=True, default="")
    # Put on every secret that is made through it, over those of the organization.
    tags = models.JSONField(default=dict, blank=True)
    # It sees only secrets that have these tags.
    only_tagged = models.BooleanField(default=False)
    # Secrets may be written through it; else it only reads.
    writes = models.BooleanField(default=False)
    # How often its values are read anew where a link says nothing else; 0 is the console's own interval.
    refresh_seconds = models.PositiveIntegerField(default=0)
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
        """The name of its ClusterSecretStore and of its credential Secret; unique in the cluster for good."""
        return f"{self.name}-{self.id.hex[:8]}"

    @property
    def service_account(self) -> str:
        """The name of its own ServiceAccount, which clouds trust before anybody has named the access."""
        return service_account_of(self.id)


class StoreVariant(models.Model):
    """A second store of an access for the secrets that are read elsewhere or as somebody else.

    What is empty is as in the access. Secrets with equal overrides share one; it goes with the last of them.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    access = models.ForeignKey(Access, models.CASCADE, related_name="variants")
    region = models.CharField(max_length=64, blank=True)
    role_arn = models.CharField(max_length=2048, blank=True)
    # For whom the ServiceAccount's token is made out.
    audience = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["access", "region", "role_arn", "audience"], name="overrides_are_unique_in_access"
            ),
            models.CheckConstraint(
                condition=~Q(region="", role_arn="", audience=""), name="variant_overrides_something"
            ),
        ]

    def __str__(self) -> str:
        return ", ".join(filter(None, (self.region, self.role_arn, self.audience)))

    @property
    def store_name(self) -> str:
        """The name of its ClusterSecretStore."""
        return f"{self.access.store_name}-{self.id.hex[:8]}"

    @property
    def service_account(self) -> str:
        """The name of its own ServiceAccount, where it needs one."""
        return service_account_of(self.id)


class AccessDraftQuerySet(OwnedQuerySet["AccessDraft"]):
    owner_path = "cluster__organization"
    paths = Paths(cluster="cluster__name")


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
    cloud_credential = models.ForeignKey(
        CloudCredential, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    namespaces = ArrayField(models.CharField(max_length=63), default=list)
    prefix = models.CharField(max_length=200, blank=True, default="")
    tags = models.JSONField(default=dict, blank=True)
    only_tagged = models.BooleanField(default=False)
    refresh_seconds = models.PositiveIntegerField(default=0)
    # The last test: `trials.Result` as JSON.
    result = models.JSONField(default=dict)
    tested_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AccessDraftQuerySet.as_manager()

    class Meta:
        ordering = ["-updated_at"]

    def __str__(self) -> str:
        return self.name or "New access"

    @property
    def store_name(self) -> str:
        """As the access's that it becomes, which has its id."""
        return f"{self.name}-{self.id.hex[:8]}"

    @property
    def service_account(self) -> str:
        return service_account_of(self.id)


class Identity(models.Model):
    """What automatic mode made in a cloud for one access; it outlives the access until a deploy has removed it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="identities")
    # The access's id, which may be gone; that is what tells a deploy to remove this.
    access_id = models.UUIDField(unique=True)
    access_name = models.CharField(max_length=40)
    cloud = models.CharField(max_length=8)
    # With what it was made, and can be removed.
    credential = models.ForeignKey(CloudCredential, models.PROTECT, related_name="identities")
    # AWS: {"role_name", "role_arn", "issuer"}; Google: {"email", "project"}.
    facts = models.JSONField(default=dict)
    made_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"Identity of {self.access_name}"


class PublishedTemplate(models.Model):
    """Where an administrator put our CloudFormation template, and which one it was."""

    url = models.URLField(max_length=500)
    digest = models.CharField(max_length=64)
    region = models.CharField(max_length=64)
    published_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.url


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
