"""What Google's refusals mean. Its own words are read here and go no further."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from credentials.clouds import errors
from credentials.clouds.google import trust as google_trust
from credentials.clouds.google import wire as google_wire

logger = logging.getLogger(__name__)

type Maker = Callable[[str, str], errors.ProviderError]

_NEW_KEY = "Make a new key for the service account and give its key.json here."


def _is(kind: type[errors.ProviderError], reason: str, remedy: str = "") -> Maker:
    return lambda permission, policy: kind(reason, remedy)


def _denied(permission: str, policy: str) -> errors.ProviderError:
    # Google answers the same for what does not exist.
    return errors.PermissionMissing(
        permission,
        f"The identity lacks {permission}, or there is no such project.",
        f"Check the project's ID, and grant a role with {permission} to this identity.",
        policy,
    )


def _disabled(service: str) -> errors.ProviderError:
    name = {
        "iamcredentials.googleapis.com": "IAM Service Account Credentials API",
        "iam.googleapis.com": "IAM API",
        "sts.googleapis.com": "Security Token Service API",
        "cloudresourcemanager.googleapis.com": "Cloud Resource Manager API",
        "container.googleapis.com": "Kubernetes Engine API",
        "policyanalyzer.googleapis.com": "Policy Analyzer API",
    }.get(service, "Secret Manager API")
    known = service if name != "Secret Manager API" else "secretmanager.googleapis.com"
    return errors.ProviderError(
        f"The {name} is not enabled in the project.",
        f"Enable it and wait a minute: gcloud services enable {known}",
    )


# What stands in Google's answer to a signed key → what it means; the first that fits counts.
_GRANTS: tuple[tuple[str, Maker], ...] = (
    (
        "signature",
        _is(
            errors.CredentialRefused,
            "Google does not accept this key: it was deleted or disabled, or is not of this service account.",
            _NEW_KEY,
        ),
    ),
    (
        "account not found",
        _is(errors.CredentialRefused, "Google knows no such service account; it may be deleted.", _NEW_KEY),
    ),
    (
        "disabled",
        _is(
            errors.CredentialRefused,
            "The service account is disabled.",
            "Enable it at Google, or use another one.",
        ),
    ),
    (
        "timeframe",
        _is(
            errors.CredentialRefused,
            "Google refuses the time that the key was signed at: the console's clock is wrong.",
            "Set the clock of the console's machine.",
        ),
    ),
    ("", _is(errors.CredentialRefused, "Google does not accept this key.", _NEW_KEY)),
)

# Google's `reason` → meaning; asked before the status.
_REASONS: dict[str, Maker] = {
    "BILLING_DISABLED": _is(
        errors.ProviderError,
        "Billing is not enabled in the project.",
        "Link the project to a billing account.",
    ),
    "CONSUMER_INVALID": _is(
        errors.NotThere,
        "Google has no such project, or it is about to be deleted.",
        "Check the project's ID.",
    ),
    "CONSUMER_SUSPENDED": _is(
        errors.ProviderError, "Google has suspended the project.", "Ask the project's owner."
    ),
    "SECURITY_POLICY_VIOLATED": _is(
        errors.ProviderError,
        "A VPC Service Controls perimeter refuses requests from the console.",
        "Let the console's address into the perimeter, or type names instead of browsing them.",
    ),
    "ACCOUNT_STATE_INVALID": _is(
        errors.CredentialRefused, "The service account is disabled or deleted.", _NEW_KEY
    ),
}

_STATUSES: dict[int, Maker] = {
    400: _is(
        errors.NotValid, "Google refuses the request as not valid.", "Check the project and the region."
    ),
    401: _is(errors.CredentialRefused, "Google does not accept this credential.", _NEW_KEY),
    403: _denied,
    404: _is(errors.NotThere, "Google does not have it.", "Check the project and the region."),
    409: _is(errors.Raced, "Somebody else changed it at Google at the same time."),
    429: _is(errors.Throttled, "Google asks to slow down."),
}


def refusal(status: int, body: Any, permission: str, policy: str) -> errors.ProviderError:
    """Return what a REST answer of an error means."""
    said = body.get("error") if isinstance(body, dict) else None
    if not isinstance(said, dict):
        return google_wire.not_google()
    details = [one for one in said.get("details") or [] if isinstance(one, dict)]
    for one in details:
        if one.get("reason") == "SERVICE_DISABLED":
            return _disabled(str((one.get("metadata") or {}).get("service", "")))
        if one.get("reason") in _REASONS:
            return _REASONS[one["reason"]](permission, policy)
    if status in _STATUSES:
        return _STATUSES[status](permission, policy)
    if status >= 500:
        return errors.NotReachable(f"Google answers with an error of its own ({status}).", "Try again later.")
    return errors.ProviderError(f"Google answered {status}.")


def _grant(error: Any, trust: google_trust.Trust) -> errors.ProviderError:
    """Return what a refusal at the token address means: of a key, or of an impersonation."""
    body = error.args[1] if len(error.args) > 1 else None
    if isinstance(body, str):
        body = _parsed(body)
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        return _impersonation(body, trust)
    if not isinstance(body, dict) or not isinstance(body.get("error"), str):
        return google_wire.not_google()
    if getattr(error, "retryable", False):
        return errors.NotReachable("Google's sign-in has a failure of its own.", "Try again later.")
    described = f"{body['error']} {body.get('error_description')}".lower()
    return next(make for words, make in _GRANTS if words in described)("", "")


def _impersonation(body: dict[str, Any], trust: google_trust.Trust) -> errors.ProviderError:
    found = refusal(_code(body), body, "iam.serviceAccounts.getAccessToken", "")
    if isinstance(found, errors.PermissionMissing | errors.NotThere):
        return trust.denied
    return found


def _exchange(error: Any, trust: google_trust.Trust) -> errors.ProviderError:
    """Return what the token service's refusal means."""
    body = _parsed(error.args[1] if len(error.args) > 1 else "")
    if not isinstance(body, dict) or not isinstance(body.get("error"), str):
        return refusal(int(_code(body)), body, "sts.identityProviders.exchange", "")
    code, described = body["error"], str(body.get("error_description")).lower()
    return trust.meaning(code, described)


def _code(body: Any) -> int:
    said = body.get("error") if isinstance(body, dict) else None
    code = said.get("code") if isinstance(said, dict) else 0
    return code if isinstance(code, int) else 0


def _parsed(text: Any) -> Any:
    try:
        return json.loads(text)
    except (RecursionError, TypeError, ValueError):
        return None


@contextmanager
def translated(
    permission: str, policy: str = "", trust: google_trust.Trust = google_trust.OF_CLUSTERS
) -> Iterator[None]:
    """Turn what Google's libraries raise into our errors, and bound the time of all that happens inside.

    `permission` is what the request needs, `policy` the gcloud lines that grant it; `trust` says what a refused
    exchange of a token means.
    """
    import requests
    from google.api_core import exceptions as api
    from google.auth import exceptions as auth
    from google.protobuf import json_format

    try:
        with google_wire.budget():
            yield
    except api.GoogleAPICallError as error:
        body = _parsed(getattr(error.response, "text", None))
        raise refusal(int(error.code or 0), body, permission, policy) from None
    except auth.OAuthError as error:
        raise _exchange(error, trust) from None
    except auth.RefreshError as error:
        raise _grant(error, trust) from None
    except (auth.TransportError, auth.TimeoutError, requests.RequestException):
        raise errors.NotReachable("Google does not answer.") from None
    except auth.GoogleAuthError as error:
        raise errors.ProviderError(f"The request to Google failed ({type(error).__name__}).") from None
    except (json_format.Error, LookupError, TypeError, ValueError) as error:
        # Its libraries take for granted what stands in an answer. The text may quote it.
        logger.warning("An answer of Google could not be read: %s", type(error).__name__)
        raise google_wire.not_google() from None
