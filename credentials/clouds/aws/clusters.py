"""EKS: the clusters of an account and a region, and tokens that sign in to them."""

import base64
import datetime
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.views.decorators.debug import sensitive_variables

from credentials.clouds import aws
from credentials.clouds.aws import admission, policies, regions
from credentials.clouds.base import Facts, Finder, Found, Obstacle, Session, Token
from credentials.clouds.errors import NotThere, PermissionMissing, ProviderError

# Of more clusters than that the list tells the names alone, as AWS does.
DESCRIBED = 100
MOST = 1000
AT_ONCE = 8
# The API server takes the signature for a quarter of an hour, whatever the address says of its end.
LIFETIME = datetime.timedelta(minutes=14)
SAID_TO_LIVE = 60
PREFIX = "k8s-aws-v1."

_NAME = re.compile(r"[A-Za-z0-9][\w-]{0,99}")
_UNUSABLE = {
    "CREATING": Obstacle(
        "It is being made.", "Wait until its status is ACTIVE; EKS takes about ten minutes."
    ),
    "PENDING": Obstacle("It is being made.", "Wait until its status is ACTIVE; EKS takes about ten minutes."),
    "DELETING": Obstacle("It is being deleted.", "Choose another cluster."),
    "FAILED": Obstacle("EKS says that it failed.", "Look at its page in the EKS console; make it anew."),
}
_NO_ENDPOINT = Obstacle("EKS tells no endpoint of it.", "Wait until its status is ACTIVE, then look again.")
_PRIVATE = (
    "Its endpoint is private: the console reaches it from its VPC, or from a network that is connected to it."
)
_LIMITED = "Its endpoint lets some networks in: the address that the console comes from must be among them."


def policy(facts: Facts) -> str:
    """Return the least that finding clusters and signing in to them needs."""
    return aws.policy(*policies.clusters(facts.get("account", "ACCOUNT_ID"), facts.get("partition", "aws")))


def places(facts: Facts) -> list[tuple[str, str]]:
    """Return the regions of the identity's partition, the one that its accounts begin with first."""
    partition = facts.get("partition", "aws")
    first = facts.get("region") or regions.PARTITIONS.get(partition, regions.PARTITIONS["aws"])[1]
    found = [name for name in regions.served("eks") if regions.partition_of(name) == partition]
    found.sort(key=lambda name: name != first)
    return [(name, regions.city("eks", name)) for name in found]


@sensitive_variables()
def find(session: Session, facts: Facts, place: str) -> list[Found]:
    """Return the clusters of a region by name; one that may not be described is blocked, and says so."""
    client = _client(session, place)
    names = _names(client, facts, place)
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="eks") as pool:
        seen = list(pool.map(lambda name: _seen(client, facts, place, name), names[:DESCRIBED]))
    return [one for one in seen if one] + [_named(place, name) for name in names[DESCRIBED:]]


@sensitive_variables()
def describe(session: Session, facts: Facts, locator: dict[str, str]) -> Found:
    """Return a cluster as EKS describes it.

    :raises ProviderError: it is not there, or may not be described
    """
    region, name = _located(locator)
    return _described(_client(session, region), facts, region, name)


@sensitive_variables()
def token(session: Session, facts: Facts, locator: dict[str, str]) -> Token:
    """Return a token for one cluster: a signed request to STS that tells whoever sends it whose it is.

    Nothing is asked for it; with keys that AWS does not know it is the API server that refuses.
    """
    from botocore import auth, awsrequest, credentials

    region, name = _located(locator)
    with aws.translated("sts:GetCallerIdentity", region, ""):
        address = aws.client("sts", session, region).meta.endpoint_url
        request = awsrequest.AWSRequest(
            method="GET",
            url=f"{address}/",
            params={"Action": "GetCallerIdentity", "Version": "2011-06-15"},
            headers={"x-k8s-aws-id": name},
        )
        keys = credentials.Credentials(
            session.access_key_id, session.secret_access_key, session.session_token or None
        )
        auth.SigV4QueryAuth(keys, "sts", region, expires=SAID_TO_LIVE).add_auth(request)
    signed = base64.urlsafe_b64encode(str(request.url).encode()).decode().rstrip("=")
    return Token(PREFIX + signed, datetime.datetime.now(datetime.UTC) + LIFETIME)


def _client(session: Session, region: str) -> Any:
    if not regions.SHAPE.fullmatch(region):
        raise NotThere("AWS has no such region.", "Choose another region.")
    with aws.translated("eks:ListClusters", region, ""):
        return aws.client("eks", session, region)


def _located(locator: dict[str, str]) -> tuple[str, str]:
    region, name = locator.get("region", ""), locator.get("name", "")
    if not regions.SHAPE.fullmatch(region) or not _NAME.fullmatch(name):
        raise NotThere("It is not known which EKS cluster this is.", "Connect the cluster anew.")
    return region, name


def _names(client: Any, facts: Facts, region: str) -> list[str]:
    names: list[str] = []
    with aws.translated("eks:ListClusters", region, policy(facts)):
        for page in client.get_paginator("list_clusters").paginate():
            names += page["clusters"]
            if len(names) >= MOST:
                break
    return sorted(names)[:MOST]


def _seen(client: Any, facts: Facts, region: str, name: str) -> Found | None:
    try:
        return _described(client, facts, region, name)
    except NotThere:
        # Deleted since it was listed.
        return None
    except PermissionMissing as error:
        return _named(region, name, Obstacle(error.reason, error.remedy))
    except ProviderError as error:
        if error.retryable:
            return _named(region, name)
        raise


def _named(region: str, name: str, blocked: Obstacle | None = None) -> Found:
    return Found(
        name=name, place=region, account="", locator={"region": region, "name": name}, blocked=blocked
    )


def _described(client: Any, facts: Facts, region: str, name: str) -> Found:
    with aws.translated("eks:DescribeCluster", region, policy(facts)):
        said = client.describe_cluster(name=name)["cluster"]
        status, endpoint = str(said["status"]), str(said.get("endpoint") or "")
        return Found(
            name=name,
            place=region,
            account=str(said["arn"]).split(":")[4],
            locator={"region": region, "name": name},
            version=str(said.get("version", "")),
            status=status,
            endpoint=endpoint,
            authority=str((said.get("certificateAuthority") or {}).get("data") or ""),
            issuer=str(((said.get("identity") or {}).get("oidc") or {}).get("issuer") or ""),
            blocked=_UNUSABLE.get(status) or (None if endpoint else _NO_ENDPOINT),
            note=_note(said.get("resourcesVpcConfig") or {}),
            facts={"authentication": str((said.get("accessConfig") or {}).get("authenticationMode") or "")},
        )


def _note(network: dict[str, Any]) -> str:
    if not network.get("endpointPublicAccess", True):
        return _PRIVATE
    lets_in = network.get("publicAccessCidrs") or ["0.0.0.0/0"]
    return "" if "0.0.0.0/0" in lets_in else _LIMITED


FINDER = Finder(
    kind="eks",
    label="Amazon EKS",
    place_label="Region",
    places=places,
    find=find,
    describe=describe,
    token=token,
    admission=admission.cards,
    policy=policy,
    refused=admission.refused,
)
