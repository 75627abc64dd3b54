"""What writing to AWS's two managers shares: clients that send once, what refusals of writes mean, and tags."""

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from accesses.providers.references import NotReadable
from credentials.clouds import aws as cloud
from credentials.clouds import errors

# What a tag's name and value can hold at AWS.
_TAG = re.compile(r"[\w\s.:/=+@-]*")
MOST_TAGS, LONGEST_TAG = 50, 128
_SCHEDULED = "It is scheduled for deletion there; until then its name is taken."
_RESTORE = "Restore it, or choose another name."


def _there(words: str = "There is a secret of that name already.", remedy: str = "") -> errors.ProviderError:
    return errors.AlreadyThere(words, remedy)


# AWS's code of a refused write → what it means where something is made, and where something there is changed.
_MAKING: dict[str, errors.ProviderError] = {
    "ResourceExistsException": _there(),
    "ParameterAlreadyExists": _there("There is a parameter of that name already."),
    "InvalidRequestException": _there(_SCHEDULED, _RESTORE),
}
_CHANGING: dict[str, errors.ProviderError] = {
    "ParameterNotFound": errors.NotThere("AWS has no parameter of that name."),
    "InvalidResourceId": errors.NotThere("AWS has no parameter of that name."),
    "InvalidRequestException": errors.NotThere(
        "It is scheduled for deletion there, or is looked after by another AWS service.",
        "Restore it first; what another service looks after is changed there.",
    ),
}
_NOT_VALID = ("ValidationException", "InvalidParameterException", "HierarchyLevelLimitExceededException",
              "HierarchyTypeMismatch", "ParameterPatternMismatchException", "UnsupportedParameterType")  # fmt: skip
_KEYS = ("EncryptionFailure", "DecryptionFailure", "InvalidKeyId", "KMS")


@contextmanager
def once(permission: str, region: str, policy: str, *, making: bool = False) -> Iterator[None]:
    """Turn what botocore raises at a write into our errors; AWS's own words stay behind.

    :raises NotReachable: from the block; nobody knows whether it was written
    """
    from botocore import exceptions

    with cloud.translated(permission, region, policy):
        try:
            yield
        except (exceptions.EndpointConnectionError, exceptions.ConnectTimeoutError, exceptions.SSLError):
            # There was no connection to send it over.
            raise errors.ProviderError(
                f"AWS does not answer in {region}. Nothing was sent.",
                "Check that the console's network reaches it, and the region.",
            ) from None
        except exceptions.ClientError as error:
            if found := _meaning(error.response, making=making):
                raise type(found)(found.reason, found.remedy) from None
            raise


def _meaning(response: Mapping[str, Any], *, making: bool) -> errors.ProviderError | None:
    code = str(response.get("Error", {}).get("Code", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    known = (_MAKING if making else _CHANGING).get(code)
    if known is not None:
        return known
    if code in _NOT_VALID:
        return errors.NotValid("AWS does not take the name, the value or a tag.", "Check what was typed.")
    if code.startswith(_KEYS):
        return errors.ProviderError(
            "AWS could not encrypt it with its KMS key.",
            "Allow kms:GenerateDataKey and kms:Decrypt on that key to this identity.",
        )
    if code == "ParameterLimitExceeded":
        return errors.LimitReached("The account may not have more parameters in this region.")
    if status >= 500:
        return errors.NotReachable(
            f"AWS answers with an error of its own ({status}).", "Look there first, then try again."
        )
    return None


def as_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": name, "Value": value} for name, value in tags.items()]


def check_tags(tags: Mapping[str, str]) -> None:
    """Check that AWS takes these tags.

    :raises NotReadable: with the reason
    """
    if len(tags) > MOST_TAGS:
        raise NotReadable(f"These are {len(tags)} tags; AWS takes {MOST_TAGS} a secret.")
    for name, value in tags.items():
        if name.lower().startswith("aws:"):
            raise NotReadable(f"“{name}”: names that begin with aws: are AWS's own.")
        if len(name) > LONGEST_TAG:
            raise NotReadable(f"“{name[:40]}”: a tag's name has at most {LONGEST_TAG} characters at AWS.")
        if not (_TAG.fullmatch(name) and _TAG.fullmatch(value)):
            raise NotReadable(
                f"“{name}={value}”: AWS takes letters, digits, spaces and . : / = + @ _ - in tags."
            )


def quiet() -> None:
    """Keep requests out of the log: at DEBUG, botocore writes their bodies there, with the values in them."""
    for name in ("botocore", "boto3", "urllib3"):
        logging.getLogger(name).setLevel(logging.INFO)
