"""AWS Systems Manager Parameter Store."""

import contextlib
import datetime
import json
import re
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
from credentials.clouds import errors

if TYPE_CHECKING:
    from accesses.models import Access

SLUG = "aws-parameter-store"
DESCRIBE = "ssm:DescribeParameters"
DESCRIBING_POLICY = cloud.policy({"Effect": "Allow", "Action": [DESCRIBE], "Resource": "*"})

PUT, TAG, DELETE = "ssm:PutParameter", "ssm:AddTagsToResource", "ssm:DeleteParameter"
WRITING_POLICY = cloud.policy({"Effect": "Allow", "Action": [PUT, TAG, DELETE, DESCRIBE], "Resource": "*"})
LONGEST_NAME, DEEPEST = 1011, 15

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

    @sensitive_variables()
    def create(self, name: str, value: str, tags: Mapping[str, str]) -> str:
        # Without tags the request has none: an empty list would need the permission to tag.
        tagged = {"Tags": aws_writing.as_tags(tags)} if tags else {}
        with self._writing(PUT, making=True):
            self._once.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=False, **tagged)
        return self._reference(name)

    @sensitive_variables()
    def put(self, name: str, value: str) -> None:
        # Overwriting makes one that is not there: somebody would have a secret that nobody asked for.
        kind = self._described(name).get("Type", "SecureString")
        with self._writing(PUT):
            self._once.put_parameter(Name=name, Value=value, Type=kind, Overwrite=True)

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        with self._writing(TAG):
            self._once.add_tags_to_resource(
                ResourceType="Parameter", ResourceId=name, Tags=aws_writing.as_tags(tags)
            )

    def delete(self, name: str) -> datetime.datetime | None:
        with self._writing(DELETE):
            self._once.delete_parameter(Name=name)
        return None

    def restore(self, name: str) -> None:
        raise errors.NotThere("Parameter Store keeps nothing of what was deleted.", "Make it anew.")

    def _described(self, name: str) -> dict[str, Any]:
        """Return what AWS tells of a parameter.

        :raises NotThere: there is none of that name
        """
        with cloud.translated(DESCRIBE, self._region, DESCRIBING_POLICY):
            wanted = [{"Key": "Name", "Option": "Equals", "Values": [name]}]
            cursor = ""
            for _ in range(ASKED):
                more = {"NextToken": cursor} if cursor else {}
                answer = self._names.describe_parameters(ParameterFilters=wanted, MaxResults=PAGE, **more)
                for found in answer["Parameters"]:
                    return dict(found)
                cursor = answer.get("NextToken", "")
                if not cursor:
                    break
        raise errors.NotThere("AWS has no parameter of that name.")

    def _reference(self, name: str) -> str:
        """Return its ARN, or the name where AWS does not tell: it is made, whatever becomes of this question."""
        with contextlib.suppress(errors.ProviderError):
            return str(self._described(name).get("ARN") or name)
        return name

    def _writing(self, permission: str, *, making: bool = False) -> Any:
        return aws_writing.once(permission, self._region, WRITING_POLICY, making=making)


def writable_name(access: "Access", name: str) -> str:
    """Return the name, if AWS takes it for a new parameter.

    :raises NotReadable: it does not
    """
    if not name or not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise NotReadable(f"Use 1 to {LONGEST_NAME} letters, digits and . _ - /.")
    if "/" in name and not name.startswith("/"):
        raise NotReadable("A parameter's name with a / in it begins with one.")
    if name.count("/") > DEEPEST:
        raise NotReadable(f"A parameter's name has at most {DEEPEST} parts.")
    if name.strip("/").lower().startswith(("aws", "ssm")):
        raise NotReadable("Names that begin with aws or ssm are AWS's own.")
    return name


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
    writing=Writing(
        policy=WRITING_POLICY,
        restores=False,
        # DescribeParameters leaves them out; asking for those of each would be a request a name.
        lists_tags=False,
        name=writable_name,
        check_tags=aws_writing.check_tags,
        most_bytes=4096,
        note="Values are written as secure strings of the standard tier. What is deleted is gone at once. Under a KMS "
        "key of your own the identity also needs kms:Encrypt on that key.",
    ),
    limits="AWS counts per account and region: 40 reads a second with GetParameter and GetParameters together unless a "
    "higher throughput is paid for, and less, untold, of DescribeParameters. The console reads 50 names by one request and "
    "asks more slowly when it is told to; give links that may wait a longer interval.",
)
