"""AWS: signing in with keys or with a cluster's token, asking, and what its refusals mean."""

import functools
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.views.decorators.debug import sensitive_variables

from credentials.clouds import errors

type Maker = Callable[[str, str], errors.ProviderError]


def _refused(permission: str, policy: str) -> errors.ProviderError:
    return errors.CredentialRefused("AWS does not accept these keys.")


def _expired(permission: str, policy: str) -> errors.ProviderError:
    return errors.CredentialRefused(
        "The session token has expired.", "Enter new keys; those of a role are made anew with the next try."
    )


def _denied(permission: str, policy: str) -> errors.ProviderError:
    return errors.PermissionMissing(
        permission,
        f"The identity lacks {permission}.",
        f"Allow {permission} to this identity.",
        policy,
    )


def _token_refused(permission: str, policy: str) -> errors.ProviderError:
    return errors.TrustMissing(
        "The AWS account has no IAM OIDC provider for this cluster's issuer, or not with this audience.",
        "Deploy the stack with CreateOIDCProvider=yes, or add an IAM OIDC provider for the issuer "
        "with the audience sts.amazonaws.com.",
    )


def _issuer_silent(permission: str, policy: str) -> errors.ProviderError:
    return errors.TrustMissing(
        "AWS does not reach this cluster's issuer.",
        "Let AWS reach the issuer's address over HTTPS: it fetches the keys of the tokens there.",
    )


def _wrong_time(permission: str, policy: str) -> errors.ProviderError:
    return errors.ProviderError(
        "AWS refuses the time that the request was signed at: the console's clock is wrong.",
        "Set the clock of the console's machine.",
    )


def _throttled(permission: str, policy: str) -> errors.ProviderError:
    return errors.Throttled("AWS asks to slow down.")


def _full(permission: str, policy: str) -> errors.ProviderError:
    return errors.LimitReached(
        f"AWS refuses {permission}: a limit of the account is reached.",
        "Raise the account's IAM quota, or remove what is not needed.",
    )


def _not_there(permission: str, policy: str) -> errors.ProviderError:
    return errors.NotThere("AWS does not have it.")


# How an error code begins → what it means; the first that fits counts.
_CODES: tuple[tuple[str, Maker], ...] = (
    ("ExpiredToken", _expired),
    ("RequestExpired", _wrong_time),
    ("RequestTimeTooSkewed", _wrong_time),
    ("UnrecognizedClient", _refused),
    ("InvalidClientTokenId", _refused),
    ("InvalidAccessKeyId", _refused),
    ("InvalidSignature", _refused),
    ("SignatureDoesNotMatch", _refused),
    ("InvalidIdentityToken", _token_refused),
    ("IDPRejectedClaim", _token_refused),
    ("IDPCommunicationError", _issuer_silent),
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
    ("NoSuchEntity", _not_there),
    ("LimitExceeded", _full),
)
# What an AWS-compatible service answers for: as the operator's own variables have it.
ELSEWHERE = ("secretsmanager", "ssm", "sts")
# The same codes stand for a wrong signature.
_SKEWED = re.compile(r"^Signature (?:expired|not yet current)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Keys:
    """What signs a request: of an IAM user, or temporary ones with a session token."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)
    # What answers in place of AWS, for the services that have secrets; empty is AWS itself.
    endpoint: str = ""

    @classmethod
    def of(cls, credential: dict[str, str] | None) -> "Keys":
        """Return the keys of a stored credential.

        :raises CredentialRefused: there are none; the console's own are never a way out
        """
        found = credential or {}
        if not found.get("access_key_id") or not found.get("secret_access_key"):
            raise errors.CredentialRefused("There are no keys.", "Enter an access key.")
        return cls(found["access_key_id"], found["secret_access_key"], found.get("session_token", ""))


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose keys they are."""

    arn: str
    account: str


# A session may not make two clients at once; the clients may then be used by any thread.
_making = threading.Lock()


@sensitive_variables()
def client(service: str, keys: Keys, region: str, *, hasty: bool = False, attempts: int = 2) -> Any:
    """Return a boto3 client that signs in with these keys and with no others; a hasty one gives up after 3 seconds.

    With one of `attempts` a request is sent once, whatever comes of it.
    """
    with _making:
        return _session().client(
            service,
            aws_access_key_id=keys.access_key_id,
            aws_secret_access_key=keys.secret_access_key,
            aws_session_token=keys.session_token or None,
            region_name=region,
            endpoint_url=keys.endpoint if keys.endpoint and service in ELSEWHERE else None,
            config=_config(read_timeout=3, attempts=1) if hasty else _config(attempts=attempts),
        )


def _config(*, read_timeout: int = 10, attempts: int = 2, **more: Any) -> Any:
    """Return limits: a hung endpoint costs at most 26 seconds, throttling is asked again with backoff."""
    from botocore.config import Config

    retrying: Any = {"total_max_attempts": attempts, "mode": "standard"}
    return Config(connect_timeout=3, read_timeout=read_timeout, retries=retrying, **more)


@functools.cache
def _session() -> Any:
    """Return the process's one session: it reads AWS's service descriptions once. It has no credentials of its own."""
    import boto3

    return boto3.session.Session()


def caller(keys: Keys, region: str, *, hasty: bool = False) -> Caller:
    """Return whose keys they are; AWS needs no permission for that.

    :raises ProviderError: AWS refuses the keys, or does not answer
    """
    with translated("sts:GetCallerIdentity", region, ""):
        said = client("sts", keys, region, hasty=hasty).get_caller_identity()
        return Caller(str(said["Arn"]), str(said["Account"]))


@sensitive_variables()
def assume_with_token(role_arn: str, token: str, region: str, endpoint: str = "") -> Keys:
    """Return temporary keys of a role, signed in to by a ServiceAccount's token.

    :raises ProviderError: the role does not trust the token, or AWS does not answer
    """
    from botocore import UNSIGNED

    with _making:
        sts = _session().client(
            "sts",
            region_name=region,
            endpoint_url=endpoint or None,
            config=_config(signature_version=UNSIGNED),
        )
    try:
        with translated("sts:AssumeRoleWithWebIdentity", region, ""):
            answer = sts.assume_role_with_web_identity(
                RoleArn=role_arn, RoleSessionName="keyhaven", WebIdentityToken=token, DurationSeconds=3600
            )
            found = answer["Credentials"]
            return Keys(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])
    except errors.PermissionMissing:
        # AWS says no more than that, whatever of the trust policy does not fit, and also when there is no such role.
        raise errors.TrustMissing(
            "The role is not there, or does not trust this cluster's issuer and this access's ServiceAccount."
        ) from None


@contextmanager
def translated(permission: str, region: str, policy: str) -> Iterator[None]:
    """Turn what botocore raises into our errors; `permission` is what the request needs."""
    from botocore import exceptions, parsers

    try:
        yield
    except exceptions.ClientError as error:
        said = error.response.get("Error", {})
        if _SKEWED.search(str(said.get("Message", ""))):
            raise _wrong_time(permission, policy) from None
        raise _from_code(str(said.get("Code", "")), permission, policy) from None
    except (exceptions.ConnectionError, exceptions.HTTPClientError):
        raise errors.NotReachable(f"AWS does not answer in {region}.") from None
    except (parsers.ResponseParserError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
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
