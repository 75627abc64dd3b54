"""What was seen when a cluster was last compared with its configuration."""

from typing import Any

from django.db import models

from accounts.authority import Paths
from accounts.models import OwnedQuerySet
from clusters.models.clusters import Cluster


class LookQuerySet(OwnedQuerySet["Look"]):
    owner_path = "cluster__organization"
    paths = Paths(cluster="cluster__name")


class Look(models.Model):
    """What a deploy would change now: asked for before a deploy, after it, and every few minutes."""

    cluster = models.OneToOneField(Cluster, models.CASCADE, primary_key=True, related_name="look")
    # Asked for, and maybe not begun; held by a worker until then.
    asked_at = models.DateTimeField(null=True)
    held_until = models.DateTimeField(null=True)
    # The last look that came to an end, and the configuration that it was about.
    at = models.DateTimeField(null=True)
    generation = models.PositiveIntegerField(default=0)
    # [{"step": slug, "causes": [...], "deployed": {path: text}, **addons.Change.facts}], without what is in step
    changes = models.JSONField(default=list)
    unchanged = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    remedy = models.TextField(blank=True)

    objects = LookQuerySet.as_manager()

    def __str__(self) -> str:
        return f"Look at {self.cluster}"

    @property
    def foreign(self) -> list[dict[str, Any]]:
        """The changes that somebody else made in the cluster: configured here and deployed, but not so there."""
        return [change for change in self.changes if "cluster" in change["causes"]]

    def of(self, *names: str) -> list[dict[str, Any]]:
        """Return what somebody changed in the cluster of the objects of these names."""
        return [change for change in self.foreign if change["name"] in names]
