"""The ARN of a role as people paste it: taken apart, or refused with what it is instead."""

import re
from dataclasses import dataclass

from credentials.clouds.aws.regions import PARTITIONS

EXAMPLE = "arn:aws:iam::123456789012:role/keyhaven-console"
# What else has an ARN in IAM, and people paste.
_OTHERS = {
    "user": "This is the ARN of a user. Enter that of a role; for a user's keys, choose the access key instead.",
    "group": "This is the ARN of a group. Enter that of a role.",
    "policy": "This is the ARN of a policy. Enter that of the role that has it.",
    "instance-profile": "This is the ARN of an instance profile. Enter that of the role in it.",
    "oidc-provider": "This is the ARN of an identity provider. Enter that of a role.",
    "root": "This is the ARN of an account. Enter that of a role in it.",
}
# Roles whose trust policy nobody can change.
_RESERVED = {
    "aws-service-role/": "Only AWS's own services may assume this role. Make one for Keyhaven.",
    "aws-reserved/": "This role is IAM Identity Center's, and its trust cannot be changed. Make one for Keyhaven.",
}
_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_PATH = re.compile(r"(?:[\x21-\x2e\x30-\x7e]+/)*")
_WORD = re.compile(r"[a-z0-9-]{1,40}")


class NoRole(ValueError):
    """What was given is not the ARN of a role that can be assumed; the sentence says what it is."""


@dataclass(frozen=True, slots=True)
class Role:
    """A role of an account; its path is empty, or ends with a slash."""

    partition: str
    account: str
    path: str
    name: str

    @property
    def arn(self) -> str:
        return f"arn:{self.partition}:iam::{self.account}:role/{self.path}{self.name}"

    @property
    def region(self) -> str:
        """A region that every account of its partition has."""
        return PARTITIONS[self.partition][1]


def role(text: str) -> Role:
    """Take the ARN of a role apart.

    :raises NoRole: it is something else
    """
    parts = text.split(":", 5)
    if parts[0] != "arn" or len(parts) < 6:
        raise NoRole(f"An ARN has six parts with colons between them, like {EXAMPLE}.")
    _, partition, service, region, account, resource = parts
    _check_service(service, resource)
    if partition not in PARTITIONS:
        raise NoRole(f"The second part is the partition, which is one of {', '.join(PARTITIONS)}.")
    if region:
        raise NoRole(
            f"Roles have no region: nothing stands between the third and the fourth colon, as in {EXAMPLE}."
        )
    if not re.fullmatch(r"\d{12}", account, re.ASCII):
        raise NoRole(
            f"An AWS account has 12 digits; in this ARN it has {len(account)} characters" + _but(account)
        )
    return Role(partition, account, *_of(resource))


def _but(account: str) -> str:
    return ", not all of them digits." if not account.isdigit() and len(account) == 12 else "."


def _check_service(service: str, resource: str) -> None:
    if service == "sts":
        raise NoRole(
            f"This is the ARN of a session of a role. Enter that of the role itself, like {EXAMPLE}."
        )
    if service != "iam":
        named = service if _WORD.fullmatch(service) else "another service"
        raise NoRole(f"This is an ARN of {named}. Roles are IAM's: {EXAMPLE}.")
    kind = resource.partition("/")[0]
    if kind in _OTHERS:
        raise NoRole(_OTHERS[kind])
    if kind != "role":
        raise NoRole(f"The last part begins with role/, as in {EXAMPLE}.")


def _of(resource: str) -> tuple[str, str]:
    """Return a role's path and its name."""
    path, _, name = resource.partition("/")[2].rpartition("/")
    path = f"{path}/" if path else ""
    for beginning, said in _RESERVED.items():
        if path.startswith(beginning):
            raise NoRole(said)
    if not _NAME.fullmatch(name):
        raise NoRole("A role's name has at most 64 letters, digits and + = , . @ _ - and no star.")
    if not _PATH.fullmatch(path) or len(path) > 510 or "*" in path:
        raise NoRole(
            "The path before the role's name has no spaces, no star and no two slashes beside each other."
        )
    return path, name
