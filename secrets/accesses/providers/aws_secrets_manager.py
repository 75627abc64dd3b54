"""AWS Secrets Manager."""

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

from accesses.providers import aws
from accesses.providers.base import Entry, Method, Page, Provider
from credentials.clouds import aws as cloud

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

LIST = "secretsmanager:ListSecrets"
LISTING_POLICY = cloud.policy({"Effect": "Allow", "Action": [LIST], "Resource": "*"})
READING_POLICY = cloud.policy(
    {
        "Effect": "Allow",
        "Action": [
            "secretsmanager:GetResourcePolicy",
            "secretsmanager:GetSecretValue",
            "secretsmanager:DescribeSecret",
            "secretsmanager:ListSecretVersionIds",
            LIST,
        ],
        "Resource": "*",
    }
)


# What a name can hold; AWS refuses a filter with anything else.
NAME = re.compile(r"(?!!)[\w/+=.@!-]*", re.ASCII)


class Client:
    """Lists names with the access's own keys; never asks for a value."""

    def __init__(self, access: "Access | AccessDraft") -> None:
        self._access = access
        self._region = access.configuration["region"]

    @cached_property
    def _names(self) -> Any:
        return cloud.client("secretsmanager", cloud.Keys.of(self._access.credential), self._region)

    def page(self, prefix: str = "", cursor: str = "") -> Page:
        """Return at most 100 entries, by name."""
        if not NAME.fullmatch(prefix):
            return Page([])
        wanted: dict[str, Any] = {"MaxResults": 100, "SortBy": "name", "SortOrder": "asc"}
        if prefix:
            wanted["Filters"] = [{"Key": "name", "Values": [prefix]}]
        if cursor:
            wanted["NextToken"] = cursor
        with cloud.translated(LIST, self._region, LISTING_POLICY):
            answer = self._names.list_secrets(**wanted)
            # Always there, also when it is empty; a proxy's page would be taken for “no secrets” else.
            entries = [_entry(found) for found in answer["SecretList"]]
        kept = [entry for entry in entries if entry.name.startswith(prefix)]
        return Page(kept, answer.get("NextToken", ""))

    def whoami(self) -> str:
        """Return the ARN that the keys belong to; AWS needs no permission for that."""
        return cloud.caller(cloud.Keys.of(self._access.credential), self._region).arn


def _entry(found: dict[str, Any]) -> Entry:
    return Entry(
        name=found["Name"],
        reference=found["ARN"],
        kind="secret",
        description=found.get("Description") or "",
        changed_at=found.get("LastChangedDate"),
        tags={tag["Key"]: tag.get("Value", "") for tag in found.get("Tags") or []},
    )


def _store(access: "Access", namespace: str) -> dict[str, Any]:
    return {
        "aws": {
            "service": "SecretsManager",
            "region": access.configuration["region"],
            "auth": {"secretRef": aws.secret_ref(access, namespace)},
        }
    }


PROVIDER = Provider(
    slug="aws-secrets-manager",
    label="AWS Secrets Manager",
    sentence="Secrets of one AWS account and region.",
    methods=(
        Method(
            "static", "Access key", "Stored encrypted here and in the cluster; you rotate it.", aws.StaticForm
        ),
    ),
    store_provider=_store,
    secret_data=aws.secret_data,
    connect=Client,
    policy=READING_POLICY,
    policy_note="Secrets that are encrypted with a KMS key of your own also need kms:Decrypt on that key. "
    "The first four may be narrowed to some secrets; AWS allows ListSecrets on all of them or on none.",
)
