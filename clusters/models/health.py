"""How well a cluster was, and for how long: one row for each stretch of time in which nothing changed."""

from django.db import models

from accounts.authority import Paths
from accounts.models import OwnedQuerySet
from clusters.models.clusters import Cluster


class HealthQuerySet(OwnedQuerySet["Health"]):
    owner_path = "cluster__organization"
    paths = Paths(cluster="cluster__name")


class Health(models.Model):
    """A stretch of time in which a cluster was seen the same; the one without `ended_at` is how it is now.

    `findings` is `[{"slug", "level": "ok" | "warning" | "bad" | "unknown", "label", "detail", "remedy"}]`: reachable,
    version, permissions, operator, nodes, credential. `facts` are numbers and versions that may change within it.
    """

    class Level(models.TextChoices):
        READY = "ready", "Ready"
        DEGRADED = "degraded", "Degraded"
        UNREACHABLE = "unreachable", "Unreachable"
        DENIED = "denied", "Access denied"

    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="health")
    level = models.CharField(max_length=16, choices=Level)
    findings = models.JSONField(default=list)
    facts = models.JSONField(default=dict)
    began_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = HealthQuerySet.as_manager()

    class Meta:
        ordering = ["-began_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["cluster"], condition=models.Q(ended_at=None), name="cluster_has_one_health_now"
            )
        ]

    def __str__(self) -> str:
        return f"{self.cluster}: {self.level}"

    @property
    def troubles(self) -> list[dict[str, str]]:
        """The findings that something is wrong with."""
        return [one for one in self.findings if one["level"] in ("bad", "warning")]
