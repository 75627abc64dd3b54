"""AWS Systems Manager Parameter Store."""

import contextlib
import datetime
import json
import re
from functools import partial
from typing import Any

from accesses.providers import aws, aws_client, aws_references
from accesses.providers.base import Entry, Page, Provider
from accesses.setup import policies
from credentials.clouds import aws as cloud

SLUG = "aws-parameter-store"
DESCRIBE = "ssm:DescribeParameters"
DESCRIBING_POLICY = cloud.policy({"Effect": "Allow", "Action": [DESCRIBE], "Resource": "*"})

NAME = re.compile(r"[\w./-]*", re.ASCII)
# AWS answers with fewer, even with none, and more to come.
PAGE = 50
ASKED = 10


class Client(aws_client.Client):
    service = "ssm"

    def page(self, prefix: str = "", cursor: str = "") -> Page:
        """Return some entries, in AWS's order; an empty page without a cursor is the end."""
        if not NAME.fullmatch(prefix):
            return Page([])
        entries: list[Entry] = []
        with cloud.translated(DESCRIBE, self._region, DESCRIBING_POLICY):
            for _ in range(ASKED):
                answer = self._names.describe_parameters(**_wanted(prefix, cursor))
                entries += [_entry(found) for found in answer["Parameters"]]
                cursor = answer.get("NextToken", "")
                if not cursor or len(entries) > PAGE:
                    break
        return Page([entry for entry in entries if entry.name.startswith(prefix)], cursor)


def _wanted(prefix: str, cursor: str) -> dict[str, Any]:
    wanted: dict[str, Any] = {"MaxResults": PAGE}
    if prefix:
        wanted["ParameterFilters"] = [{"Key": "Name", "Option": "BeginsWith", "Values": [prefix]}]
    return wanted | ({"NextToken": cursor} if cursor else {})


def _entry(found: dict[str, Any]) -> Entry:
    return Entry(
        name=found["Name"],
        # Older regions do not tell the ARN; the name is as good to the operator.
        reference=found.get("ARN") or found["Name"],
        kind={"SecureString": "secure string", "StringList": "list"}.get(found.get("Type", ""), "string"),
        description=found.get("Description") or "",
        changed_at=found.get("LastModifiedDate"),
        deletes_at=_expiration(found.get("Policies") or []),
    )


def _expiration(policies: list[dict[str, Any]]) -> datetime.datetime | None:
    """Return when AWS deletes a parameter of the advanced tier that has such a policy."""
    for one in policies:
        if one.get("PolicyType") == "Expiration":
            with contextlib.suppress(ValueError, LookupError, TypeError):
                return datetime.datetime.fromisoformat(
                    json.loads(one["PolicyText"])["Attributes"]["Timestamp"]
                )
    return None


PROVIDER = Provider(
    slug=SLUG,
    label="AWS Parameter Store",
    sentence="Parameters of AWS Systems Manager, of one account and region.",
    methods=aws.METHODS,
    store_provider=partial(aws.store, "ParameterStore"),
    connect=Client,
    references=aws_references.PARAMETER_STORE,
    policy=policies.text(policies.document(SLUG)),
    policy_note="Secure strings under a KMS key of your own also need kms:Decrypt on that key. "
    + policies.note(SLUG),
    cloud="aws",
)
