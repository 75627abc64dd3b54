"""The inventory of upstream names, and the links from them to services."""

import datetime
import re
import uuid

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accesses.models import Access, StoreVariant
from accounts.authority import Paths
from accounts.models import Organization, OwnedQuerySet
from clusters.models import Cluster, Service

variable_rule = RegexValidator(
    r"^[A-Za-z_][A-Za-z0-9_]*\Z",
    "Use letters, digits and underscores, and start with a letter or an underscore.",
)


# An absolute path of a file or a directory, without a step back and without what YAML or a shell would trip over.
path_rule = RegexValidator(
    r"^(/[A-Za-z0-9_.@+=,-]+)+\Z",
    "Use an absolute path of letters, digits and . _ - @ + = , such as /vault/secrets/db.json.",
)


class InventoryQuerySet(OwnedQuerySet["InventoryEntry"]):
    owner_path = "organization"
    paths = Paths(cluster="access__cluster__name", namespaces="access__namespaces", secret="name")


class InventoryEntry(models.Model):
    """One upstream secret's name and public facts; never its value."""

    access = models.ForeignKey(Access, models.CASCADE, related_name="inventory")
    # Its cluster's; here too, so that the names of all accesses are one range of one index. The access vouches for it:
    # the database looking after each of a hundred thousand is half of what a first reading costs there.
    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    name = models.CharField(max_length=2048, db_collation="C")
    reference = models.CharField(max_length=2048)
    description = models.TextField(blank=True)
    # As the secret manager calls it: `secret`, `secure string`, …
    kind = models.CharField(max_length=40, blank=True)
    tags = models.JSONField(default=dict)
    changed_at = models.DateTimeField(null=True)
    # It is scheduled for deletion, or was deleted and can be brought back until then; in the past, since when it is.
    deletes_at = models.DateTimeField(null=True)

    objects = InventoryQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["access", "name"], name="inventory_names_are_unique")]
        indexes = [models.Index(fields=["organization", "name", "access"], name="inventory_of_organization")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_deleted(self) -> bool:
        """Whether it is deleted already, without an end of the time in which it can be brought back."""
        return self.deletes_at is not None and self.deletes_at <= timezone.now()


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
    # When what changed since was last asked for; the whole list is older.
    refreshed_at = models.DateTimeField(null=True)
    # When the manager was last asked, well or not.
    tried_at = models.DateTimeField(null=True)
    entries = models.PositiveIntegerField(default=0)
    # How many names the reading at work has seen so far.
    seen = models.PositiveIntegerField(default=0)
    # There are more names than the console keeps.
    truncated = models.BooleanField(default=False)
    cause = models.CharField(max_length=16, choices=Cause, blank=True)
    # The exact permission that the secret manager misses, where it says so.
    permission = models.CharField(max_length=200, blank=True)
    error = models.TextField(blank=True)
    remedy = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"Inventory of {self.access}"


class ExternalSecretQuerySet(OwnedQuerySet["ExternalSecret"]):
    owner_path = "cluster__organization"
    # What is taken by tags has no name, and is nobody's whose names are limited.
    paths = Paths(cluster="cluster__name", namespace="namespace", secret="key")


class ExternalSecret(models.Model):
    """A link: one upstream reference becomes a variable or a file of a service, or of every service of a namespace.

    `namespace` is the service's; without a service the link is for all of the namespace, and the narrower one wins.
    An empty `container` is every container.
    """

    class Status(models.TextChoices):
        NEVER = "never deployed", "Never deployed"
        SYNCED = "in sync", "In sync"
        WAITING = "waiting", "Waiting"
        FAILED = "failed", "Failed"

    class Takes(models.TextChoices):
        VALUE = "value", "One value"
        KEYS = "keys", "Every key of a JSON secret"
        PATH = "path", "Every secret below a path"
        TAGS = "tags", "Every secret with these tags"

    class Target(models.TextChoices):
        VARIABLE = "variable", "Variable"
        FILE = "file", "File"
        BOTH = "both", "File, and a variable with its path"

    class Mount(models.TextChoices):
        DIRECTORY = "directory", "Its whole directory"
        FILE = "file", "Only this file"

    class WhenGone(models.TextChoices):
        """The operator's deletion policies: what happens when the secret is gone upstream."""

        RETAIN = "Retain", "Keep the last value"
        DELETE = "Delete", "Take the Secret away"
        MERGE = "Merge", "Take away only the keys that are gone"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="external_secrets")
    namespace = models.CharField(max_length=63)
    service = models.ForeignKey(Service, models.CASCADE, null=True, related_name="external_secrets")
    container = models.CharField(max_length=63, blank=True)

    access = models.ForeignKey(Access, models.PROTECT, related_name="external_secrets")
    variant = models.ForeignKey(StoreVariant, models.PROTECT, null=True, related_name="external_secrets")
    takes = models.CharField(max_length=8, choices=Takes, default=Takes.VALUE)
    # A name or an ARN; of PATH the path, of TAGS empty.
    key = models.CharField(max_length=2048, blank=True)
    tags = models.JSONField(default=dict, blank=True)
    json_field = models.CharField(max_length=300, blank=True)
    # As the operator takes it: `uuid/…`, a staging label, a number.
    version = models.CharField(max_length=100, blank=True)
    # Another name for the value of that link in the same namespace: no object and no call of its own.
    alias_of = models.ForeignKey("self", models.CASCADE, null=True, related_name="aliases")

    target = models.CharField(max_length=8, choices=Target, default=Target.VARIABLE)
    # Of several values as variables: what each one's name begins with, may be empty.
    variable = models.CharField(max_length=200, blank=True)
    # Of one value the file, of several the directory.
    path = models.CharField(max_length=1024, blank=True)
    mount = models.CharField(max_length=9, choices=Mount, default=Mount.DIRECTORY)
    file_mode = models.PositiveSmallIntegerField(default=0o444)
    refresh_seconds = models.PositiveIntegerField(default=3600)
    restart_on_change = models.BooleanField(default=False)
    when_gone = models.CharField(max_length=6, choices=WhenGone, default=WhenGone.RETAIN)

    status = models.CharField(max_length=16, choices=Status, default=Status.NEVER)
    status_reason = models.TextField(blank=True)
    status_remedy = models.TextField(blank=True)
    # A deploy could not bring it: what the operator says of it is not the whole truth until another deploy has.
    refused = models.BooleanField(default=False)
    synced_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)
    # The names of the keys that its Secret had when a deploy or a look last saw it; never a value.
    seen_keys = models.JSONField(default=list, blank=True)
    # What the operator said of it, oldest first, redacted: [{"at", "type", "reason", "message", "count"}]
    events = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ExternalSecretQuerySet.as_manager()

    class Meta:
        ordering = ["variable", "path"]
        constraints = [
            models.UniqueConstraint(
                fields=["cluster", "namespace", "service", "container", "variable"],
                condition=~Q(variable="") & (Q(takes="value") | Q(target="both")),
                nulls_distinct=False,
                name="variable_is_unique_in_container",
            ),
            models.UniqueConstraint(
                fields=["cluster", "namespace", "service", "container", "path"],
                condition=~Q(path=""),
                nulls_distinct=False,
                name="path_is_unique_in_container",
            ),
            models.CheckConstraint(condition=Q(refresh_seconds__gte=60), name="refresh_is_at_least_a_minute"),
            models.CheckConstraint(
                condition=Q(target="variable", path="") | (~Q(target="variable") & ~Q(path="")),
                name="file_has_a_path",
            ),
            models.CheckConstraint(
                condition=Q(target="file", variable="")
                | (~Q(target="file") & (~Q(variable="") | (Q(target="variable") & ~Q(takes="value")))),
                name="variable_has_a_name",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title} of {self.place}"

    @property
    def title(self) -> str:
        """What the service sees: the variable's name, the file's path, or what several are taken from."""
        return self.variable or self.path or self.key or self.words_of_tags

    @property
    def place(self) -> str:
        """The service, or the namespace when it is for all of its services."""
        return str(self.service) if self.service_id else f"namespace {self.namespace}"

    @property
    def words_of_tags(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in sorted(self.tags.items()))

    @property
    def store_name(self) -> str:
        """The ClusterSecretStore that it reads from."""
        return self.variant.store_name if self.variant else self.access.store_name

    @property
    def next_refresh_at(self) -> datetime.datetime | None:
        """When the operator reads it next; unknown while it is not in sync."""
        if self.synced_at is None or self.status != self.Status.SYNCED:
            return None
        return self.synced_at + datetime.timedelta(seconds=self.refresh_seconds)

    @property
    def object_name(self) -> str:
        """The name of the ExternalSecret and of its target Secret: a DNS label that tells what it is."""
        if self.alias_of is not None:
            return self.alias_of.object_name
        words = (self.variable or self.path.rpartition("/")[2] or self.key).lower()
        label = re.sub(r"[^a-z0-9]+", "-", words).strip("-")[:40].strip("-") or "secret"
        if self.takes != self.Takes.VALUE:
            # One value that becomes all of them, or back, is another Secret: pods need the old keys until they start anew.
            label = f"{label}-all"
        return f"{label}-{self.id.hex[:8]}"

    @property
    def secret_key(self) -> str:
        """The key of its one value in the target Secret."""
        return self.alias_of.secret_key if self.alias_of is not None else self.variable or "file"
