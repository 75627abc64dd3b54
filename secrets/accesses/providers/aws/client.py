"""What the clients of the AWS providers share."""

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from accesses.providers.aws import preflight as aws_preflight
from accesses.providers.aws import writing as aws_writing
from accesses.providers.base import Entry, Probe
from config import egress
from credentials.clouds import aws, errors

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft


def endpoint(access: "Access | AccessDraft") -> str:
    """Return what answers in place of AWS for the accesses of a cluster, or an empty string.

    :raises NotReachable: by now its name leads to where nothing may be called
    """
    found = access.cluster.aws_endpoint
    try:
        if found:
            egress.check(found)
    except egress.Forbidden as error:
        raise errors.NotReachable(
            str(error), "Correct the AWS-compatible endpoint on the operator's page."
        ) from None
    return found


class Client:
    """Signs in with an access's own identity and never asks for a value; `service` is AWS's name of the manager."""

    service: ClassVar[str]

    def __init__(self, access: "Access | AccessDraft", keys: aws.Keys) -> None:
        self._access, self._keys = access, replace(keys, endpoint=endpoint(access))
        self._region = access.configuration["region"]

    @cached_property
    def _names(self) -> Any:
        return aws.client(self.service, self._keys, self._region)

    @cached_property
    def _once(self) -> Any:
        """A client for writing: it sends once, since AWS may have done what it did not answer."""
        aws_writing.quiet()
        return aws.client(self.service, self._keys, self._region, attempts=1)

    def whoami(self) -> str:
        """Return the ARN that signs the requests."""
        return aws.caller(self._keys, self._region, hasty=True).arn

    def probe(self, entries: list[Entry]) -> list[Probe]:
        return aws_preflight.probe(self._access.provider, self._access, self._keys, entries)

    def statement(self, actions: list[str]) -> str:
        return aws.policy({"Effect": "Allow", "Action": actions, "Resource": "*"})
