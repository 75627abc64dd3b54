"""Clusters of Kapsule: found in a region, described, and signed in to with the API key."""

import base64
import datetime
import re
from typing import Any

import yaml
from django.views.decorators.debug import sensitive_variables

from credentials.clouds import admitting, errors
from credentials.clouds.base import Card, Facts, Finder, Found, Listing, Obstacle, Token
from credentials.clouds.scaleway import asking, policies, regions
from credentials.clouds.scaleway.asking import Identity

# Scaleway has no token for a cluster: `scw k8s exec-credential` hands out the secret key. So it is asked for anew now
# and then only to notice that the credential was replaced.
LIFE = datetime.timedelta(minutes=30)
PAGES, SIZE = 10, 100
_REGION = re.compile(r"[a-z]{2}-[a-z]{3}")
_LARGEST = 65_536
_WAIT = "Wait until its status is ready, then look again."
_UNUSABLE = {
    "creating": Obstacle("It is being made.", _WAIT),
    "deleting": Obstacle("It is being deleted.", "Choose another cluster."),
    "deleted": Obstacle("It is deleted.", "Choose another cluster."),
    "locked": Obstacle("Scaleway has locked it.", "Look at its page in the Scaleway console."),
    "unknown": Obstacle("Scaleway does not know its state.", _WAIT),
}
_NO_NODES = "It has no node pool: nothing runs there until it has one."
_GUIDE = (
    "https://www.scaleway.com/en/docs/kubernetes/reference-content/set-iam-permissions-and-implement-rbac/"
)


def find(session: Identity, facts: Facts, place: str) -> list[Found]:
    """Return the clusters of the credential's project in a region, by name."""
    path, found = f"/k8s/v1/regions/{_region(place or regions.of(facts))}/clusters", []
    for page in range(1, PAGES + 1):
        said = asking.ask(
            session, "GET", path, policies.READ, project_id=facts["project"], page=page, page_size=SIZE,
            order_by="name_asc",
        )  # fmt: skip
        clusters = said.get("clusters") or []
        found += [_found(one) for one in clusters if isinstance(one, dict)]
        if len(clusters) < SIZE:
            break
    return sorted(found, key=lambda one: one.name)


def describe(session: Identity, facts: Facts, locator: dict[str, str]) -> Found:
    """Return a cluster with its address and CA; of its kubeconfig nothing else is read."""
    path = _path(locator)
    found = _found(asking.ask(session, "GET", path, policies.READ))
    if found.account != facts["project"]:
        raise errors.NotThere("This is no cluster of the credential's project.", "Choose it from the list.")
    if found.blocked:
        return found
    # Redacted: without the administrators' token that older clusters have in it.
    server, authority = _way_in(
        asking.ask(session, "GET", f"{path}/kubeconfig", policies.READ, redacted="true")
    )
    return Found(
        name=found.name, place=found.place, account=found.account, locator=found.locator, version=found.version,
        status=found.status, endpoint=server, authority=authority, note=found.note,
    )  # fmt: skip


@sensitive_variables()
def token(session: Identity, facts: Facts, locator: dict[str, str]) -> Token:
    """Return what Scaleway's API servers know an identity by: the secret key."""
    _path(locator)
    return Token(session.secret_key, datetime.datetime.now(datetime.UTC) + LIFE)


def _region(name: str) -> str:
    if not _REGION.fullmatch(name):
        raise errors.NotThere("Scaleway has no such region.", "Choose another region.")
    return name


def _path(locator: dict[str, str]) -> str:
    region, cluster = locator.get("region", ""), locator.get("id", "")
    if not (_REGION.fullmatch(region) and asking.UUID.fullmatch(cluster)):
        raise errors.NotThere("It is not known which Kapsule cluster this is.", "Connect the cluster anew.")
    return f"/k8s/v1/regions/{region}/clusters/{cluster}"


def _found(said: dict[str, Any]) -> Found:
    def text(name: str, most: int = 300) -> str:
        return str(said.get(name) or "")[:most]

    return Found(
        name=text("name", 100),
        place=text("region", 16),
        account=text("project_id", 36),
        locator={"region": text("region", 16), "id": text("id", 36)},
        version=text("version", 40),
        status=text("status", 40),
        endpoint=text("cluster_url"),
        blocked=_UNUSABLE.get(text("status")),
        note=_NO_NODES if text("status") == "pool_required" else "",
    )


@sensitive_variables()
def _way_in(said: dict[str, Any]) -> tuple[str, str]:
    """Return the server and the CA of a kubeconfig; whatever else is in it is not looked at."""
    try:
        content = base64.b64decode(str(said["content"]), validate=True)
        if len(content) > _LARGEST:
            raise ValueError
        cluster = yaml.safe_load(content)["clusters"][0]["cluster"]
        return str(cluster["server"]), str(cluster["certificate-authority-data"])
    except (KeyError, IndexError, TypeError, ValueError, yaml.YAMLError):
        raise errors.NotReachable(
            "Scaleway's kubeconfig of the cluster cannot be read.", "Try again later."
        ) from None


def bearer(facts: Facts) -> str:
    """Return the user name by which a cluster knows the key's bearer."""
    return f"scaleway:bearer:{facts.get('application') or facts.get('user') or 'APPLICATION_ID'}"


def admission(facts: Facts, found: Found) -> tuple[Card, ...]:
    """Return the steps by which somebody who manages a cluster lets the key's bearer in."""
    return (
        Card(
            "Know what signs in",
            "Scaleway has no short-lived tokens for clusters: as with its own command line tool, the secret key itself goes to "
            "the cluster's API server with each request. It goes to Scaleway's machines only, but it is the whole key. To "
            "avoid that, connect the cluster by the kubeconfig of a ServiceAccount, whose token Keyhaven renews.",
        ),
        Card(
            "Say what it may do",
            f"With {policies.READ} the cluster knows it as {bearer(facts)}, which may look at most things and change none. "
            "Keyhaven's manifest gives it what deploys need, and no more.",
            (Listing("Command", admitting.apply(user=bearer(facts))),),
            ("IAM and RBAC on a cluster", _GUIDE),
        ),
    )


def refused(facts: Facts, locator: dict[str, str]) -> Obstacle:
    """Return why a cluster does not know a good key, and what to do."""
    return Obstacle(
        f"The cluster does not let {bearer(facts)} in.",
        f"Give its application {policies.READ} for the cluster's project; it takes effect within minutes.",
    )


FINDER = Finder(
    kind="kapsule",
    label="Scaleway Kapsule",
    place_label="Region",
    places=regions.places,
    find=find,
    describe=describe,
    token=token,
    admission=admission,
    policy=policies.clusters,
    refused=refused,
)
