"""What somebody wrote for a policy: prefixes, names and keys, refused where they could widen it."""

import re
from collections.abc import Iterable

from django.core.exceptions import ValidationError

MOST_PREFIXES = 20
SECRETS_MANAGER = "aws-secrets-manager"
PARAMETER_STORE = "aws-parameter-store"

SERVICES = {SECRETS_MANAGER: "secretsmanager", PARAMETER_STORE: "ssm"}
NAMES = {
    SECRETS_MANAGER: re.compile(r"[A-Za-z0-9/_+=.@!-]{1,512}"),
    PARAMETER_STORE: re.compile(r"[A-Za-z0-9/_.-]{1,1011}"),
}
CHARACTERS = {
    SECRETS_MANAGER: "letters, digits and / _ + = . @ ! -",
    PARAMETER_STORE: "letters, digits and / _ . -",
}
NOUNS = {SECRETS_MANAGER: "secret", PARAMETER_STORE: "parameter"}
KEY = re.compile(r"arn:(aws[a-z-]*):kms:([a-z0-9-]+):\d{12}:key/[A-Za-z0-9-]{1,64}", re.ASCII)


def is_name(provider: str, name: str) -> bool:
    """Tell whether a secret can have this name, or this ARN; anything else could widen a policy."""
    start = rf"arn:aws[a-z-]*:{SERVICES[provider]}:[a-z0-9-]+:\d{{12}}:{NOUNS[provider]}[:/]"
    return bool(NAMES[provider].fullmatch(re.sub(f"^{start}", "", name, flags=re.ASCII)))


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
        match = KEY.fullmatch(arn)
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
            f"{written.strip()} is every {NOUNS[provider]}. Leave the prefixes empty for that.",
            code="everything",
        )
    if re.search(r"\s", prefix):
        raise ValidationError(f"“{prefix}” has a space in it. Write one prefix a line.", code="space")
    if not NAMES[provider].fullmatch(prefix):
        raise ValidationError(
            f"“{prefix}” cannot begin a name: a {NOUNS[provider]}'s name has {CHARACTERS[provider]}, and no star "
            "but the last one.",
            code="characters",
        )
    return prefix
