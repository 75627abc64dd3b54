"""What the AWS providers share: sign-in, regions, errors."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django import forms
from django.views.decorators.debug import sensitive_variables

from accesses.providers import errors
from accesses.providers.base import ConfigurationForm, SecretField

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

REGION = re.compile(r"^(?:us|eu|ap|sa|ca|me|af|il|mx|cn|us-gov)-(?:[a-z]+-)?[a-z]+-\d\Z")
REGIONS = (
    "af-south-1", "ap-east-1", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-south-2",
    "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ca-central-1", "ca-west-1",
    "cn-north-1", "cn-northwest-1", "eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2",
    "eu-west-1", "eu-west-2", "eu-west-3", "il-central-1", "me-central-1", "me-south-1", "mx-central-1",
    "sa-east-1", "us-east-1", "us-east-2", "us-gov-east-1", "us-gov-west-1", "us-west-1", "us-west-2",
)  # fmt: skip

_REFUSED = frozenset(
    {
        "UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch",
        "IncompleteSignature", "MissingAuthenticationToken", "AuthFailure", "403", "401",
    }
)  # fmt: skip
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_THROTTLED = frozenset(
    {"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"}
)


def clean_region(value: str) -> str:
    """Return an AWS region, or refuse what cannot be one."""
    region = value.strip().lower()
    if not REGION.match(region):
        raise forms.ValidationError(f"{value} is not an AWS region; they look like eu-west-3.")
    return region


class StaticForm(ConfigurationForm):
    """An access key of an IAM user."""

    region = forms.CharField(
        label="Region",
        max_length=30,
        help_text="Where the secrets live, for example eu-west-3.",
        widget=forms.TextInput(attrs={"list": "aws-regions", "autocomplete": "off", "spellcheck": "false"}),
    )
    access_key_id = SecretField(label="Access key ID", max_length=128)
    secret_access_key = SecretField(label="Secret access key", max_length=256)
    session_token = SecretField(
        label="Session token",
        max_length=4096,
        required=False,
        help_text="Only for temporary keys. They end within hours, and syncing ends with them.",
    )

    def clean_region(self) -> str:
        return clean_region(self.cleaned_data["region"])

    def clean_access_key_id(self) -> str:
        value: str = self.cleaned_data["access_key_id"].strip()
        if value and not re.fullmatch(r"[A-Z0-9]{16,128}", value):
            raise forms.ValidationError(
                "An access key ID has at least 16 capital letters and digits, like AKIA…."
            )
        return value


def secret_ref(access: "Access", namespace: str) -> dict[str, Any]:
    """Return the store's `auth.secretRef`, which names our Secret's keys."""
    names = {"accessKeyIDSecretRef": "access_key_id", "secretAccessKeySecretRef": "secret_access_key"}
    if (access.credential or {}).get("session_token"):
        names["sessionTokenSecretRef"] = "session_token"
    return {
        field: {"name": access.store_name, "namespace": namespace, "key": key.replace("_", "-")}
        for field, key in names.items()
    }


def secret_data(access: "Access") -> dict[str, str]:
    """Return the data of the Secret that `secret_ref` names."""
    return {key.replace("_", "-"): value for key, value in (access.credential or {}).items() if value}


@sensitive_variables()
def client(service: str, access: "Access | AccessDraft") -> Any:
    """Return a boto3 client that signs in with the access's own keys and with no others."""
    import boto3
    from botocore.config import Config

    credential = access.credential or {}
    session: Any = boto3.session.Session(
        aws_access_key_id=credential.get("access_key_id") or "none",
        aws_secret_access_key=credential.get("secret_access_key") or "none",
        aws_session_token=credential.get("session_token") or None,
        region_name=access.configuration["region"],
    )
    return session.client(
        service, config=Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 2})
    )


@contextmanager
def translated(permission: str, region: str, policy: str) -> Iterator[None]:
    """Turn what botocore raises into our errors; `permission` is what the request needs."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise _from_code(str(error.response.get("Error", {}).get("Code", "")), permission, policy) from None
    except BotoCoreError as error:
        if type(error).__name__ in ("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError"):
            raise errors.NotReachable(f"AWS does not answer in {region}.") from None
        raise errors.ProviderError(f"The request to AWS failed ({type(error).__name__}).") from None


def _from_code(code: str, permission: str, policy: str) -> errors.ProviderError:
    if code in _REFUSED:
        return errors.CredentialRefused("AWS does not accept these keys.")
    if code in _EXPIRED:
        return errors.CredentialRefused("The session token has expired.", "Enter new keys.")
    if code in _DENIED:
        return errors.PermissionMissing(
            permission,
            f"The keys work, but lack {permission}.",
            f"Add this to the IAM user's policy: {policy}",
        )
    if code in _THROTTLED:
        return errors.Throttled("AWS asks to slow down.")
    if code == "ResourceNotFoundException":
        return errors.NotThere("AWS does not have it.")
    return errors.ProviderError(f"AWS answered {code or 'with an error'}.")


def policy(*statements: dict[str, Any]) -> str:
    """Return an IAM policy as text to copy."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, indent=2)
