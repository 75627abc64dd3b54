"""What the operator says when it cannot bring a secret, translated by table to a cause and what to do."""

import re

from accesses.causes import Cause, clean
from external_secrets.models import ExternalSecret

_ACTION = re.compile(r"not authorized to perform: (?P<action>[\w:-]+)")


# (what the operator's message holds, reason, remedy); the first that fits counts.
_TABLE: tuple[tuple[str, str, str], ...] = (
    (
        r"denied by spec\.condition|is not allowed from namespace",
        "The store of {access} is not open to the namespace {namespace}.",
        "Add the namespace to {access}, then deploy.",
    ),
    (
        r"SecretStore \"[^\"]*\" is not ready",
        "The store of {access} is not ready.",
        "The page of {access} says why; put that right, then deploy.",
    ),
    (
        r"could not get (Cluster)?SecretStore",
        "The store of {access} is not in the cluster.",
        "Deploy again: the stores are made before the secrets.",
    ),
    (
        r"AccessDenied|not authorized to perform|PermissionDenied|permission denied",
        "{access} is not allowed to read {key}.",
        "Grant {action} on this secret to the identity of {access}, and kms:Decrypt if it has its own key.",
    ),
    (
        r"UnrecognizedClient|InvalidClientTokenId|SignatureDoesNotMatch|ExpiredToken|InvalidSignature"
        r"|security token included in the request is",
        "The credentials of {access} are refused.",
        "Replace the credentials of {access}, then deploy.",
    ),
    (
        r"staging label|VersionId|secret version",
        "{key} has no version {version}.",
        "Link it again without a version, or with one that exists.",
    ),
    (
        r"key .* does not exist in secret",
        "The value of {key} has no field {field}.",
        "Link it again with a field that the JSON value has.",
    ),
    (
        r"invalid character|unmarshal|not valid JSON|unable to parse",
        "The value of {key} is not JSON, so it has no field {field}.",
        "Link it again without a JSON field.",
    ),
    (
        r"ResourceNotFound|Secret does not exist|cannot find secret data|marked for deletion|ParameterNotFound"
        r"|retained due to DeletionPolicy|NoSecretErr",
        "There is no secret named {key} in {access}.",
        "Create it again in the secret manager, or unlink it. A value that the cluster already has stays.",
    ),
    (
        r"Throttl|Rate exceeded|TooManyRequests|RESOURCE_EXHAUSTED",
        "The secret manager answers more slowly than it is asked.",
        "It comes by itself; a longer refresh interval asks less often.",
    ),
    (
        r"owned by another ExternalSecret|take ownership",
        "The Secret {object} belongs to something else in {namespace}.",
        "Remove that Secret, or unlink and link again under a new name.",
    ),
    (
        r"no such host|connection refused|i/o timeout|dial tcp|context deadline exceeded",
        "The cluster does not reach the secret manager of {access}.",
        "Check the endpoint of {access}, and the cluster's way out.",
    ),
)


def translate(message: str, link: ExternalSecret) -> Cause:
    """Return the cause that the operator's message means for a link; never quotes a value."""
    action = _ACTION.search(message)
    words = {
        "access": link.access.name,
        "namespace": link.namespace,
        "key": link.key,
        "field": link.json_field or "of that name",
        "version": link.version or "of that name",
        "object": link.object_name,
        "action": action["action"] if action else "the right to read its value",
    }
    for pattern, reason, remedy in _TABLE:
        if re.search(pattern, message):
            return Cause(reason.format(**words), remedy.format(**words))
    return Cause(f"The operator says: {clean(message)}", "The operator's log says more.")
