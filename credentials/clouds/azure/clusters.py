"""Clusters of AKS: found in the subscription, described, and signed in to with a token of Entra."""

import base64
import dataclasses
import re
from typing import Any
from urllib.parse import urlsplit

import yaml
from django.views.decorators.debug import sensitive_variables

from credentials.clouds import azure, errors
from credentials.clouds.azure import roles, wire
from credentials.clouds.azure.admission import AZURE, KUBERNETES, admission, refused
from credentials.clouds.base import Facts, Finder, Found, Obstacle, Token

# Whom tokens for AKS are for, in all of Azure's clouds: Microsoft's own application for the API servers of AKS.
SERVER = "6dae42f8-4368-4678-94ff-3960e28e3630/.default"
VERSION = "2025-05-01"
_TYPE = "Microsoft.ContainerService/managedClusters"
_ID = re.compile(
    r"/subscriptions/(?P<subscription>[0-9a-f-]{36})/resourceGroups/(?P<group>[\w().-]{0,89}[\w()-])"
    r"/providers/Microsoft\.ContainerService/managedClusters/(?P<name>[A-Za-z0-9][\w-]{0,62})",
    re.IGNORECASE,
)
# The API server answers meanwhile.
_WORKING = ("succeeded", "updating", "upgrading", "scaling", "rotatingclustercertificates")
_LARGEST = 65_536


def find(session: azure.Identity, facts: Facts, place: str) -> list[Found]:
    """Return the clusters of the subscription, by name; where they answer is told by `describe`."""
    path = f"/subscriptions/{facts['subscription']}/providers/{_TYPE}"
    pages = azure.arm(session).pages(path, roles.READING[1], VERSION)
    found = [_found(one, facts) for one in pages if _ID.fullmatch(str(one.get("id")))]
    return sorted(found, key=lambda one: (one.name, one.place))


def describe(session: azure.Identity, facts: Facts, locator: dict[str, str]) -> Found:
    """Return a cluster with its address and CA, where it can be connected."""
    path, api = _path(facts, locator), azure.arm(session)
    with wire.budget():
        found = _found(api.call("GET", path, roles.READING[1], VERSION), facts)
        if found.blocked:
            return found
        answer = api.call("POST", f"{path}/listClusterUserCredential", roles.CONNECTING, VERSION)
    server, authority = _way_in(answer)
    return dataclasses.replace(found, endpoint=server, authority=authority)


@sensitive_variables()
def token(session: azure.Identity, facts: Facts, locator: dict[str, str]) -> Token:
    """Return Entra's token for the API servers of AKS."""
    _path(facts, locator)
    return session.token(SERVER)


def _path(facts: Facts, locator: dict[str, str]) -> str:
    """Return a cluster's address at Azure: in the credential's own subscription, and nothing but a cluster's."""
    found = _ID.fullmatch(locator.get("id", ""))
    if found is None or found["subscription"].lower() != facts["subscription"]:
        raise errors.NotThere(
            "This is no AKS cluster of the credential's subscription.",
            "Choose the cluster again, from the list.",
        )
    return f"/subscriptions/{facts['subscription']}/resourceGroups/{found['group']}/providers/{_TYPE}/{found['name']}"


def _found(one: dict[str, Any], facts: Facts) -> Found:
    properties = _object(one.get("properties"))
    parts = _ID.fullmatch(str(one.get("id")))
    if parts is None:
        raise wire.not_azure()
    host = properties.get("fqdn") or properties.get("privateFQDN")
    return Found(
        name=parts["name"],
        place=str(one.get("location") or "")[:64],
        account=parts["subscription"].lower(),
        locator={"id": str(one["id"])},
        version=str(properties.get("currentKubernetesVersion") or properties.get("kubernetesVersion") or "")[
            :64
        ],
        status=_status(properties),
        endpoint=f"https://{host}:443" if host else "",
        issuer=str(_object(properties.get("oidcIssuerProfile")).get("issuerURL") or "")[:300],
        blocked=_blocked(properties, parts["group"], parts["name"], facts),
        note=_note(_object(properties.get("apiServerAccessProfile"))),
        facts={"decides": _decides(_object(properties.get("aadProfile")))},
    )


def _decides(profile: dict[str, Any]) -> str:
    """Return who says what may be done in the cluster: Azure, or its own role bindings."""
    return AZURE if profile.get("enableAzureRBAC") is True else KUBERNETES


def _note(access: dict[str, Any]) -> str:
    if access.get("enablePrivateCluster"):
        return "Private: it answers in its own network only, which the console has to reach."
    if access.get("authorizedIPRanges"):
        return "It answers some addresses only, of which the console's has to be one."
    return ""


def _object(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}


def _status(properties: dict[str, Any]) -> str:
    power = str(_object(properties.get("powerState")).get("code") or "Running")
    state = str(properties.get("provisioningState") or "")
    return (power if power != "Running" or state == "Succeeded" else state or power)[:40]


def _blocked(properties: dict[str, Any], group: str, name: str, facts: Facts) -> Obstacle | None:
    """Return why a cluster cannot be connected as it is."""
    which = f"-g {group} -n {name}"
    state = str(properties.get("provisioningState") or "")
    if _object(properties.get("powerState")).get("code") == "Stopped":
        return Obstacle("The cluster is stopped.", f"Start it: az aks start {which}")
    if state and state.lower() not in _WORKING:
        return Obstacle(
            f"Azure says of the cluster: {state[:40]}.",
            "Wait until it has succeeded. One that failed says why in its activity log.",
        )
    return _signs_in(_object(properties.get("aadProfile")), which, facts)


def _signs_in(profile: dict[str, Any], which: str, facts: Facts) -> Obstacle | None:
    """Return why a cluster does not take tokens of the credential's tenant."""
    otherwise = "Connect it with a kubeconfig or a ServiceAccount instead"
    if not profile.get("managed"):
        return Obstacle(
            "The cluster does not sign anybody in with Entra ID.",
            f"{otherwise}, or turn it on: az aks update {which} --enable-aad",
        )
    tenant = str(profile.get("tenantID") or facts["tenant"]).lower()
    if tenant != facts["tenant"]:
        return Obstacle(
            f"The cluster signs in people and programs of another tenant: {tenant[:36]}.",
            f"{otherwise}, or add a credential of that tenant.",
        )
    return None


@sensitive_variables()
def _way_in(answer: dict[str, Any]) -> tuple[str, str]:
    """Return the address and the CA out of a user's kubeconfig; the user in it goes no further."""
    try:
        text = base64.b64decode(answer["kubeconfigs"][0]["value"])
        cluster = yaml.safe_load(text[:_LARGEST])["clusters"][0]["cluster"]
        server, authority = str(cluster["server"]), str(cluster["certificate-authority-data"])
        good = b"BEGIN CERTIFICATE" in base64.b64decode(authority, validate=True)
        parts = urlsplit(server)
    except (LookupError, TypeError, ValueError, yaml.YAMLError):
        raise wire.not_azure() from None
    if not good or parts.scheme != "https" or not parts.hostname or parts.username or parts.query:
        raise wire.not_azure()
    return server, authority


FINDER = Finder(
    kind="aks",
    label="Azure Kubernetes Service",
    place_label="",
    places=lambda facts: [],
    find=find,
    describe=describe,
    token=token,
    admission=admission,
    policy=lambda facts: roles.definition(facts.get("subscription", "")),
    refused=refused,
)
