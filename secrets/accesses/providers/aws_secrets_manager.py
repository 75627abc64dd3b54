"""AWS Secrets Manager."""

import datetime
import re
from functools import partial
from typing import Any

from accesses.providers import aws, aws_client, aws_references
from accesses.providers.base import Entry, Page, Provider
from accesses.setup import policies
from credentials.clouds import aws as cloud

SLUG = "aws-secrets-manager"
LIST = "secretsmanager:ListSecrets"
LISTING_POLICY = cloud.policy({"Effect": "Allow", "Action": [LIST], "Resource": "*"})

# What a name can hold; AWS refuses a filter with anything else.
NAME = re.compile(r"(?!!)[\w/+=.@!-]*", re.ASCII)


class Client(aws_client.Client):
    service = "secretsmanager"

    def page(self, prefix: str = "", cursor: str = "") -> Page:
        """Return at most 100 entries, by name."""
        if not NAME.fullmatch(prefix):
            return Page([])
        wanted: dict[str, Any] = {"SortBy": "name", "SortOrder": "asc"}
        if prefix:
            wanted["Filters"] = [{"Key": "name", "Values": [prefix]}]
        entries, following = self._listed(wanted, cursor)
        return Page([entry for entry in entries if entry.name.startswith(prefix)], following)

    def changes(self, since: datetime.datetime, cursor: str = "") -> Page:
        """Return at most 100 entries that were changed since then, newest first."""
        entries, following = self._listed({"SortBy": "last-changed-date", "SortOrder": "desc"}, cursor)
        newer = [entry for entry in entries if entry.changed_at is None or entry.changed_at >= since]
        return Page(newer, following if len(newer) == len(entries) else "")

    def _listed(self, wanted: dict[str, Any], cursor: str) -> tuple[list[Entry], str]:
        """Return one page of AWS's, with what is scheduled for deletion, and where the next one begins."""
        wanted |= {"MaxResults": 100, "IncludePlannedDeletion": True} | (
            {"NextToken": cursor} if cursor else {}
        )
        with cloud.translated(LIST, self._region, LISTING_POLICY):
            answer = self._names.list_secrets(**wanted)
            # Always there, also when it is empty; a proxy's page would be taken for “no secrets” else.
            return [_entry(found) for found in answer["SecretList"]], answer.get("NextToken", "")


def _entry(found: dict[str, Any]) -> Entry:
    return Entry(
        name=found["Name"],
        reference=found["ARN"],
        kind="secret",
        description=found.get("Description") or "",
        changed_at=found.get("LastChangedDate"),
        tags={tag["Key"]: tag.get("Value", "") for tag in found.get("Tags") or []},
        deletes_at=found.get("DeletedDate"),
    )


PROVIDER = Provider(
    slug=SLUG,
    label="AWS Secrets Manager",
    sentence="Secrets of one AWS account and region.",
    methods=aws.METHODS,
    store_provider=partial(aws.store, "SecretsManager"),
    connect=Client,
    references=aws_references.SECRETS_MANAGER,
    policy=policies.text(policies.document(SLUG)),
    policy_note="Secrets that are encrypted with a KMS key of your own also need kms:Decrypt on that key. "
    + policies.note(SLUG),
    cloud="aws",
    tells_changes=True,
)
