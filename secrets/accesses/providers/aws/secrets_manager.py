"""AWS Secrets Manager."""

import datetime
import re
import uuid
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from django.views.decorators.debug import sensitive_variables

from accesses.providers.aws import client as aws_client
from accesses.providers.aws import references as aws_references
from accesses.providers.aws import ways as aws
from accesses.providers.aws import writing as aws_writing
from accesses.providers.base import Entry, Page, Provider
from accesses.providers.references import NotReadable
from accesses.providers.writing import Writing
from accesses.setup import policies
from credentials.clouds import aws as cloud

if TYPE_CHECKING:
    from accesses.models import Access

SLUG = "aws-secrets-manager"
LIST = "secretsmanager:ListSecrets"
LISTING_POLICY = cloud.policy({"Effect": "Allow", "Action": [LIST], "Resource": "*"})

CREATE, PUT = "secretsmanager:CreateSecret", "secretsmanager:PutSecretValue"
TAG, DELETE = "secretsmanager:TagResource", "secretsmanager:DeleteSecret"
RESTORE = "secretsmanager:RestoreSecret"
WRITING_POLICY = cloud.policy(
    {"Effect": "Allow", "Action": [CREATE, PUT, TAG, DELETE, RESTORE], "Resource": "*"}
)
# The longest time that AWS keeps what was deleted.
DAYS = 30
LONGEST_NAME = 512

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

    @sensitive_variables()
    def create(self, name: str, value: str, tags: Mapping[str, str]) -> str:
        with self._writing(CREATE, making=True):
            answer = self._once.create_secret(
                Name=name,
                SecretString=value,
                Tags=aws_writing.as_tags(tags),
                ClientRequestToken=str(uuid.uuid4()),
            )
            return str(answer["ARN"])

    @sensitive_variables()
    def put(self, name: str, value: str) -> None:
        with self._writing(PUT):
            self._once.put_secret_value(
                SecretId=name, SecretString=value, ClientRequestToken=str(uuid.uuid4())
            )

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        with self._writing(TAG):
            self._once.tag_resource(SecretId=name, Tags=aws_writing.as_tags(tags))

    def delete(self, name: str) -> datetime.datetime | None:
        with self._writing(DELETE):
            answer = self._once.delete_secret(SecretId=name, RecoveryWindowInDays=DAYS)
            until: datetime.datetime = answer["DeletionDate"]
            return until

    def restore(self, name: str) -> None:
        with self._writing(RESTORE):
            self._once.restore_secret(SecretId=name)

    def _writing(self, permission: str, *, making: bool = False) -> Any:
        return aws_writing.once(permission, self._region, WRITING_POLICY, making=making)


def writable_name(access: "Access", name: str) -> str:
    """Return the name, if AWS takes it for a new secret.

    :raises NotReadable: it does not
    """
    if not name or not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise NotReadable(
            f"Use 1 to {LONGEST_NAME} letters, digits and / _ + = . @ ! -, and begin with another than an exclamation mark."
        )
    return name


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
    writing=Writing(
        policy=WRITING_POLICY,
        name=writable_name,
        check_tags=aws_writing.check_tags,
        most_bytes=65_536,
        note=f"A deleted secret can be restored for {DAYS} days; until then its name is taken. Under a KMS key of your "
        "own the identity also needs kms:GenerateDataKey and kms:Decrypt on that key.",
    ),
    limits="AWS counts per account and region: 10,000 reads a second of GetSecretValue and DescribeSecret together, "
    "100 of ListSecrets, 50 of what writes. The console reads 100 names by one request; the operator makes one request for "
    "each value that it reads.",
)
