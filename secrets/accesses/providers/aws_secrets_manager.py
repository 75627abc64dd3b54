"""AWS Secrets Manager."""

from typing import TYPE_CHECKING, Any

from accesses.providers import aws
from accesses.providers.base import Entry, Method, Page, Provider

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

LIST = "secretsmanager:ListSecrets"
LISTING_POLICY = aws.policy({"Effect": "Allow", "Action": [LIST], "Resource": "*"})
READING_POLICY = aws.policy(
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


class Client:
    """Lists names with the access's own keys; never asks for a value."""

    def __init__(self, access: "Access | AccessDraft") -> None:
        self._access = access
        self._region = access.configuration["region"]

    def page(self, prefix: str = "", cursor: str = "") -> Page:
        """Return at most 100 entries, by name."""
        wanted: dict[str, Any] = {"MaxResults": 100, "SortBy": "name", "SortOrder": "asc"}
        if prefix:
            # A leading “!” would negate the filter.
            wanted["Filters"] = [{"Key": "name", "Values": [prefix.lstrip("!")]}]
        if cursor:
            wanted["NextToken"] = cursor
        with aws.translated(LIST, self._region, LISTING_POLICY):
            answer = aws.client("secretsmanager", self._access).list_secrets(**wanted)
        entries = [_entry(found) for found in answer.get("SecretList", [])]
        kept = [entry for entry in entries if entry.name.startswith(prefix)]
        return Page(kept, answer.get("NextToken", ""))

    def whoami(self) -> str:
        """Return the ARN that the keys belong to; AWS needs no permission for that."""
        with aws.translated("sts:GetCallerIdentity", self._region, LISTING_POLICY):
            return str(aws.client("sts", self._access).get_caller_identity()["Arn"])


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
    icon="key-round",
    methods=(
        Method(
            "static", "Access key", "Stored encrypted here and in the cluster; you rotate it.", aws.StaticForm
        ),
    ),
    store_provider=_store,
    secret_data=aws.secret_data,
    connect=Client,
    listing_policy=READING_POLICY,
)
