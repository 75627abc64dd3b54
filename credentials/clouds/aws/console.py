"""Who the console itself is at AWS: with this identity, and nothing else, it assumes the roles that it is given."""

import functools
import threading
import time
from typing import Any

from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from credentials.clouds import errors
from credentials.clouds.aws import asking
from credentials.clouds.base import Obstacle

WHERE = (
    "An administrator of Keyhaven sets CONSOLE_AWS_ACCESS_KEY_ID and CONSOLE_AWS_SECRET_ACCESS_KEY to an access key of "
    "an IAM user of the console's own, or CONSOLE_AWS_IDENTITY=default where its machine or Pod has an identity at AWS, "
    "and restarts it."
)
DEFAULT = "default"
# How long it is remembered who the console is, and that it could not be asked, in seconds.
KNOWN, UNKNOWN = 3600, 30

_lock = threading.Lock()
# What signs in → (until when this counts, the principal or nothing).
_principals: dict[str, tuple[float, str]] = {}


class OwnRefused(errors.CredentialRefused):
    """It is the console's own identity that AWS does not accept; the role may be all right."""

    remedy_text = WHERE


def source() -> str:
    """Return what the console's identity comes from: a key's ID, `default`, or nothing."""
    if settings.CONSOLE_AWS_ACCESS_KEY_ID and settings.CONSOLE_AWS_SECRET_ACCESS_KEY:
        return str(settings.CONSOLE_AWS_ACCESS_KEY_ID)
    return DEFAULT if settings.CONSOLE_AWS_IDENTITY == DEFAULT else ""


def obstacle() -> Obstacle | None:
    """Return why the console cannot assume roles, going by its settings alone."""
    if source():
        return None
    if settings.CONSOLE_AWS_ACCESS_KEY_ID or settings.CONSOLE_AWS_SECRET_ACCESS_KEY:
        return Obstacle("Of the console's own access key at AWS, one half is missing.", WHERE)
    if settings.CONSOLE_AWS_IDENTITY:
        return Obstacle("CONSOLE_AWS_IDENTITY has a value that means nothing; default does.", WHERE)
    return Obstacle(
        "The console has no identity of its own at AWS, with which it would assume a role.", WHERE
    )


@sensitive_variables()
def keys() -> asking.Keys:
    """Return what signs in as the console.

    :raises ProviderError: it has no identity
    """
    hindered = obstacle()
    if hindered is not None:
        raise errors.NotPossibleHere(hindered.reason, hindered.remedy)
    if source() != DEFAULT:
        return asking.Keys(settings.CONSOLE_AWS_ACCESS_KEY_ID, settings.CONSOLE_AWS_SECRET_ACCESS_KEY)
    return _of_machine()


@functools.cache
def _chain() -> Any:
    """Return the session that finds the machine's identity; it renews what ends."""
    import boto3

    return boto3.session.Session()


@sensitive_variables()
def _of_machine() -> asking.Keys:
    from botocore import exceptions

    try:
        with _lock:
            found = _chain().get_credentials()
        frozen = found.get_frozen_credentials() if found else None
    except (exceptions.BotoCoreError, exceptions.ClientError):
        frozen = None
    if frozen is None or not frozen.access_key or not frozen.secret_key:
        raise OwnRefused(
            "The console's machine has no identity at AWS, although CONSOLE_AWS_IDENTITY says so."
        )
    return asking.Keys(frozen.access_key, frozen.secret_key, frozen.token or "")


def region() -> str:
    """Return the region that the console's environment names, for its own partition."""
    return str(_chain().region_name or "us-east-1")


def caller() -> asking.Caller:
    """Return who the console is.

    :raises ProviderError: AWS does not accept it, or does not answer
    """
    own = keys()
    try:
        return asking.caller(own, region(), hasty=True)
    except errors.CredentialRefused:
        raise refused() from None


def refused() -> OwnRefused:
    return OwnRefused("AWS does not accept the console's own identity.")


def principal() -> str:
    """Return the ARN that a role's trust policy names for the console; empty where it cannot be learned now."""
    told = source()
    if not told:
        return ""
    until, known = _principals.get(told, (0.0, ""))
    if time.monotonic() < until:
        return known
    try:
        known = principal_of(caller().arn)
    except errors.ProviderError:
        known = ""
    _principals[told] = (time.monotonic() + (KNOWN if known else UNKNOWN), known)
    return known


def principal_of(arn: str) -> str:
    """Return the role of a session's ARN, and any other ARN as it is; AWS leaves a role's path out of its sessions'."""
    head, kind, rest = arn.partition(":assumed-role/")
    if not kind:
        return arn
    return f"{head.replace(':sts:', ':iam:')}:role/{rest.rpartition('/')[0]}"


def forget() -> None:
    """Ask anew who the console is, the next time that somebody wants to know."""
    _principals.clear()
    _chain.cache_clear()
