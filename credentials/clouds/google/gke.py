"""GKE: the clusters of a project, and tokens that sign in to them."""

import datetime
import re
import shlex
from typing import Any

from django.views.decorators.debug import sensitive_variables

from credentials.clouds import admitting, google
from credentials.clouds.base import Card, Facts, Finder, Found, Listing, Obstacle, Session, Token
from credentials.clouds.errors import NotThere
from credentials.clouds.google import regions
from credentials.clouds.google import wire as google_wire

LIST, GET = "container.clusters.list", "container.clusters.get"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
# Without it a cluster knows a service account by its number alone, and no binding to its address counts.
EMAIL_SCOPE = "https://www.googleapis.com/auth/userinfo.email"

_HOST = "https://container.googleapis.com/v1"
_PLACE = re.compile(r"[a-z]+-[a-z]+\d{1,2}(?:-[a-z])?")
_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_DOCS = "https://cloud.google.com/kubernetes-engine/docs/how-to/role-based-access-control"
_WAIT = "Wait until its status is RUNNING, then look again."
_UNUSABLE = {
    "PROVISIONING": Obstacle("It is being made.", _WAIT),
    "STOPPING": Obstacle("It is being deleted.", "Choose another cluster."),
    "ERROR": Obstacle("GKE says that it does not work.", "Look at its page in the Google Cloud console."),
}
_NO_ADDRESS = Obstacle("GKE tells no address of it yet.", _WAIT)
_BY_NAME_ALONE = Obstacle(
    "Its control plane has no IP endpoint: it is reached by its DNS endpoint alone, which Keyhaven does not use yet.",
    "Turn on its IP endpoint, or connect it by a kubeconfig with a certificate authority.",
)
_PRIVATE = (
    "Its address is private: the console reaches it from its VPC, or from a network that is connected to it."
)
_LIMITED = "Its control plane lets authorized networks in: the address that the console comes from must be among them."
_RECONCILING = {
    "RECONCILING": "GKE is changing it just now.",
    "DEGRADED": "GKE says that it needs attention.",
}


def policy(facts: Facts) -> str:
    """Return the gcloud line that grants the least that finding clusters and signing in to them needs."""
    project = shlex.quote(facts.get("project") or "PROJECT_ID")
    return (
        f"gcloud projects add-iam-policy-binding {project} --role=roles/container.clusterViewer \\\n"
        f"  --member={shlex.quote(member(facts))} --condition=None"
    )


def member(facts: Facts) -> str:
    """Return what IAM calls the identity."""
    return facts.get("principal") or f"serviceAccount:{facts.get('email') or 'SERVICE_ACCOUNT_EMAIL'}"


@sensitive_variables()
def find(session: Session, facts: Facts, place: str) -> list[Found]:
    """Return the clusters of a project by name, of all places; a place that did not answer stands among them, blocked."""
    project = facts["project"]
    path = f"v1/projects/{project}/locations/{place or '-'}/clusters"
    said = google.Api(session).call("GET", "container", path, LIST)
    found = [_described(project, one) for one in said.get("clusters") or [] if isinstance(one, dict)]
    found.sort(key=lambda one: (one.name, one.place))
    return found + [_missing(project, str(place)) for place in said.get("missingZones") or []]


@sensitive_variables()
def describe(session: Session, facts: Facts, locator: dict[str, str]) -> Found:
    """Return a cluster as GKE describes it.

    :raises ProviderError: it is not there, or may not be described
    """
    project, location, name = _located(locator)
    path = f"v1/projects/{project}/locations/{location}/clusters/{name}"
    return _described(project, google.Api(session).call("GET", "container", path, GET))


@sensitive_variables()
def token(session: Session, facts: Facts, locator: dict[str, str]) -> Token:
    """Return an access token of Google, which signs in to all clusters that know the identity."""
    # A federated identity has no address that could be asked for.
    signing = session.with_scopes([SCOPE, EMAIL_SCOPE]) if facts.get("email") else session
    with google.translated("iam.serviceAccounts.getAccessToken"):
        signing.refresh(google_wire.transport())
        return Token(str(signing.token), signing.expiry.replace(tzinfo=datetime.UTC))


def _located(locator: dict[str, str]) -> tuple[str, str, str]:
    project, location, name = (locator.get(one, "") for one in ("project", "location", "name"))
    if not (google.PROJECT.fullmatch(project) and _PLACE.fullmatch(location) and _NAME.fullmatch(name)):
        raise NotThere("It is not known which GKE cluster this is.", "Connect the cluster anew.")
    return project, location, name


def _missing(project: str, zone: str) -> Found:
    why = Obstacle("Google does not answer for this place now.", "Look again in a minute.")
    return Found(name=f"Clusters of {zone}", place=zone, account=project, locator={}, blocked=why)


def _described(project: str, said: dict[str, Any]) -> Found:
    name, place, status = (str(said.get(one) or "") for one in ("name", "location", "status"))
    where = f"projects/{project}/locations/{place}/clusters/{name}"
    address, private = _address(said)
    return Found(
        name=name,
        place=place,
        account=project,
        locator={"project": project, "location": place, "name": name},
        version=str(said.get("currentMasterVersion") or ""),
        status=status,
        endpoint=f"https://{address}" if address else "",
        authority=str((said.get("masterAuth") or {}).get("clusterCaCertificate") or ""),
        # Its own link has `zones` for some clusters; the issuer never has.
        issuer=f"{_HOST}/{where}",
        blocked=_blocked(said, status, address),
        note=" ".join(filter(None, (_RECONCILING.get(status, ""), _network(said, private=private)))),
        facts={"city": regions.city("-".join(place.split("-")[:2]))},
    )


def _endpoints(said: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (said.get("controlPlaneEndpointsConfig") or {}).get("ipEndpointsConfig") or {}
    return found


def _address(said: dict[str, Any]) -> tuple[str, bool]:
    """Return the control plane's IP address, the public one where there is one, and whether it is private."""
    ip, old = _endpoints(said), said.get("privateClusterConfig") or {}
    if ip.get("enabled") is False:
        return "", False
    public = ip.get("publicEndpoint") if ip.get("enablePublicEndpoint", True) else ""
    public = public or ("" if old.get("enablePrivateEndpoint") else old.get("publicEndpoint"))
    address = str(public or said.get("endpoint") or ip.get("privateEndpoint") or "")
    inner = {str(one.get("privateEndpoint")) for one in (ip, old) if one.get("privateEndpoint")}
    return address, bool(address) and (address in inner or old.get("enablePrivateEndpoint") is True)


def _blocked(said: dict[str, Any], status: str, address: str) -> Obstacle | None:
    if status in _UNUSABLE:
        return _UNUSABLE[status]
    if address:
        return None
    return _BY_NAME_ALONE if _endpoints(said).get("enabled") is False else _NO_ADDRESS


def _network(said: dict[str, Any], *, private: bool) -> str:
    if private:
        return _PRIVATE
    limits = (
        _endpoints(said).get("authorizedNetworksConfig") or said.get("masterAuthorizedNetworksConfig") or {}
    )
    return _LIMITED if limits.get("enabled") else ""


def user(facts: Facts) -> str:
    """Return the name by which a cluster knows the identity."""
    return facts.get("principal") or facts.get("email") or "SERVICE_ACCOUNT_EMAIL"


def admission(facts: Facts, found: Found) -> tuple[Card, ...]:
    """Return the steps by which somebody who manages a cluster lets the identity in."""
    zone = "--zone" if found.place.count("-") > 1 else "--region"
    credentials = (
        f"gcloud container clusters get-credentials {shlex.quote(found.name)} \\\n"
        f"  {zone}={shlex.quote(found.place)} --project={shlex.quote(found.account)}"
    )
    return (
        Card(
            "Let the identity see the clusters of the project",
            "This role lists and describes clusters and lets the identity reach their API; it gives no right inside of them.",
            (Listing("Command", policy(facts | {"project": found.account})),),
        ),
        Card(
            "Say what it may do in the cluster",
            "Keyhaven's manifest gives it what deploys need and no more, each rule with its reason. "
            "Apply it as somebody who manages the cluster.",
            (
                Listing("Sign kubectl in", credentials),
                Listing("Apply the manifest", admitting.apply(user=user(facts))),
            ),
            ("Authorize actions with RBAC, in the GKE documentation", _DOCS),
        ),
    )


def refused(facts: Facts, locator: dict[str, str]) -> Obstacle:
    """Return why a cluster refuses a good token of the identity."""
    return Obstacle(
        f"The cluster {locator.get('name', '')} does not know {user(facts)}.",
        f"Grant it roles/container.clusterViewer on the project {locator.get('project', '')}, and let it in: "
        f"{admitting.apply(user=user(facts))}",
    )


FINDER = Finder(
    kind="gke",
    label="Google Kubernetes Engine",
    place_label="Location",
    # All places are asked at once.
    places=lambda facts: [],
    find=find,
    describe=describe,
    token=token,
    admission=admission,
    policy=policy,
    refused=refused,
)
