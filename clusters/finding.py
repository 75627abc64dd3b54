"""The clusters that a cloud credential finds, and those of them that are connected already."""

import hashlib
import json
from dataclasses import dataclass

from accounts.models import Organization
from clusters import kubeconfig
from clusters.models import Cluster
from clusters.models.clusters import ClusterQuerySet
from credentials import clouds, signing
from credentials.clouds.base import Card, Finder, Found
from credentials.clouds.errors import NotPossibleHere, NotThere, PermissionMissing
from credentials.models import CloudCredential

# The clouds whose clusters are found.
CLOUDS = tuple(slug for slug, cloud in clouds.CLOUDS.items() if cloud.finder is not None)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A found cluster; `key` stands for it in a form, and `connected` is the cluster that it is here already."""

    found: Found
    key: str
    connected: Cluster | None


def finder(credential: CloudCredential) -> Finder:
    """Return how the credential's cloud finds clusters.

    :raises NotPossibleHere: it does not
    """
    cloud = clouds.CLOUDS.get(credential.cloud)
    if cloud is None or cloud.finder is None:
        raise NotPossibleHere(
            "Keyhaven does not find clusters by this kind of credential.",
            "Choose another credential, or connect the cluster by a kubeconfig.",
        )
    return cloud.finder


def places(credential: CloudCredential) -> list[tuple[str, str]]:
    """Return where to look, the likeliest first; empty where there is nothing to choose.

    :raises ProviderError: the cloud tells no places
    """
    return finder(credential).places(signing.facts_of(credential))


def find(credential: CloudCredential, place: str) -> list[Candidate]:
    """Return the clusters that the credential finds in a place, by name.

    :raises ProviderError: the cloud refuses, or does not answer
    """
    found = finder(credential).find(signing.session(credential), signing.facts_of(credential), place)
    here = _connected(credential.organization, finder(credential).kind)
    return [
        Candidate(one, key_of(one.locator), _here(here, credential.account, one))
        for one in sorted(found, key=lambda one: (one.name, one.place))
    ]


def describe(credential: CloudCredential, locator: dict[str, str]) -> Found:
    """Return a cluster as its cloud describes it now, with its address and authority.

    :raises NotPossibleHere: it cannot be connected as it is
    :raises ProviderError: the cloud refuses, or does not answer
    """
    found = finder(credential).describe(signing.session(credential), signing.facts_of(credential), locator)
    if found.blocked is not None:
        raise NotPossibleHere(found.blocked.reason, found.blocked.remedy)
    return found


def match(credential: CloudCredential, place: str, cluster: Cluster) -> Found:
    """Return the one of the credential's clusters that a connected one is.

    :raises NotThere: it is not among them
    :raises ProviderError: the cloud refuses, or does not answer
    """
    found = [candidate.found for candidate in find(credential, place)]
    # The likely one first: each may have to be described.
    for one in sorted(found, key=lambda one: one.name not in (cluster.cloud_name, cluster.name)):
        whole = one if one.endpoint and one.authority else _described(credential, one)
        if whole is not None and is_same(cluster, whole):
            return whole
    count = f"{len(found)} cluster{'' if len(found) == 1 else 's'}" if found else "no clusters"
    where = f" in {place}" if place else ""
    raise NotThere(
        f"{credential.name} finds {count}{where}, and not {cluster.name}.",
        "Choose the place and the credential of the account that the cluster is in.",
    )


def _described(credential: CloudCredential, found: Found) -> Found | None:
    try:
        return describe(credential, found.locator)
    except (NotPossibleHere, NotThere, PermissionMissing):
        # It is being made or deleted, or is not for this identity.
        return None


def is_same(cluster: Cluster, found: Found) -> bool:
    """Tell whether a connected cluster and a found one are the same: by address, authority or issuer."""
    if cluster.server.rstrip("/").lower() == found.endpoint.rstrip("/").lower():
        return True
    if cluster.signs_in == Cluster.SignsIn.CREDENTIAL and cluster.locator == found.locator:
        return True
    if found.authority and kubeconfig.authority(cluster.kubeconfig) == "".join(found.authority.split()):
        return True
    return (
        bool(cluster.issuer) and "kubernetes.default" not in cluster.issuer and cluster.issuer == found.issuer
    )


def admission(credential: CloudCredential, found: Found) -> tuple[Card, ...]:
    """Return the steps that let the credential's identity into a cluster."""
    return finder(credential).admission(signing.facts_of(credential), found)


def key_of(locator: dict[str, str]) -> str:
    """Return what stands for a locator in a form: nobody makes up a locator of their own."""
    return hashlib.sha256(json.dumps(locator, sort_keys=True).encode()).hexdigest()[:32]


def connected(credential: CloudCredential, found: Found) -> Cluster | None:
    """Return the cluster that a found one is here already, or None."""
    here = _connected(credential.organization, finder(credential).kind)
    return _here(here, credential.account, found)


def _mark(account: str, locator: dict[str, str]) -> str:
    return f"{account} {key_of(locator)}"


def _connected(organization: Organization, kind: str) -> dict[str, Cluster]:
    """Return the organization's clusters, by what their cloud calls them and by their address."""
    owned: ClusterQuerySet = Cluster.objects.owned_by(organization)
    marks: dict[str, Cluster] = {}
    for one in owned.only("name", "kind", "account", "locator", "server", "organization", "signs_in"):
        marks[one.server.rstrip("/").lower()] = one
        if one.signs_in == Cluster.SignsIn.CREDENTIAL and one.kind == kind:
            marks[_mark(one.account, one.locator)] = one
    return marks


def _here(marks: dict[str, Cluster], account: str, found: Found) -> Cluster | None:
    # A cloud may leave out the account where it tells no more than names.
    same = marks.get(_mark(found.account or account, found.locator))
    return same or (marks.get(found.endpoint.rstrip("/").lower()) if found.endpoint else None)
