"""How an identity of AWS is let into an EKS cluster, as steps for a person."""

import re

from credentials.clouds import admitting
from credentials.clouds.base import Card, Facts, Found, Listing, Obstacle

# Whom our own manifest gives what deploys need.
GROUP = "keyhaven"
_SESSION = re.compile(r"arn:(?P<partition>[\w-]+):sts::(?P<account>\d+):assumed-role/(?P<role>[^/]+)/.+")
_OLD_MODE = "CONFIG_MAP"
_DOCS = (
    "Access entries, in the EKS user guide",
    "https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html",
)


def principal(facts: Facts) -> str:
    """Return the ARN that EKS knows an identity by: of a role's session, the role."""
    arn = facts.get("arn", "")
    session = _SESSION.fullmatch(arn)
    if session is None:
        return arn
    return f"arn:{session['partition']}:iam::{session['account']}:role/{session['role']}"


def cards(facts: Facts, found: Found) -> tuple[Card, ...]:
    """Return the steps by which somebody who manages a cluster lets the identity in."""
    first = (
        _by_config_map(facts) if found.facts.get("authentication") == _OLD_MODE else _by_entry(facts, found)
    )
    return (*first, _bind(facts, found))


def refused(facts: Facts, locator: dict[str, str]) -> Obstacle:
    """Return why a cluster refuses a good token of the identity, and the command that lets it in."""
    name = locator.get("name", "")
    return Obstacle(
        f"The cluster {name} has no access entry for {principal(facts)}, or does not know its keys.",
        f"Make the access entry: {_entry(facts, name, locator.get('region', ''))}",
    )


def _entry(facts: Facts, name: str, region: str) -> str:
    return (
        f"aws eks create-access-entry --cluster-name {name} --region {region} "
        f"--principal-arn {principal(facts)} --kubernetes-groups {GROUP}"
    )


def _by_entry(facts: Facts, found: Found) -> tuple[Card, ...]:
    return (
        Card(
            "Let the identity into the cluster",
            f"An access entry tells the cluster who this is, and that it belongs to the group {GROUP}. "
            "It takes effect within seconds.",
            (Listing("Command", _entry(facts, found.name, found.place)),),
            _DOCS,
        ),
    )


def _by_config_map(facts: Facts) -> tuple[Card, ...]:
    arn = principal(facts)
    kind, field = ("mapUsers", "userarn") if ":user/" in arn else ("mapRoles", "rolearn")
    # The authenticator of this mode knows roles by their name alone.
    plain = re.sub(r":role/.*/", ":role/", arn)
    entry = f"{kind}: |\n  - {field}: {plain}\n    username: {GROUP}\n    groups:\n      - {GROUP}"
    return (
        Card(
            "Let the identity into the cluster",
            "The cluster's authentication mode is CONFIG_MAP, which knows no access entries. "
            "Add these lines to the data of the ConfigMap aws-auth, to what is there.",
            (
                Listing("Open the ConfigMap", "kubectl edit configmap aws-auth --namespace kube-system"),
                Listing("Add", entry),
            ),
            _DOCS,
        ),
    )


def _bind(facts: Facts, found: Found) -> Card:
    partition = principal(facts).split(":")[1] if principal(facts) else "aws"
    policy = f"arn:{partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
    wide = (
        f"aws eks associate-access-policy --cluster-name {found.name} --region {found.place} "
        f"--principal-arn {principal(facts)} --policy-arn {policy} --access-scope type=cluster"
    )
    apply = Listing("Command", admitting.apply(group=GROUP))
    old = found.facts.get("authentication") == _OLD_MODE
    return Card(
        "Say what it may do",
        f"Keyhaven's manifest gives the group {GROUP} what deploys need and no more, each rule with its reason. "
        "Apply it as somebody who manages the cluster.",
        (apply,) if old else (apply, Listing("Instead, everything, by an access policy of EKS", wide)),
    )
