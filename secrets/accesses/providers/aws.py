"""What the AWS providers share: sign-in, regions, errors."""

import functools
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.validators import RegexValidator
from django.views.decorators.debug import sensitive_variables

from accesses.providers import errors
from accesses.providers.base import ConfigurationForm, SecretField, SuggestingInput

if TYPE_CHECKING:
    from accesses.models import Access, AccessDraft

# A shape, not a list: partitions differ (us-gov-east-1, eusc-de-east-1), and new regions come every year.
REGION = re.compile(r"[a-z]{2,5}(?:-[a-z]{2,12}){1,2}-\d")
# What the form suggests.
REGIONS = (
    "af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1",
    "ap-south-2", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5",
    "ap-southeast-6", "ap-southeast-7", "ca-central-1", "ca-west-1", "cn-north-1", "cn-northwest-1",
    "eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2",
    "eu-west-3", "il-central-1", "me-central-1", "me-south-1", "mx-central-1", "sa-east-1", "us-east-1",
    "us-east-2", "us-gov-east-1", "us-gov-west-1", "us-west-1", "us-west-2",
)  # fmt: skip

type Maker = Callable[[str, str], errors.ProviderError]


def _refused(permission: str, policy: str) -> errors.ProviderError:
    return errors.CredentialRefused("AWS does not accept these keys.")


def _expired(permission: str, policy: str) -> errors.ProviderError:
    return errors.CredentialRefused("The session token has expired.", "Enter new keys.")


def _denied(permission: str, policy: str) -> errors.ProviderError:
    return errors.PermissionMissing(
        permission,
        f"The keys work, but lack {permission}.",
        f"Allow {permission} to the identity that the keys belong to.",
        policy,
    )


def _throttled(permission: str, policy: str) -> errors.ProviderError:
    return errors.Throttled("AWS asks to slow down.")


def _not_there(permission: str, policy: str) -> errors.ProviderError:
    return errors.NotThere("AWS does not have it.")


# How an error code begins → what it means; the first that fits counts.
_CODES: tuple[tuple[str, Maker], ...] = (
    ("ExpiredToken", _expired),
    ("RequestExpired", _expired),
    ("UnrecognizedClient", _refused),
    ("InvalidClientTokenId", _refused),
    ("InvalidAccessKeyId", _refused),
    ("InvalidSignature", _refused),
    ("SignatureDoesNotMatch", _refused),
    ("IncompleteSignature", _refused),
    ("MissingAuthenticationToken", _refused),
    ("InvalidToken", _refused),
    ("AuthFailure", _refused),
    ("401", _refused),
    ("403", _refused),
    ("AccessDenied", _denied),
    ("UnauthorizedOperation", _denied),
    ("NotAuthorized", _denied),
    ("Throttl", _throttled),
    ("TooManyRequests", _throttled),
    ("RequestLimitExceeded", _throttled),
    ("ResourceNotFound", _not_there),
)


def clean_region(value: str) -> str:
    """Return an AWS region, or refuse what cannot be one."""
    region = value.strip().lower()
    if not REGION.fullmatch(region):
        raise forms.ValidationError(f"{value} is not an AWS region; they look like eu-west-3.")
    return region


_key_id_rule = RegexValidator(
    r"^[A-Z0-9]{16,128}\Z", "An access key ID has at least 16 capital letters and digits, like AKIA…."
)
# What cannot stand in a header would be quoted by the HTTP library when it refuses it.
_header_rule = RegexValidator(
    r"^[\x21-\x7e]+\Z", "There are spaces or other characters in it that no key has."
)


class StaticForm(ConfigurationForm):
    """An access key of an IAM user."""

    region = forms.CharField(
        label="Region",
        max_length=30,
        help_text="Where the secrets live, for example eu-west-3.",
        widget=SuggestingInput(REGIONS),
    )
    access_key_id = SecretField(label="Access key ID", max_length=128, validators=[_key_id_rule])
    secret_access_key = SecretField(label="Secret access key", max_length=256, validators=[_header_rule])
    session_token = SecretField(
        label="Session token",
        max_length=4096,
        required=False,
        validators=[_header_rule],
        help_text="Only for temporary keys. They end within hours, and syncing ends with them.",
    )

    def clean_region(self) -> str:
        return clean_region(self.cleaned_data["region"])

    def clean(self) -> dict[str, Any]:
        """Keep one key's parts together: another ID brings its own secret, and a temporary one its token."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        key_id = cleaned.get("access_key_id", "")
        if key_id and "secret_access_key" in cleaned and not cleaned["secret_access_key"]:
            self.add_error("secret_access_key", "Another access key ID has its own secret access key.")
        if key_id.startswith("ASIA") and not cleaned.get("session_token"):
            self.add_error(
                "session_token", "A key that begins with ASIA is temporary and has a session token."
            )
        return cleaned

    def credential(self, kept: dict[str, str] | None) -> dict[str, str]:
        # A token of the key before would make AWS refuse the new one.
        return super().credential(None if self.cleaned_data.get("access_key_id") else kept)


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


# A session may not make two clients at once; the clients may then be used by any thread.
_making = threading.Lock()


@sensitive_variables()
def client(service: str, access: "Access | AccessDraft") -> Any:
    """Return a boto3 client that signs in with the access's own keys and with no others.

    :raises CredentialRefused: the access has no keys; the console's own are never a way out
    """
    from botocore.config import Config

    credential = access.credential or {}
    if not credential.get("access_key_id") or not credential.get("secret_access_key"):
        raise errors.CredentialRefused("This access has no keys.", "Enter an access key.")
    with _making:
        return _session().client(
            service,
            aws_access_key_id=credential["access_key_id"],
            aws_secret_access_key=credential["secret_access_key"],
            aws_session_token=credential.get("session_token") or None,
            region_name=access.configuration["region"],
            config=Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 2}),
        )


@functools.cache
def _session() -> Any:
    """Return the process's one session: it reads AWS's service descriptions once. It has no credentials of its own."""
    import boto3

    return boto3.session.Session()


@contextmanager
def translated(permission: str, region: str, policy: str) -> Iterator[None]:
    """Turn what botocore raises into our errors; `permission` is what the request needs."""
    from botocore import exceptions, parsers

    try:
        yield
    except exceptions.ClientError as error:
        raise _from_code(str(error.response.get("Error", {}).get("Code", "")), permission, policy) from None
    except (exceptions.ConnectionError, exceptions.HTTPClientError):
        raise errors.NotReachable(f"AWS does not answer in {region}.") from None
    except (parsers.ResponseParserError, LookupError):
        raise errors.NotReachable(
            f"What answers for AWS in {region} is not AWS.", "Check the proxies on the console's way out."
        ) from None
    except exceptions.BotoCoreError as error:
        raise errors.ProviderError(f"The request to AWS failed ({type(error).__name__}).") from None


def _from_code(code: str, permission: str, policy: str) -> errors.ProviderError:
    for beginning, make in _CODES:
        if code.startswith(beginning):
            return make(permission, policy)
    shown = code if re.fullmatch(r"\w{1,80}", code) else "with an error"
    return errors.ProviderError(f"AWS answered {shown}.")


def policy(*statements: dict[str, Any]) -> str:
    """Return an IAM policy as text to copy."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, indent=2)
