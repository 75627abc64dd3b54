"""What follows when a credential is changed or deleted, in sentences that are computed from who uses it."""

import dataclasses
from typing import Any

from django.db.models import F, Q
from django.urls import reverse

from accounts.authority import Authority
from accounts.models import Organization
from accounts.roles import Permission
from credentials import usage
from credentials.models import CloudCredential

# So many are named in a sentence, the rest are counted.
NAMED = 5
type Named = tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Consequence:
    """One sentence: a count with its words, and the first of those that it is about, each with its address."""

    count: int
    title: str
    text: str
    named: Named = ()

    @property
    def more(self) -> int:
        return self.count - len(self.named)


@dataclasses.dataclass(frozen=True, slots=True)
class Asker:
    """For whom it is told: what their roles do not reach is counted and not named."""

    organization: Organization
    authority: Authority

    def clusters(self, rows: Any, page: str) -> tuple[int, Named]:
        """Return how many clusters there are, and the first that may be seen with a page of theirs."""
        seen = rows.inside(self.authority, Permission.CLUSTER_VIEW).order_by("name")
        names = seen.values_list("name", flat=True)[:NAMED]
        return rows.count(), tuple((name, self._url(page, cluster=name)) for name in names)

    def accesses(self, rows: Any, page: str) -> tuple[int, Named]:
        """Return how many accesses there are, and the first that may be seen with a page of theirs."""
        seen = rows.inside(self.authority, Permission.ACCESS_VIEW).order_by("cluster__name", "name")
        names = seen.values_list("cluster__name", "name")[:NAMED]
        return rows.count(), tuple(
            (f"{access} of {cluster}", self._url(page, cluster=cluster, access=access))
            for cluster, access in names
        )

    def identities(self, rows: Any) -> tuple[int, Named]:
        """Return how many identities were made, and the first of them with their clusters' accesses."""
        names = rows.order_by("cluster__name", "access_name").values_list("cluster__name", "access_name")
        seen = [one for one in names if self.authority.allows(Permission.ACCESS_VIEW, cluster=one[0])]
        shown = tuple(
            (f"{access} of {cluster}", self._url("accesses:add_ons", cluster=cluster))
            for cluster, access in seen[:NAMED]
        )
        return len(names), shown

    def _url(self, page: str, **arguments: str) -> str:
        return reverse(page, kwargs={"org": self.organization.slug, **arguments})


def of_change(credential: CloudCredential, asker: Asker) -> list[Consequence]:
    """Return what happens when new values replace those of a credential."""
    clusters = usage.related("clusters").objects
    by_access = credential.accesses.order_by().values("cluster")
    follow = clusters.filter(Q(credential=credential) | Q(pk__in=by_access))
    deployed = follow.filter(deployed_generation__isnull=False)
    never = follow.filter(deployed_generation=None)
    signs_in = credential.clusters.filter(signs_in="credential")
    told = [
        _said(asker.clusters(signs_in, "clusters:overview"), SIGNS_IN),
        _said(asker.clusters(deployed, "clusters:overview"), OUT_OF_DATE),
        _said(asker.accesses(credential.accesses.all(), "accesses:detail"), SECRETS),
        _said(asker.clusters(never, "clusters:overview"), NEVER),
    ]
    return [one for one in told if one.count]


# One, several, and what to know about it.
SIGNS_IN = (
    "Keyhaven signs in to one cluster with the new values at once",
    "Keyhaven signs in to {} clusters with the new values at once",
    "They are tried before they are stored; values that do not work change nothing.",
)
OUT_OF_DATE = (
    "One cluster becomes out of date",
    "{} clusters become out of date",
    "Its next deploy uses the new values; until then, what runs there goes on with the old ones.",
)
SECRETS = (
    "The Secret of one store is replaced by the next deploy",
    "The Secrets of {} stores are replaced by the next deploys",
    "Keep the old key good in the cloud until each of these clusters was deployed.",
)
NEVER = (
    "One cluster was never deployed",
    "{} clusters were never deployed",
    "Nothing there has the old values; the first deploy brings the new ones.",
)
CHOSEN = (
    "One cluster has it in its settings",
    "{} clusters have it in their settings",
    "Choose another one there, or none.",
)
HELD = (
    "One access signs in with it",
    "{} accesses sign in with it",
    "Choose another one, or type keys of its own.",
)
MADE = (
    "One identity was made with it",
    "{} identities were made with it",
    "Delete the access and deploy its cluster: the deploy removes the identity.",
)


def _said(found: tuple[int, Named], words: tuple[str, str, str]) -> Consequence:
    number, named = found
    one, several, rest = words
    return Consequence(number, (one if number == 1 else several).format(number), rest, named)


def of_deletion(credential: CloudCredential, asker: Asker) -> list[Consequence]:
    """Return what has to be taken out before a credential can be deleted; nothing when it can be."""
    told = [
        _said(asker.clusters(credential.clusters.all(), "clusters:settings"), CHOSEN),
        _said(asker.accesses(credential.accesses.all(), "accesses:edit"), HELD),
        _said(asker.identities(credential.identities.all()), MADE),
    ]
    return [one for one in told if one.count]


def affected(credential: CloudCredential) -> int:
    """Return how many clusters have to be deployed after a change, seen or not."""
    by_access = credential.accesses.order_by().values("cluster")
    follow = usage.related("clusters").objects.filter(Q(credential=credential) | Q(pk__in=by_access))
    return int(follow.count())


def out_of_date(credential: CloudCredential) -> int:
    """Return how many associated clusters wait for a deploy now."""
    waiting = usage.clusters_of(credential).filter(deployed_generation__lt=F("generation"))
    return int(waiting.count())
