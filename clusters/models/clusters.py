"""Clusters and the services that run in them."""

import uuid
from typing import Any

from django.db import models

from accounts.authority import Paths
from accounts.encryption import EncryptedTextField
from accounts.models import Organization, OwnedQuerySet, User
from accounts.naming import name_rule
from credentials.models import CloudCredential


class ClusterQuerySet(OwnedQuerySet["Cluster"]):
    paths = Paths(cluster="name")


class Drift(models.TextChoices):
    """How what is configured relates to what was deployed."""

    NEVER = "never deployed"
    OUT_OF_DATE = "out of date"
    UP_TO_DATE = "up to date"


class Cluster(models.Model):
    """A connected Kubernetes cluster.

    `generation` counts changes of its configuration; `deployed_generation` is the one the last
    successful deploy carried.
    """

    class Kind(models.TextChoices):
        EKS = "eks", "Amazon EKS"
        GKE = "gke", "Google GKE"
        AKS = "aks", "Azure AKS"
        KAPSULE = "kapsule", "Scaleway Kapsule"
        KUBECONFIG = "kubeconfig", "By kubeconfig"

    class SignsIn(models.TextChoices):
        KUBECONFIG = "kubeconfig", "By its kubeconfig"
        CREDENTIAL = "credential", "By its cloud credential"

    class Status(models.TextChoices):
        READY = "ready", "Ready"
        UNREACHABLE = "unreachable", "Unreachable"
        DENIED = "denied", "Access denied"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="clusters")
    name = models.CharField(max_length=40, validators=[name_rule])
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.KUBECONFIG)
    # How the console signs in; by a cloud credential, the kubeconfig below holds the address and the authority alone,
    # and `locator` is how the cloud finds the cluster (`credentials.clouds.base.Found`).
    signs_in = models.CharField(max_length=16, choices=SignsIn, default=SignsIn.KUBECONFIG)
    locator = models.JSONField(default=dict, blank=True)
    kubeconfig = EncryptedTextField()
    # When what is in the kubeconfig ends, as far as it says; `renews` are tokens that the console renews by itself.
    signs_in_until = models.DateTimeField(null=True, blank=True)
    renews = models.BooleanField(default=False)
    server = models.CharField(max_length=300)
    version = models.CharField(max_length=40, blank=True)
    # Where it runs, as far as it shows: an AWS region or Google's location, the AWS account or Google project.
    region = models.CharField(max_length=64, blank=True)
    account = models.CharField(max_length=128, blank=True)
    # Its name at Google, which workload identity wants to know.
    cloud_name = models.CharField(max_length=128, blank=True)
    # Who signs its ServiceAccounts' tokens, as a URL.
    issuer = models.CharField(max_length=300, blank=True)
    # What the console itself uses in that account: to make roles, and to check them.
    credential = models.ForeignKey(
        CloudCredential, models.PROTECT, null=True, blank=True, related_name="clusters"
    )
    identity = models.CharField(max_length=300, blank=True)
    # [{"label": str, "allowed": bool, "needed_for": str}]: what the cluster lets us do
    permissions = models.JSONField(default=list, blank=True)
    operator_namespace = models.CharField(max_length=63, default="external-secrets")
    # Where its AWS accesses ask in place of AWS: both the console and the operator; empty is AWS.
    aws_endpoint = models.CharField(max_length=500, blank=True, default="")
    operator_version = models.CharField(max_length=40, blank=True)
    status = models.CharField(max_length=16, choices=Status, default=Status.READY)
    status_reason = models.CharField(max_length=500, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True)
    generation = models.PositiveIntegerField(default=0)
    deployed_generation = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ClusterQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "name"], name="cluster_name_is_unique_in_organization"
            ),
            models.CheckConstraint(
                condition=~models.Q(signs_in="credential") | models.Q(credential__isnull=False),
                name="cluster_that_signs_in_by_a_credential_has_one",
            ),
            models.UniqueConstraint(
                fields=["organization", "kind", "account", "locator"],
                condition=models.Q(signs_in="credential"),
                name="cloud_cluster_is_connected_once",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def cloud(self) -> str:
        """Whose identities its pods may have without keys: `aws`, `gcp`, or empty for any other."""
        return {self.Kind.EKS: "aws", self.Kind.GKE: "gcp"}.get(self.Kind(self.kind), "")

    @property
    def home(self) -> str:
        """The cloud that runs it, as credentials name it, or empty where that does not show."""
        kinds = {"eks": "aws", "gke": "gcp", "aks": "azure", "kapsule": "scaleway"}
        return kinds.get(self.kind, "")

    @property
    def account_label(self) -> str:
        """What its cloud calls what an account is elsewhere."""
        return CloudCredential(cloud=self.home).account_label

    @property
    def drift(self) -> Drift:
        if self.deployed_generation is None:
            return Drift.NEVER
        return Drift.UP_TO_DATE if self.deployed_generation >= self.generation else Drift.OUT_OF_DATE


class ConnectDraft(models.Model):
    """What somebody is about to connect: a kubeconfig, or a cluster that a credential finds; kept encrypted between
    the form's steps, never shown."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="connect_drafts")
    by = models.ForeignKey(User, models.CASCADE, related_name="+")
    # As pasted while a context is to be chosen, afterwards reduced to the chosen one.
    kubeconfig = EncryptedTextField(default="", blank=True)
    # Found by a credential: with which, of what kind, and how the cloud finds it again.
    credential = models.ForeignKey(CloudCredential, models.CASCADE, null=True, related_name="+")
    kind = models.CharField(max_length=16, blank=True)
    locator = models.JSONField(default=dict, blank=True)
    contexts = models.JSONField(default=list, blank=True)
    # What became of it: a second click on “Connect” leads there.
    cluster = models.ForeignKey(Cluster, models.CASCADE, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = OwnedQuerySet["ConnectDraft"].as_manager()

    def __str__(self) -> str:
        return "A cluster to connect"


class ServiceQuerySet(OwnedQuerySet["Service"]):
    owner_path = "cluster__organization"
    paths = Paths(cluster="cluster__name", namespace="namespace")


class Service(models.Model):
    """A workload of a cluster, as it was last discovered.

    `containers` is `[{"name", "image", "env": [{"name", "source"}], "env_from": [source], "mounts": [{"path",
    "source"}]}]`, with `"ours": True` in what we put there; a variable's value is never kept, only where it comes
    from: `value`, `secret NAME/KEY`, `config map NAME/KEY`, `field`.
    """

    class Kind(models.TextChoices):
        DEPLOYMENT = "Deployment"
        STATEFUL_SET = "StatefulSet"
        CRON_JOB = "CronJob"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="services")
    namespace = models.CharField(max_length=63)
    kind = models.CharField(max_length=16, choices=Kind)
    name = models.CharField(max_length=253)
    containers = models.JSONField(default=list)
    seen_at = models.DateTimeField()
    gone_at = models.DateTimeField(null=True)

    objects = ServiceQuerySet.as_manager()

    class Meta:
        ordering = ["namespace", "name", "kind"]
        constraints = [
            models.UniqueConstraint(
                fields=["cluster", "namespace", "kind", "name"], name="service_is_unique_in_cluster"
            )
        ]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def container_names(self) -> list[str]:
        return [container["name"] for container in self.containers]

    def container(self, name: str) -> dict[str, Any] | None:
        """Return one container as discovered, or None."""
        return next((container for container in self.containers if container["name"] == name), None)
