"""The list of clusters: filtered and cut by what the URL says, in as many queries for five as for five hundred."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from django import forms
from django.db.models import Count, Exists, F, OuterRef, Prefetch, Q, Subquery

from accounts.authority import Authority
from accounts.roles import Permission
from clusters.models import Cluster, Deploy, Health, Service
from clusters.models.clusters import ClusterQuerySet

PAGE = 50
# What is searched for the text.
SEARCHED = ("name", "server", "region", "account", "cloud_name")
_DEGRADED = Exists(Health.objects.filter(cluster=OuterRef("pk"), ended_at=None, level=Health.Level.DEGRADED))
_ANSWERS = Q(status=Cluster.Status.READY)
# State → its words, and the clusters that are in it.
STATES: dict[str, tuple[str, Q]] = {
    "ready": ("Ready", _ANSWERS & ~Q(_DEGRADED)),
    "degraded": ("Degraded", _ANSWERS & Q(_DEGRADED)),
    "unreachable": ("Unreachable", Q(status=Cluster.Status.UNREACHABLE)),
    "denied": ("Access denied", Q(status=Cluster.Status.DENIED)),
    "out-of-date": ("Out of date", Q(deployed_generation__lt=F("generation"))),
    "never-deployed": ("Never deployed", Q(deployed_generation=None)),
}


class Filter(forms.Form):
    """What the URL may ask for; a value that is none of these counts as not given."""

    q = forms.CharField(required=False, max_length=200, label="Filter clusters by name or address")
    kind = forms.ChoiceField(required=False, choices=[("", "Any kind"), *Cluster.Kind.choices], label="Kind")
    state = forms.ChoiceField(
        required=False,
        choices=[("", "Any state"), *((slug, words) for slug, (words, _) in STATES.items())],
        label="State",
    )

    def __init__(self, data: Any) -> None:
        super().__init__({name: data.get(name, "").replace("\x00", "") for name in ("q", "kind", "state")})
        for name in ("kind", "state"):
            self.fields[name].widget.attrs |= {"class": "select", "id": name}

    @property
    def selects(self) -> list[forms.BoundField]:
        return [self["kind"], self["state"]]

    @property
    def kept(self) -> dict[str, str]:
        """What is asked for, without what is not."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}


@dataclasses.dataclass(slots=True)
class Row:
    """One cluster of the list; whoever may not see its deploys is not told that there was none."""

    cluster: Cluster
    status: str
    services: int
    accesses: int
    last: Deploy | None
    sees_deploys: bool


@dataclasses.dataclass(slots=True)
class Page:
    """Some of the list; `more` is the cursor of the next rows."""

    rows: list[Row]
    total: int
    more: str = ""


def filtered(rows: ClusterQuerySet, asked: dict[str, str]) -> ClusterQuerySet:
    """Keep what `q`, `kind` and `state` ask for."""
    if text := asked.get("q"):
        rule = Q()
        for name in SEARCHED:
            rule |= Q(**{f"{name}__icontains": text})
        rows = rows.filter(rule)
    if kind := asked.get("kind"):
        rows = rows.filter(kind=kind)
    return rows.filter(STATES[asked["state"]][1]) if asked.get("state") else rows


def cut(rows: ClusterQuerySet, authority: Authority, *, after: str = "", size: int = PAGE) -> Page:
    """Return the rows after a name, with what whoever has this authority may know of them; six queries."""
    health = Prefetch(
        "health", Health.objects.filter(ended_at=None).only("cluster", "level"), to_attr="health_now"
    )
    ordered = rows.order_by("name").select_related("credential").prefetch_related(health)
    # What is encrypted takes its time to read, and nobody looks at it here.
    lean = ordered.defer("kubeconfig", "permissions", "credential__secret", "credential__facts")
    beyond = lean.filter(name__gt=after.replace("\x00", "")) if after else lean
    found = list(beyond[: size + 1])
    more = found[size - 1].name if found[size:] else ""
    return Page(_described(found[:size], authority), rows.count(), more)


def _described(clusters: list[Cluster], authority: Authority) -> list[Row]:
    services = _counted(Service.objects.filter(gone_at=None), clusters, authority)
    access: Any = Cluster._meta.get_field("accesses").related_model
    accesses = _counted(access.objects.all(), clusters, authority)
    sees = {one.pk for one in clusters if authority.allows(Permission.DEPLOY_VIEW, cluster=one.name)}
    last = _last_deploys(sees)
    return [
        Row(
            one,
            _status(one),
            services.get(one.pk, 0),
            accesses.get(one.pk, 0),
            last.get(one.pk),
            one.pk in sees,
        )
        for one in clusters
    ]


def _counted(rows: Any, clusters: list[Cluster], authority: Authority) -> dict[Any, int]:
    """Return how many rows each cluster has in the namespaces that may be seen."""
    found = rows.filter(cluster__in=[one.pk for one in clusters]).inside(authority, Permission.CLUSTER_VIEW)
    return dict(found.order_by().values_list("cluster").annotate(Count("pk")))


def _last_deploys(clusters: Iterable[Any]) -> dict[Any, Deploy]:
    """Return the newest deploy of each cluster that has one: one step in the index for each, however many there are."""
    newest = Deploy.objects.filter(cluster=OuterRef("pk")).order_by("-number").values("pk")[:1]
    ids = Cluster.objects.filter(pk__in=clusters).order_by().values_list(Subquery(newest))
    found = Deploy.objects.filter(pk__in=ids).only("cluster", "number", "created_at")
    return {one.cluster_id: one for one in found}


def _status(cluster: Any) -> str:
    """Return how a cluster is: one that answers may still not be well."""
    answers = cluster.status == Cluster.Status.READY
    degraded = any(one.level == Health.Level.DEGRADED for one in cluster.health_now)
    return str(Health.Level.DEGRADED if answers and degraded else cluster.status)
