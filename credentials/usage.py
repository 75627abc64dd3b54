"""What uses cloud credentials. The apps above relate to them; they are asked here, some queries for any number."""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from django.db.models import Count, Q, QuerySet

from accounts.authority import Authority
from accounts.roles import Permission
from credentials.models import USES, CloudCredential

PAGE = 50


def related(name: str) -> Any:
    """Return the model that relates to credentials by `clusters`, `accesses`, `identities` or `rotations`."""
    return CloudCredential._meta.get_field(name).related_model


def column(name: str) -> str:
    """Return the field by which that model relates."""
    field: Any = CloudCredential._meta.get_field(name)
    return str(field.field.name)


@dataclasses.dataclass(slots=True)
class Counts:
    """How much uses one credential; a cluster that does so in several ways is one."""

    clusters: int = 0
    accesses: int = 0

    @property
    def words(self) -> str:
        """Both numbers in words."""
        plural = (
            f"{self.clusters} cluster{'' if self.clusters == 1 else 's'}",
            f"{self.accesses} access{'' if self.accesses == 1 else 'es'}",
        )
        return ", ".join(plural) if self.accesses else plural[0]


def counts(credentials: Iterable[CloudCredential]) -> dict[Any, Counts]:
    """Return how much uses each of some credentials, by their ids, in two queries."""
    wanted = [credential.pk for credential in credentials]
    found: dict[Any, Counts] = defaultdict(Counts)
    found |= {pk: Counts(number) for pk, number in Counter(pk for pk, _ in _pairs(wanted)).items()}
    grouped = related("accesses").objects.filter(cloud_credential__in=wanted).order_by()
    for pk, number in grouped.values_list("cloud_credential").annotate(rows=Count("pk")):
        found[pk].accesses = number
    return found


def _pairs(wanted: list[Any]) -> QuerySet[Any, tuple[Any, Any]]:
    """Return which credential is used for which cluster, each pair once."""
    asked = []
    for name in USES:
        of = column(name)
        rows = related(name).objects.filter(**{f"{of}__in": wanted}).order_by()
        asked.append(rows.values_list(of, "pk" if name == "clusters" else "cluster"))
    pairs: QuerySet[Any, tuple[Any, Any]] = asked[0].union(*asked[1:]).order_by()
    return pairs


def clusters_of(credential: CloudCredential) -> Any:
    """Return the clusters that are associated: by themselves, by an access, or by what was made for one."""
    by_access = credential.accesses.order_by().values("cluster")
    by_identity = credential.identities.order_by().values("cluster")
    rule = Q(credential=credential) | Q(pk__in=by_access) | Q(pk__in=by_identity)
    return related("clusters").objects.filter(rule).order_by("name")


@dataclasses.dataclass(slots=True)
class Row:
    """One cluster, and how it uses a credential, as far as somebody may see."""

    cluster: Any
    signs_in: bool = False
    makes_roles: bool = False
    accesses: list[Any] = dataclasses.field(default_factory=list)
    identities: list[Any] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(slots=True)
class Page:
    """Some of the clusters that use a credential, by name; `more` is the name after which the next ones come."""

    rows: list[Row]
    total: int
    # How many clusters there are that may not be seen.
    hidden: int
    more: str = ""

    @property
    def everything(self) -> int:
        return self.total + self.hidden


def page(credential: CloudCredential, authority: Authority, *, after: str = "", size: int = PAGE) -> Page:
    """Return a page of who uses a credential, in a handful of queries however many there are."""
    associated = clusters_of(credential)
    seen = associated.inside(authority, Permission.CLUSTER_VIEW)
    total = seen.count()
    clusters = list(seen.filter(name__gt=after).defer("kubeconfig")[: size + 1])
    rows = {one.pk: _row(credential, one) for one in clusters[:size]}
    for access in _accesses(credential, authority).filter(cluster__in=rows):
        rows[access.cluster_id].accesses.append(access)
    for identity in credential.identities.filter(cluster__in=rows).order_by("access_name"):
        row = rows[identity.cluster_id]
        if authority.allows(Permission.ACCESS_VIEW, cluster=row.cluster.name):
            row.identities.append(identity)
    more = clusters[size - 1].name if clusters[size:] else ""
    return Page(list(rows.values()), total, associated.count() - total, more)


def _row(credential: CloudCredential, cluster: Any) -> Row:
    own = cluster.credential_id == credential.pk
    return Row(cluster, own and cluster.signs_in == "credential", own)


def _accesses(credential: CloudCredential, authority: Authority) -> Any:
    rows = credential.accesses.inside(authority, Permission.ACCESS_VIEW).order_by("name")
    return rows.defer("credential", "result")


def users(credential: CloudCredential, authority: Authority) -> dict[str, Any]:
    """Return all that uses a credential, one query each; what may not be seen is `hidden`, and only counted."""
    owned = credential.clusters.order_by("name")
    made = credential.identities.select_related("cluster").order_by("cluster__name", "access_name")
    accesses = _accesses(credential, authority).select_related("cluster")
    everything = owned.count() + credential.accesses.count() + made.count()
    seen: dict[str, Any] = {
        "clusters": list(owned.inside(authority, Permission.CLUSTER_VIEW)),
        "accesses": list(accesses.order_by("cluster__name", "name")),
        "identities": [
            one for one in made if authority.allows(Permission.ACCESS_VIEW, cluster=one.cluster.name)
        ],
    }
    return seen | {"hidden": everything - sum(map(len, seen.values()))}
