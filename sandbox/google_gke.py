"""The Google stand-in's container interface: clusters are told as Google tells them; a cluster registers itself."""

import base64
import json
import urllib.request
from typing import Any

from sandbox import world
from sandbox.google_api import Request, route
from sandbox.google_state import State, not_found
from sandbox.kubernetes import Cluster
from sandbox.kubernetes.google_users import GoogleUsers
from sandbox.kubernetes.identity import EVERYTHING

_CLUSTERS = "/v1/projects/{project}/locations/{location}/clusters"


def register(state: State, body: dict[str, Any]) -> None:
    """Add a cluster, or change some of what is said of one; `ca` is its authority in PEM, in base64."""
    project, name = body.pop("project", world.GOOGLE_CLUSTERS), body.pop("name")
    location, authority = body.pop("location", "europe-west9"), body.pop("ca", None)
    self_link = f"https://container.googleapis.com/v1/projects/{project}/locations/{location}/clusters/{name}"
    before = {
        "name": name, "location": location, "status": "RUNNING", "selfLink": self_link,
        "currentMasterVersion": "1.36.2-gke.1498000", "masterAuth": {},
    }  # fmt: skip
    found = state.clusters.setdefault((project, location, name), before)
    found |= body | ({"masterAuth": {"clusterCaCertificate": authority}} if authority else {})


def tell(google: str, **cluster: Any) -> None:
    """Let the stand-in at this address know a cluster."""
    data = json.dumps(cluster).encode()
    request = urllib.request.Request(f"{google}/sandbox/gke", data=data, method="POST")  # noqa: S310
    urllib.request.urlopen(request, timeout=10).read()  # noqa: S310


def enroll(google: str, cluster: Cluster, email: str, **said: Any) -> None:
    """Let the stand-in tell of a cluster by the name that its issuer has, and the cluster ask it whose a token is.

    The one with this address may do everything in it.
    """
    words = cluster.issuer.rpartition("/v1/")[2].split("/")
    where = dict(zip(words[::2], words[1::2], strict=True))
    cluster.identities.authenticators.append(GoogleUsers(google, {email: EVERYTHING}, cluster.store))
    authority = base64.b64encode(cluster.ca_pem.encode()).decode()
    tell(
        google, project=where["projects"], location=where["locations"], name=where["clusters"],
        endpoint=cluster.url.removeprefix("https://"), ca=authority,
        currentMasterVersion=cluster.api.version.removeprefix("v"), **said,
    )  # fmt: skip


@route("GET", _CLUSTERS)
def list_clusters(request: Request) -> dict[str, Any]:
    asked, where = request.names["project"], request.names["location"]
    project = request.state.require(request.members, "container.clusters.list", asked)
    found = [
        one
        for (owner, location, _), one in request.state.clusters.items()
        if owner == project.id and where in ("-", location)
    ]
    answer: dict[str, Any] = {"clusters": found} if found else {}
    missing = request.state.faults.get("missing_zones")
    return answer | ({"missingZones": missing} if missing else {})


@route("GET", _CLUSTERS + "/{name}")
def get_cluster(request: Request) -> dict[str, Any]:
    names = request.names
    project = request.state.require(request.members, "container.clusters.get", names["project"])
    found = request.state.clusters.get((project.id, names["location"], names["name"]))
    if found is None:
        raise not_found(f"projects/{project.id}/locations/{names['location']}/clusters/{names['name']}")
    return found
