"""What an AWS identity is allowed: the policy documents, narrowed to prefixes or to single names, and role trust."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError

from accesses.setup import written
from credentials.clouds.aws import regions as aws_regions

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

type Document = dict[str, Any]

# What IAM takes: all inline policies of a role together, and of a user, without whitespace.
LARGEST = 10_240
LARGEST_FOR_USERS = 2_048

SECRETS_MANAGER, PARAMETER_STORE = written.SECRETS_MANAGER, written.PARAMETER_STORE
MOST_PREFIXES = written.MOST_PREFIXES
is_name, clean_prefixes, clean_kms_keys = written.is_name, written.clean_prefixes, written.clean_kms_keys

# provider → action → why it is needed
ACTIONS: dict[str, dict[str, str]] = {
    SECRETS_MANAGER: {
        "secretsmanager:GetResourcePolicy": "Tells whom else a secret is shared with; the operator's documentation asks for it.",
        "secretsmanager:GetSecretValue": "The operator reads the value with it; the console never does.",
        "secretsmanager:DescribeSecret": "Tells a secret's tags, key and rotation, without its value.",
        "secretsmanager:ListSecretVersionIds": "Tells a secret's versions, of which a link may pin one.",
        "secretsmanager:ListSecrets": "Lists the names to pick from.",
    },
    PARAMETER_STORE: {
        "ssm:GetParameter": "The operator reads one parameter with it; the console never does.",
        "ssm:GetParameters": "Reads several parameters in one request.",
        "ssm:GetParametersByPath": "Reads all parameters below a path.",
        "ssm:DescribeParameters": "Lists the names to pick from, without values.",
    },
}
# What finding secrets by their beginning or their tags needs beside; AWS narrows none of it.
SEVERAL: dict[str, list[str]] = {
    SECRETS_MANAGER: ["secretsmanager:BatchGetSecretValue"],
    PARAMETER_STORE: ["tag:GetResources"],
}
# The action that AWS cannot narrow, and what follows.
LISTING: dict[str, str] = {
    SECRETS_MANAGER: "secretsmanager:ListSecrets",
    PARAMETER_STORE: "ssm:DescribeParameters",
}
STARRED = (
    "{} stays on * because AWS has no narrower form of it. It shows the names of the region's secrets, and no value. "
    "Without it, names cannot be listed here and have to be typed."
)
_WHOLE = re.compile(r".*-[A-Za-z0-9]{6}")
_SUFFIXES = {"aws-cn": "amazonaws.com.cn", "aws-eusc": "amazonaws.eu"}


class TooLarge(ValueError):
    """The policy is longer than IAM takes; its text says what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the secrets are: an account (12 digits) and a region; the partition follows from it."""

    account: str
    region: str

    @property
    def partition(self) -> str:
        return aws_regions.partition_of(self.region)


@dataclass(frozen=True, slots=True)
class Linked:
    """What one link reads: `takes` one secret (value, keys) named `key`, those below a path, or those with tags.

    An empty region is the access's own.
    """

    takes: str
    key: str
    tags: Mapping[str, str] = field(default_factory=dict)
    region: str = ""


def suffix(of: str) -> str:
    """Return the domain of a partition's services."""
    return _SUFFIXES.get(of, "amazonaws.com")


def account_of(access: "Access | AccessDraft") -> str:
    """Return the AWS account of an access's identity as far as it is known, else an empty string."""
    arn = str(access.configuration.get("role_arn", ""))
    if arn.count(":") >= 5:
        return arn.split(":")[4]
    if access.cloud_credential is not None:
        return str(access.cloud_credential.account or "")
    return access.cluster.account if access.cluster.cloud == "aws" else ""


def document(
    provider: str,
    *,
    place: Place | None = None,
    prefixes: Sequence[str] = (),
    names: Iterable[str] | None = None,
    linked: Iterable[Linked] | None = None,
    several: bool = False,
    kms_keys: Sequence[str] = (),
) -> Document:
    """Return the policy for all secrets, for those below `prefixes`, or for exactly those in `names` or `linked`.

    `several` adds what the operator needs to find secrets by itself.

    :raises ValidationError: a prefix, name or key is none
    :raises TooLarge: IAM would refuse it
    """
    if linked is None and names is not None:
        linked = [Linked("value", name) for name in names]
    if linked is None and not prefixes:
        statements = [_statement(list(ACTIONS[provider]), "*")]
    else:
        if place is None:
            raise ValueError("A narrowed policy needs to know the account and the region.")
        statements = _narrowed(provider, _resources(provider, place, prefixes, linked))
        statements += _tagged(provider, linked or ())
    if several and SEVERAL[provider]:
        statements.append(_statement(SEVERAL[provider], "*"))
    statements += _decrypt(provider, clean_kms_keys(kms_keys, place.region if place else ""))
    return _bounded({"Version": "2012-10-17", "Statement": statements})


def trust(provider_arn: str, issuer: str, subject: str, audience: str = "sts.amazonaws.com") -> Document:
    """Return the trust policy of a role for one ServiceAccount of the cluster whose tokens `issuer` signs."""
    host = issuer.removeprefix("https://")
    return _trust(
        {"Federated": provider_arn},
        ["sts:AssumeRoleWithWebIdentity"],
        {"StringEquals": {f"{host}:aud": audience, f"{host}:sub": subject}},
    )


def provider_arn(place: Place, issuer: str) -> str:
    """Return the ARN that the account's IAM OIDC provider for an issuer has."""
    return f"arn:{place.partition}:iam::{place.account}:oidc-provider/{issuer.removeprefix('https://')}"


def pod_identity_trust(namespace: str, service_account: str) -> Document:
    """Return the trust policy of a role that EKS Pod Identity gives to one ServiceAccount's Pods."""
    keys = ("kubernetes-namespace", namespace), ("kubernetes-service-account", service_account)
    return _trust(
        {"Service": "pods.eks.amazonaws.com"},
        ["sts:AssumeRole", "sts:TagSession"],
        {"StringEquals": {f"aws:RequestTag/{key}": value for key, value in keys}},
    )


def text(policy: Document) -> str:
    """Return a policy as text to copy."""
    return json.dumps(policy, indent=2)


def size(policy: Document) -> int:
    """Return how many characters IAM counts: all but whitespace."""
    return len(json.dumps(policy, separators=(",", ":")))


def note(provider: str) -> str:
    """Return the sentence about the action that has to stay on `*`."""
    return STARRED.format(LISTING[provider])


def _resources(
    provider: str, place: Place, prefixes: Iterable[str], linked: Iterable[Linked] | None
) -> list[str]:
    if linked is None:
        return [_arn(provider, place, prefix) + "*" for prefix in clean_prefixes(provider, prefixes)]
    return sorted({arn for one in linked for arn in _of_link(provider, place, one)})


def _of_link(provider: str, place: Place, one: Linked) -> list[str]:
    """Return the ARNs that a link reads; tags are a condition and no ARN."""
    there = Place(place.account, one.region or place.region)
    if one.takes == "tags":
        return []
    if one.takes != "path":
        return [_of_name(provider, there, one.key)]
    if provider == SECRETS_MANAGER:
        return [_arn(provider, there, prefix) + "*" for prefix in clean_prefixes(provider, [one.key])]
    # GetParametersByPath is asked of the path itself.
    path = _arn(provider, there, one.key.rstrip("/"))
    return [path, f"{path.rstrip('/')}/*"] if one.key != "/" else [f"{path}*"]


def _tagged(provider: str, linked: Iterable[Linked]) -> list[Document]:
    """Return a statement for each set of tags by which secrets are found."""
    reading = [action for action in ACTIONS[provider] if action != LISTING[provider]]
    # Secrets Manager finds beginnings, Parameter Store the very values.
    test, star = ("StringLike", "*") if provider == SECRETS_MANAGER else ("StringEquals", "")
    found = {json.dumps(one.tags, sort_keys=True): one.tags for one in linked if one.takes == "tags"}
    return [
        _statement(reading, "*")
        | {
            "Condition": {
                test: {f"aws:ResourceTag/{name}": f"{value}{star}" for name, value in sorted(tags.items())}
            }
        }
        for _, tags in sorted(found.items())
    ]


def _arn(provider: str, place: Place, name: str) -> str:
    start = f"arn:{place.partition}:{written.SERVICES[provider]}:{place.region}:{place.account}"
    if provider == PARAMETER_STORE:
        # The slash that a parameter's name begins with is the one after “parameter”.
        return f"{start}:parameter/{name.removeprefix('/')}"
    return f"{start}:secret:{name}"


def _of_name(provider: str, place: Place, name: str) -> str:
    if not is_name(provider, name):
        raise ValidationError(
            f"“{name}” is no name of a {written.NOUNS[provider]}: those have {written.CHARACTERS[provider]}.",
            code="name",
        )
    arn = name if name.startswith("arn:") else _arn(provider, place, name)
    if provider == PARAMETER_STORE or (name.startswith("arn:") and _WHOLE.fullmatch(name)):
        return arn
    # AWS puts a hyphen and six characters behind a secret's name.
    return f"{arn}-??????"


def _narrowed(provider: str, resources: list[str]) -> list[Document]:
    listing = LISTING[provider]
    reading = [action for action in ACTIONS[provider] if action != listing]
    own = [_statement(reading, resources[0] if len(resources) == 1 else resources)] if resources else []
    return [*own, _statement([listing], "*")]


def _decrypt(provider: str, keys: Sequence[str]) -> list[Document]:
    """Return the statement for customer-managed keys: only through the secret manager, never directly."""
    if not keys:
        return []
    matches = [match for match in map(written.KEY.fullmatch, keys) if match]
    via = sorted({f"{written.SERVICES[provider]}.{match[2]}.{suffix(match[1])}" for match in matches})
    statement = _statement(["kms:Decrypt"], list(keys))
    return [statement | {"Condition": {"StringEquals": {"kms:ViaService": via[0] if len(via) == 1 else via}}}]


def _statement(actions: list[str], resource: str | list[str]) -> Document:
    return {"Effect": "Allow", "Action": actions, "Resource": resource}


def _trust(principal: Document, actions: list[str], condition: Document) -> Document:
    action = actions[0] if len(actions) == 1 else actions
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, "Condition": condition}
    return {"Version": "2012-10-17", "Statement": [statement]}


def _bounded(policy: Document) -> Document:
    length = size(policy)
    if length > LARGEST:
        raise TooLarge(
            f"The policy has {length:,} characters; IAM takes {LARGEST:,} for a role. "
            "Choose prefixes instead of single names, or prefixes that cover more."
        )
    return policy
