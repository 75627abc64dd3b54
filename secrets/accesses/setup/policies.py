"""What an AWS identity is allowed: the policy documents, narrowed to prefixes or to single names, and role trust."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError

from credentials.clouds import aws_regions

type Document = dict[str, Any]

# What IAM takes: all inline policies of a role together, and of a user, without whitespace.
LARGEST = 10_240
LARGEST_FOR_USERS = 2_048
MOST_PREFIXES = 20

SECRETS_MANAGER = "aws-secrets-manager"
PARAMETER_STORE = "aws-parameter-store"

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
# The action that AWS cannot narrow, and what follows.
LISTING: dict[str, str] = {
    SECRETS_MANAGER: "secretsmanager:ListSecrets",
    PARAMETER_STORE: "ssm:DescribeParameters",
}
STARRED = (
    "{} stays on * because AWS has no narrower form of it. It shows the names of the region's secrets, and no value. "
    "Without it, names cannot be listed here and have to be typed."
)
_SERVICES = {SECRETS_MANAGER: "secretsmanager", PARAMETER_STORE: "ssm"}
_NAMES = {
    SECRETS_MANAGER: re.compile(r"[A-Za-z0-9/_+=.@!-]{1,512}"),
    PARAMETER_STORE: re.compile(r"[A-Za-z0-9/_.-]{1,1011}"),
}
_CHARACTERS = {
    SECRETS_MANAGER: "letters, digits and / _ + = . @ ! -",
    PARAMETER_STORE: "letters, digits and / _ . -",
}
_NOUNS = {SECRETS_MANAGER: "secret", PARAMETER_STORE: "parameter"}
_KEY = re.compile(r"arn:(aws[a-z-]*):kms:([a-z0-9-]+):\d{12}:key/[A-Za-z0-9-]{1,64}", re.ASCII)
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


def suffix(of: str) -> str:
    """Return the domain of a partition's services."""
    return _SUFFIXES.get(of, "amazonaws.com")


def document(
    provider: str,
    *,
    place: Place | None = None,
    prefixes: Sequence[str] = (),
    names: Iterable[str] | None = None,
    kms_keys: Sequence[str] = (),
) -> Document:
    """Return the policy for all secrets, for those below `prefixes`, or for exactly those in `names`.

    :raises ValidationError: a prefix, name or key is none
    :raises TooLarge: IAM would refuse it
    """
    if names is None and not prefixes:
        statements = [_statement(list(ACTIONS[provider]), "*")]
    else:
        if place is None:
            raise ValueError("A narrowed policy needs to know the account and the region.")
        statements = _narrowed(provider, _resources(provider, place, prefixes, names))
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


def is_name(provider: str, name: str) -> bool:
    """Tell whether a secret can have this name, or this ARN; anything else could widen a policy."""
    start = rf"arn:aws[a-z-]*:{_SERVICES[provider]}:[a-z0-9-]+:\d{{12}}:{_NOUNS[provider]}[:/]"
    return bool(_NAMES[provider].fullmatch(re.sub(f"^{start}", "", name, flags=re.ASCII)))


def clean_prefixes(provider: str, prefixes: Iterable[str]) -> list[str]:
    """Return prefixes without blanks, repetitions and their last star, in order.

    :raises ValidationError: one is no beginning of a name, or there are too many
    """
    found = sorted({_prefix(provider, written) for written in prefixes if written.strip()})
    if len(found) > MOST_PREFIXES:
        raise ValidationError(
            f"These are {len(found)} prefixes; a policy takes {MOST_PREFIXES}. Choose shorter ones that cover several.",
            code="many",
        )
    return found


def clean_kms_keys(arns: Iterable[str], region: str = "") -> list[str]:
    """Return key ARNs without blanks and repetitions, in order.

    :raises ValidationError: one is no ARN of a key, or of a key in another region than `region`
    """
    found = sorted({arn.strip() for arn in arns if arn.strip()})
    for arn in found:
        match = _KEY.fullmatch(arn)
        if not match:
            raise ValidationError(_no_key(arn), code="key")
        if region and match[2] != region:
            raise ValidationError(
                f"The key {arn} is in {match[2]}; the secrets are in {region}, and AWS uses a key of their own region.",
                code="region",
            )
    return found


def _no_key(arn: str) -> str:
    if ":alias/" in arn or arn.startswith("alias/"):
        return f"{arn} is an alias, which a policy cannot name. Enter the ARN of the key that it stands for."
    return f"{arn} is not the ARN of a KMS key; they look like arn:aws:kms:eu-west-3:111122223333:key/1234abcd-…."


def _prefix(provider: str, written: str) -> str:
    """Return one prefix; people write prod/* as well as prod/, which is the same."""
    prefix = written.strip().removesuffix("*")
    if prefix in ("", "/"):
        raise ValidationError(
            f"{written.strip()} is every {_NOUNS[provider]}. Leave the prefixes empty for that.",
            code="everything",
        )
    if re.search(r"\s", prefix):
        raise ValidationError(f"“{prefix}” has a space in it. Write one prefix a line.", code="space")
    if not _NAMES[provider].fullmatch(prefix):
        raise ValidationError(
            f"“{prefix}” cannot begin a name: a {_NOUNS[provider]}'s name has {_CHARACTERS[provider]}, and no star "
            "but the last one.",
            code="characters",
        )
    return prefix


def _resources(
    provider: str, place: Place, prefixes: Iterable[str], names: Iterable[str] | None
) -> list[str]:
    if names is None:
        return [_arn(provider, place, prefix) + "*" for prefix in clean_prefixes(provider, prefixes)]
    return sorted({_of_name(provider, place, name) for name in names})


def _arn(provider: str, place: Place, name: str) -> str:
    start = f"arn:{place.partition}:{_SERVICES[provider]}:{place.region}:{place.account}"
    if provider == PARAMETER_STORE:
        # The slash that a parameter's name begins with is the one after “parameter”.
        return f"{start}:parameter/{name.removeprefix('/')}"
    return f"{start}:secret:{name}"


def _of_name(provider: str, place: Place, name: str) -> str:
    if not is_name(provider, name):
        raise ValidationError(
            f"“{name}” is no name of a {_NOUNS[provider]}: those have {_CHARACTERS[provider]}.", code="name"
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
    matches = [match for match in map(_KEY.fullmatch, keys) if match]
    via = sorted({f"{_SERVICES[provider]}.{match[2]}.{suffix(match[1])}" for match in matches})
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
