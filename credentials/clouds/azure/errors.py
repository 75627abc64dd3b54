"""What Azure's refusals mean. Its own words are read here and go no further."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from credentials.clouds import errors
from credentials.clouds.azure import roles
from credentials.clouds.azure.wire import Answer, not_azure


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asked, as far as its refusals are told: the exact trust that a token of ours needs, where one was sent."""

    tenant: str
    client: str
    login: str
    issuer: str = ""
    subject: str = ""
    audience: str = ""


type Maker = Callable[[Asker], errors.ProviderError]


def _is(kind: type[errors.ProviderError], reason: str, remedy: str = "") -> Maker:
    return lambda asker: kind(reason, remedy)


_NEW_SECRET = "Make a new client secret for the app registration and enter its value here."
_SWAPPED = (
    "Compare both with the app registration's overview: the Application (client) ID and the Directory (tenant) ID are "
    "easily swapped."
)
_NO_TENANT = _is(errors.CredentialRefused, "Entra knows no tenant with this ID in this cloud.", _SWAPPED)


def _mismatch(what: str) -> Maker:
    def make(asker: Asker) -> errors.ProviderError:
        return errors.TrustMissing(
            f"No federated credential of the app registration has {what}.",
            f"Give it one with exactly: issuer {asker.issuer}, subject {asker.subject}, audience {asker.audience}. "
            "A new one works after some minutes.",
            roles.federated_credential(asker.issuer, asker.subject, asker.audience),
        )

    return make


def _no_keys(asker: Asker) -> errors.ProviderError:
    return errors.TrustMissing(
        "Entra cannot fetch the keys of the issuer of this token.",
        f"Let the internet reach {asker.issuer}/.well-known/openid-configuration over HTTPS, with a certificate that "
        "everybody trusts.",
    )


def _no_principal(asker: Asker) -> errors.ProviderError:
    return errors.CredentialRefused(
        "The app registration has no service principal in this tenant.",
        f"Make one: az ad sp create --id {asker.client}",
    )


_SIGNATURE = _is(
    errors.TrustMissing,
    "Entra does not know the key that signed this token.",
    "It keeps the issuer's keys for some minutes. Try again in ten; then check that the issuer's address shows the "
    "present keys.",
)
_CONDITIONAL = _is(
    errors.CredentialRefused,
    "A Conditional Access policy of the tenant blocks this sign-in.",
    "Let the console's address into that policy, or leave this service principal out of it.",
)

# The number behind AADSTS → what it means.
_SIGN_IN: dict[int, Maker] = {
    7000215: _is(
        errors.CredentialRefused,
        "Entra does not accept this client secret.",
        "Enter the secret's value, which Azure shows once, and not its ID; or make a new one.",
    ),
    7000222: _is(errors.CredentialRefused, "The client secret has expired.", _NEW_SECRET),
    7000216: _is(errors.CredentialRefused, "Entra asks for a client secret and got none.", _NEW_SECRET),
    700016: _is(
        errors.CredentialRefused, "Entra knows no application with this client ID in this tenant.", _SWAPPED
    ),
    7000229: _no_principal,
    7000112: _is(
        errors.CredentialRefused,
        "The application is disabled in this tenant.",
        "Enable its sign-in in Entra, under Enterprise applications, or use another one.",
    ),
    90002: _NO_TENANT,
    900023: _NO_TENANT,
    50059: _NO_TENANT,
    70021: _mismatch("the issuer, subject and audience of this console's token"),
    700211: _mismatch("the issuer of this console's token"),
    700212: _mismatch("the audience of this console's token"),
    700213: _mismatch("the subject of this console's token"),
    7002137: _mismatch("the subject of this console's token"),
    7002138: _mismatch("the subject of this console's token in the same letters, capital and small"),
    50166: _no_keys,
    90061: _no_keys,
    50013: _SIGNATURE,
    700027: _SIGNATURE,
    700024: _is(
        errors.CredentialRefused,
        "Entra refuses the time that the token was signed at: the console's clock is wrong.",
        "Set the clock of the console's machine.",
    ),
    53003: _CONDITIONAL,
    530036: _CONDITIONAL,
    500011: _is(
        errors.NotThere,
        "The tenant does not know the service that a token was asked for.",
        "Check the tenant, and that the service is in use in it.",
    ),
    90033: _is(errors.NotReachable, "Entra has a failure of its own.", "Try again later."),
}
_CODE = re.compile(r"AADSTS(\d{3,9})\b")


def sign_in_refusal(answer: Answer, asker: Asker) -> errors.ProviderError:
    """Return what an answer of the token address means."""
    if not isinstance(answer.body.get("error"), str):
        return not_azure()
    code = _code(answer.body)
    if answer.status == 429:
        return errors.Throttled("Entra asks to slow down.")
    if code in _SIGN_IN:
        return _SIGN_IN[code](asker)
    if answer.status >= 500 or answer.body["error"] == "temporarily_unavailable":
        return errors.NotReachable("Entra has a failure of its own.", "Try again later.")
    told = f" (AADSTS{code})" if code else ""
    look = (
        f"Look its code up: {asker.login}/error?code={code}"
        if code
        else "Check the app registration in Entra."
    )
    return errors.CredentialRefused(f"Entra does not let this application sign in{told}.", look)


def _code(body: dict[str, Any]) -> int:
    listed = body.get("error_codes")
    if isinstance(listed, list) and listed and isinstance(listed[0], int):
        return listed[0]
    found = _CODE.search(str(body.get("error_description") or ""))
    return int(found[1]) if found else 0


_OTHER_TENANT = _is(
    errors.CredentialRefused,
    "The subscription belongs to another tenant than this credential.",
    "Compare the tenant ID with the one on the subscription's overview.",
)
_REFUSED_TOKEN = _is(
    errors.CredentialRefused,
    "Azure does not accept this identity's token.",
    "Check the tenant and the cloud.",
)
_NO_SUBSCRIPTION = _is(
    errors.NotThere,
    "Azure has no such subscription in this tenant, or this identity has no role in it.",
    "Compare the subscription ID with Azure, and assign the role that this page shows. A new assignment works after "
    "some minutes.",
)
# Azure's `code` → meaning; asked before the status.
_CODES: dict[str, Maker] = {
    "SubscriptionNotFound": _NO_SUBSCRIPTION,
    "InvalidSubscriptionId": _NO_SUBSCRIPTION,
    "InvalidAuthenticationTokenTenant": _OTHER_TENANT,
    "SubscriptionNotRegistered": _is(
        errors.NotThere,
        "The subscription does not use this service.",
        "Register the service's resource provider in the subscription, or choose another subscription.",
    ),
    "ReadOnlyDisabledSubscription": _is(
        errors.ProviderError, "The subscription is disabled.", "Enable it at Azure, or use another one."
    ),
    "RequestDisallowedByPolicy": _is(
        errors.ProviderError,
        "A policy of the subscription forbids this request.",
        "Ask who keeps the subscription's Azure Policy.",
    ),
}
_STATUSES: dict[int, Maker] = {
    400: _is(errors.NotValid, "Azure refuses the request as not valid.", "Check the subscription."),
    401: _REFUSED_TOKEN,
    404: _is(
        errors.NotThere, "Azure does not have it.", "Check the subscription, and whether it was deleted."
    ),
    409: _is(errors.Raced, "Azure is busy with another change of the same."),
    429: _is(errors.Throttled, "Azure asks to slow down."),
}


def refusal(answer: Answer, asker: Asker, action: str, scope: str) -> errors.ProviderError:
    """Return what an answer of an error means; `action` is what it needs to be allowed, `scope` on what."""
    said = answer.body.get("error")
    if not isinstance(said, dict):
        return not_azure()
    code = str(said.get("code"))
    if code in _CODES:
        return _CODES[code](asker)
    if answer.status == 403:
        return denied(action, scope)
    if answer.status in _STATUSES:
        return _STATUSES[answer.status](asker)
    if answer.status >= 500:
        return errors.NotReachable(
            f"Azure answers with an error of its own ({answer.status}).", "Try again later."
        )
    return errors.ProviderError(
        f"Azure answered {answer.status}.", "Look at the activity log of the subscription."
    )


def denied(action: str, scope: str) -> errors.PermissionMissing:
    """Return that an action is not allowed, with the role that allows it."""
    found = re.match(r"/subscriptions/([0-9a-f-]{36})", scope, re.IGNORECASE)
    subscription = found[1] if found else ""
    return errors.PermissionMissing(
        action,
        f"The identity lacks {action}.",
        f"Assign it the role {roles.name(subscription)} that this page shows, or Reader, on the subscription. "
        "A new assignment works after some minutes."
        if action in roles.READING
        else f"Assign it the role {roles.name(subscription)} that this page shows, on the subscription. "
        "A new assignment works after some minutes.",
        roles.definition(subscription),
    )
